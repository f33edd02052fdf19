"""`gair photos`: scan folders of photos into a photo table."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gair_cli.geo.photo_scan import ScanOptions
    from gair_cli.geo.photo_table import PhotoOutcome, PhotoReport

    Advance = Callable[[int], None]


@click.command("photos")
@click.argument("folders", type=options.PATH, nargs=-1, required=True)
@options.output_option(required=False, help_text="The photo table; default: stdout.")
@options.format_option("parquet", "arrow", "csv", "geojsonl")
@click.option(
    "--sidecar", "sidecars", type=options.PATH, multiple=True, metavar="FILE",
    help="Table (CSV, Parquet, GeoJSON) that names photos and tells more of them; may be given "
    "more than once.  mapillary_image_description.json is found by itself.",
)  # fmt: skip
@click.option(
    "--no-pixels", is_flag=True,
    help="Read headers only: cut-off, blurred and near-duplicate photos are not found.",
)  # fmt: skip
@click.option(
    "--min-sharpness", type=click.FloatRange(min=0), metavar="N",
    help="Photos below are blurred (variance of the Laplacian); 0 keeps all.  [default: 40]",
)  # fmt: skip
@click.option("--keep-duplicates", is_flag=True, help="Keep photos that look like an earlier one.")
@click.option(
    "--time-zone", metavar="NAME",
    help="Time zone of cameras whose photos tell none, as Europe/Berlin.",
)  # fmt: skip
@click.option("--source", metavar="TEXT", help="Fill the column `source`.")
@click.option("--licence", metavar="TEXT", help="Fill the column `licence`.")
@click.option(
    "--views", type=click.IntRange(min=1), metavar="N",
    help="Cut each panorama into N flat views, evenly all around, into <output>.views.",
)  # fmt: skip
@click.option(
    "--fov", type=click.FloatRange(min=1, max=150), metavar="DEG",
    help="Field of view of the views.  [default: 360 / N, within 60 and 120]",
)  # fmt: skip
@click.option(
    "--view-size", type=click.IntRange(min=8), metavar="PX",
    help="Pixels a side of the views.  [default: the panorama's detail]",
)  # fmt: skip
@options.column_options
@options.max_bad_option
@options.limit_option
@options.jobs_option
@options.json_option
@options.overwrite_option
@options.dry_run_option
@options.quiet_option
def command(
    folders: tuple[Path, ...],
    output: Path | None,
    format_: str | None,
    as_json: bool,  # noqa: FBT001 - click hands options over by name
    dry_run: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Scan FOLDERS of photos (JPEG, HEIC, PNG, WebP, TIFF) for where, when and where to.

    \b
    Examples:
      gair photos walk/ -o photos.parquet
      gair photos walk/ --sidecar positions.csv --time-zone Europe/Berlin -o photos.parquet
      gair photos panoramas/ --views 4 --fov 90 -o photos.parquet
      gair photos walk/ -f csv | head

    Read are EXIF (position, heading, date, orientation, accuracy) and XMP (panoramas and their
    heading). Photos without a usable position, at 0, 0, with exchanged or wrong hemispheres, dated
    in the future, unreadable, blurred or alike an earlier one are listed in
    <output>.rejected.parquet with the reason. An interrupted scan goes on where it stopped.
    """  # noqa: D301 - click's marker of text to leave as it is
    overwrite, jobs = given.pop("overwrite"), given.pop("jobs")
    scan_options = _options(given)
    if dry_run:
        _say_plan(folders, scan_options)
    elif output is None or str(output) == "-":
        _to_stdout(folders, scan_options, format_, jobs)
    else:
        from gair_cli.geo.photo_table import photos_to_file
        from gair_cli.geo.writers import format_of

        with _steps() as step:
            outcome = photos_to_file(
                folders, output, scan_options, format_=format_of(output, format_),
                overwrite=overwrite, jobs=jobs, progress=step,
            )  # fmt: skip
        _finish(outcome, output, as_json=as_json)


def _options(given: dict[str, Any]) -> ScanOptions:
    from gair_cli.errors import UsageError
    from gair_cli.geo.panoramas import ViewOptions
    from gair_cli.geo.photo_scan import LEAST_SHARPNESS, MOST_BITS, ScanOptions

    views, fov, size = (given.pop(name) for name in ("views", "fov", "view_size"))
    if views is None and (fov is not None or size is not None):
        raise UsageError("--fov and --view-size are of views", hint="pass --views N, too")
    least = given.pop("min_sharpness")
    given.pop("quiet")
    return ScanOptions(
        sidecars=given.pop("sidecars"),
        pixels=not given.pop("no_pixels"),
        least_sharpness=LEAST_SHARPNESS if least is None else least,
        most_bits=None if given.pop("keep_duplicates") else MOST_BITS,
        views=None if views is None else ViewOptions(views, fov, size),
        **given,
    )


class _steps:  # noqa: N801 - used as a function
    """Progress of one step after another."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Callable[[int, str], Advance]:
        return self._begin

    def _begin(self, count: int, what: str) -> Advance:
        from gair_cli.commands.streams import progress

        self._stack.close()
        return self._stack.enter_context(progress(count or None, what, unit="photos"))

    def __exit__(self, *_error: object) -> None:
        self._stack.close()


def _say_plan(folders: tuple[Path, ...], scan_options: ScanOptions) -> None:
    from collections import Counter

    from gair_cli.commands.streams import say
    from gair_cli.geo.photo_scan import scan

    with _steps() as step:
        scanned = scan(folders, scan_options, progress=step(0, "headers"))
    counts = Counter(reason for reason in scanned.reasons if reason is not None)
    say(f"{scanned.frame.height:,} photos, {scanned.told:,} named by sidecars")
    rejected = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
    say(f"rejected by their headers: {rejected or 'none'}")
    say("nothing was written")


def _to_stdout(
    folders: tuple[Path, ...], scan_options: ScanOptions, format_: str | None, jobs: int | None
) -> None:
    from gair_cli.commands.streams import output_frame, stdout_format
    from gair_cli.geo.geoparquet import points_metadata
    from gair_cli.geo.photo_table import photos_in_memory, refuse_bad

    if format_ is not None or not sys.stdout.isatty():
        stdout_format(format_)
    table, report = photos_in_memory(folders, scan_options, jobs=jobs)
    output_frame(table, None, format_, metadata={"geo": points_metadata(table)})
    _tell(report)
    refuse_bad(report, None)


def _finish(outcome: PhotoOutcome, output: Path, *, as_json: bool) -> None:
    """Print what was done; photos at fault end in exit code 5."""
    from gair_cli.commands.streams import say, wrote
    from gair_cli.geo.photo_table import refuse_bad

    report = outcome.report
    if report is None:
        say(f"nothing to do: {output} is there already, from the same photos and options")
        return
    _tell(report)
    if as_json:
        click.echo(json.dumps(asdict(report)))
    if outcome.views is not None:
        say(f"wrote {outcome.views} (views of panoramas)")
    if outcome.rejected is not None:
        say(f"wrote {outcome.rejected} (rejected photos with reasons)")
    wrote(output, f"gair pair {output} --tiles tiles -o pairs.parquet")
    refuse_bad(report, outcome.rejected)


def _tell(report: PhotoReport) -> None:
    from gair_cli.commands.streams import say, warn
    from gair_cli.geo.photo_table import lines_of, notes_of

    for line in lines_of(report):
        say(line)
    for note in notes_of(report):
        warn(note)
