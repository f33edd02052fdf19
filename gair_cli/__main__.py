"""Entry point of `gair` and of `python -m gair_cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    from gair_cli.commands.main import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
