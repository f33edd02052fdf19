#!/usr/bin/env python
"""Write docs/cli.md from the command tree; `--check` only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gair_cli.commands.main import COMMANDS, cli

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"


def section(name: str) -> str:
    """Return one command's help as Markdown."""
    command = cli.get_command(click.Context(cli), name)
    if command is None:
        raise SystemExit(f"no command {name}")
    parts = [f"## gair {name}\n", f"```text\n{help_text(command, f'gair {name}')}\n```\n"]
    if isinstance(command, click.Group):
        for sub_name, sub in command.commands.items():
            text = help_text(sub, f"gair {name} {sub_name}")
            parts += [f"### gair {name} {sub_name}\n", f"```text\n{text}\n```\n"]
    return "\n".join(parts)


def help_text(command: click.Command, path: str) -> str:
    """Return a command's help as a terminal of 88 columns shows it."""
    context = click.Context(command, info_name=path, terminal_width=88, max_content_width=88)
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def page() -> str:
    """Return the whole page."""
    head = (
        "# Commands\n\nMade from the command tree by `scripts/make_cli_reference.py`.\n"
        "Exit codes: 0 done, 1 disk full and other failures, 2 usage or output exists, 3 input "
        "missing or unreadable,\n4 unusable data, 5 some rows bad, 6 model, 7 optional package "
        "missing, 130 Ctrl-C, 143 SIGTERM.\n"
    )
    return "\n".join([head, *(section(name) for name in COMMANDS)])


def main() -> int:
    """Write or check the page."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/cli.md is not up to date: run scripts/make_cli_reference.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
