"""`gair completion`: print a shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      gair completion bash > ~/.local/share/bash-completion/completions/gair
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.commands.main import cli

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(completion(cli, {}, "gair", "_GAIR_COMPLETE").source())
