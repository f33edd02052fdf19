"""Entry point of `gair` and of `python -m gair_cli`."""

from __future__ import annotations

import atexit
import gc
import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit code.

    The interpreter is not taken apart module by module, which costs a tenth of a second and would
    wait for a thread that hangs in a network read; exit handlers run, and the streams are flushed.
    """
    gc.set_threshold(100_000, 20, 20)  # imports make many objects and no garbage
    from gair_cli.commands.main import main as run

    code = run()
    atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter itself calls at this point
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started us
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
