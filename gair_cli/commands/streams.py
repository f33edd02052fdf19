"""What people see: summaries and progress on stderr, data on stdout.

A bar is drawn on a terminal only; elsewhere a line appears every 30 seconds.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import polars as pl

_LINE_EVERY_S = 30.0
_PREVIEW_ROWS = 10


def _quiet() -> bool:
    context = click.get_current_context(silent=True)
    return bool(context and context.params.get("quiet"))


def say(text: str) -> None:
    """Print one summary line to stderr, unless `-q` was given."""
    if not _quiet():
        click.echo(text, err=True)


def warn(text: str) -> None:
    """Print a warning to stderr, also with `-q`."""
    click.echo(f"gair: warning: {text}", err=True)


def wrote(path: Path | str, next_command: str | None = None) -> None:
    """Name what was written, and one sensible next command."""
    say(f"wrote {path}")
    if next_command is not None:
        say(f"next: {next_command}")


@contextmanager
def progress(
    total: int | None, description: str, *, unit: str = "it"
) -> Iterator[Callable[[int], None]]:
    """Show progress on stderr while the body runs.

    Args:
        total: How many items there are, if known.
        description: What is being done.
        unit: What is counted.

    Yields:
        A function to call with the number of new items.
    """
    if _quiet():
        yield lambda _count: None
        return
    from tqdm import tqdm

    if sys.stderr.isatty():
        with tqdm(total=total, desc=description, unit=unit, file=sys.stderr, leave=False) as bar:
            yield lambda count: _advance(bar, count)
        return
    yield _line_printer(total, description, unit)


def _advance(bar: Any, count: int) -> None:
    bar.update(count)


def _line_printer(
    total: int | None, description: str, unit: str, *, suffix: Callable[[], str] | None = None
) -> Callable[[int], None]:
    done = 0
    last = time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            of_total = f" of {total}" if total is not None else ""
            more = "" if suffix is None else f", {suffix()}"
            click.echo(f"{description}: {done}{of_total} {unit}{more}", err=True)

    return advance


@contextmanager
def throughput(total: int, description: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress of tiles with their speed: tiles and MB of decoded pixels a second.

    Args:
        total: How many tiles there are.
        description: What is being done.

    Yields:
        A function to call with numbers of new tiles and of bytes decoded for them; without bytes
        they were there before and do not count as speed.
    """
    if _quiet():
        yield lambda _tiles, _bytes: None
        return
    pace = _Pace()
    if sys.stderr.isatty():
        from tqdm import tqdm

        form = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
        with tqdm(
            total=total, desc=description, file=sys.stderr, leave=False, bar_format=form
        ) as bar:

            def advance(tiles: int, size: int) -> None:
                pace.add(tiles, size)
                bar.set_postfix_str(pace.text(), refresh=False)
                bar.update(tiles)

            yield advance
        return
    lines = _line_printer(total, description, "tiles", suffix=pace.text)

    def advance_lines(tiles: int, size: int) -> None:
        pace.add(tiles, size)
        lines(tiles)

    yield advance_lines


class _Pace:
    """Tiles and bytes since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._tiles = self._bytes = 0

    def add(self, tiles: int, size: int) -> None:
        """Count new tiles and the bytes decoded for them."""
        if size:
            self._tiles += tiles
            self._bytes += size

    def text(self) -> str:
        """Return the speed so far."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        return f"{self._tiles / seconds:.0f} tiles/s, {self._bytes / 1e6 / seconds:.0f} MB/s"


def output_frame(
    frame: pl.DataFrame,
    output: Path | None,
    format_: str | None,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a table where the user wants it.

    With an output: a file, whole or not at all. Without: a short table on a terminal, an Arrow
    stream on a pipe, or the format given.

    Args:
        frame: The rows.
        output: A path; None or `-` is stdout.
        format_: The user's `-f`.
        metadata: Texts for the formats that can carry them.

    Raises:
        UsageError: If a binary format is asked for on a terminal.
    """
    from gair_cli.geo.writers import format_of, write_stream, write_table

    metadata = metadata or {}
    if output is not None and str(output) != "-":
        write_table(frame, output, format_of(output, format_), metadata=metadata)
        return
    stream = sys.stdout.buffer
    if sys.stdout.isatty() and format_ is None:
        click.echo(preview(frame))
        return
    write_stream(frame, stream, stdout_format(format_), metadata=metadata)
    stream.flush()


def stdout_format(format_: str | None) -> str:
    """Return the format for stdout: Arrow unless given; never binary to a terminal.

    Raises:
        UsageError: If a binary format is asked for on a terminal.
    """
    chosen = format_ or "arrow"
    if sys.stdout.isatty() and chosen not in {"csv", "geojsonl"}:
        raise UsageError(
            f"{chosen} is binary and would spoil the terminal",
            hint="pass -o FILE, or pipe it into another command",
        )
    return chosen


def preview(frame: pl.DataFrame) -> str:
    """Return the first rows as text for a terminal."""
    import polars as pl

    shown = frame.drop([name for name in ("geometry", "bbox") if name in frame.columns])
    with pl.Config(tbl_rows=_PREVIEW_ROWS, tbl_hide_dataframe_shape=False, fmt_str_lengths=40):
        return str(shown)
