"""The `gair` command: finds subcommands lazily, prints errors, picks exit codes."""

from __future__ import annotations

import errno
import importlib
import json
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from gair_cli import __version__
from gair_cli.errors import DiskFullError, GairError, InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

COMMANDS: Final = {
    "demo": "Make a city: scene, street photos and labelled points (made data).",
    "tile": "Cut satellite scenes into a tile set.",
    "photos": "Scan folders of photos for where, when and where to.",
    "pair": "Place photos in tiles, with a spatial split.",
    "split": "Give any table with coordinates a spatial split.",
    "pack": "Gather pairs, tiles or photos into training shards.",
    "pretrain": "Train a model from shards; goes on where it stopped.",
    "embed": "Turn points, photos or tiles into vectors.",
    "encode": "Turn coordinates into fixed encodings, without a model.",
    "raster": "Embed a scene densely, at any resolution.",
    "search": "Find places by photo, photos by place, and things alike.",
    "convert": "Convert a model: released checkpoint, ONNX, torch.export, timm.",
    "eval": "Score embeddings and models against baselines.",
    "view": "Draw pictures of embeddings.",
    "check": "Judge a data set, pair table, shards, embeddings or model.",
    "info": "Say what a file or folder is, and which versions run.",
    "doctor": "Check this machine.",
    "completion": "Print a shell's completion script.",
}
_FULL: Final = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_INTERRUPTED: Final = 128


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command's module."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"gair_cli.commands.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gair")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:  # noqa: FBT001 - click hands options over by name
    """One embedding space for satellite tiles, street photos and coordinates.

    \b
    Example, from nothing to a scored model:
      gair demo city
      gair tile city/scene.tif -o tiles
      gair pair city/photos.csv --tiles tiles -o pairs.parquet
      gair pack pairs.parquet --tiles tiles -o train
      gair pretrain train -o run --preset tiny
      gair embed --points city/points.csv --model run -o points.parquet
    """  # noqa: D301 - click's marker of text to leave as it is
    del debug


class _Terminated(BaseException):
    """SIGTERM arrived."""


def _on_term(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    previous = signal.signal(signal.SIGTERM, _on_term)
    try:
        return _run(words)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _run(words: list[str]) -> int:
    as_json, debug = "--json" in words, "--debug" in words
    try:
        return _invoke(words)
    except click.ClickException as error:
        return _report(_from_click(error), as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return _stopped(signal.SIGINT, words)
    except _Terminated:
        return _stopped(signal.SIGTERM, words)
    except Exception as error:
        if _is_closed_pipe(error):
            return _quiet_end()
        if debug:
            raise
        return _report(_explained(error), as_json=as_json)


def _invoke(words: list[str]) -> int:
    """Run the command without click's own handling of closed pipes, which exits with 1."""
    if "_GAIR_COMPLETE" in os.environ:
        cli.main(args=words, prog_name="gair")
    try:
        with cli.make_context("gair", words) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    if sys.stdout is not None:  # closed by whoever started us
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _from_click(error: click.ClickException) -> UsageError:
    """Return click's complaint about the command line as ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "gair"
    return UsageError(error.format_message(), hint=f"see {path} --help")


def _stopped(number: signal.Signals, words: list[str]) -> int:
    click.echo("gair: stopped; finished parts are kept", err=True)
    click.echo(f"hint: go on with: gair {shlex.join(words)}", err=True)
    return _INTERRUPTED + number


def _is_closed_pipe(error: Exception) -> bool:
    return isinstance(error, BrokenPipeError) or (
        isinstance(error, OSError) and "broken pipe" in str(error).lower()
    )


def _quiet_end() -> int:
    """End quietly: whoever read the pipe has had enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _explained(error: Exception) -> GairError:
    """Return an error as ours: those of the disk and of files get their own exit codes."""
    if isinstance(error, GairError):
        return error
    if isinstance(error, OSError) and (error.errno in _FULL or "No space left" in str(error)):
        return DiskFullError(
            f"the disk or the file-size limit is full: {error}",
            hint="free some space; finished parts are kept, run the same command again",
        )
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return InputError(str(error), hint="choose an output in a folder that can be written")
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return InputError(str(error), hint="check the path")
    return GairError(
        f"{type(error).__name__}: {error}", hint="run again with gair --debug for the traceback"
    )


def _report(error: GairError, *, as_json: bool) -> int:
    if as_json:
        record: dict[str, Any] = {
            "error": str(error),
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        click.echo(json.dumps(record), err=True)
        return error.exit_code
    click.echo(f"gair: error: {' '.join(str(error).split())}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    return error.exit_code
