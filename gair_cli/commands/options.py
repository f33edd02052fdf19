"""Every option that more than one command has, stated once: name, spelling, help, default."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
PATH = click.Path(path_type=Path)


def output_option(*, required: bool = True, help_text: str = "Where to write.") -> Callable[[F], F]:
    """`-o/--output PATH`."""
    return click.option("-o", "--output", type=PATH, required=required, help=help_text)


def format_option(*choices: str) -> Callable[[F], F]:
    """`-f/--format`, one of the given names; None means: by the output's name."""
    return click.option(
        "-f",
        "--format",
        "format_",
        type=click.Choice(choices),
        help="Output format; default: by the name, Arrow on a pipe, a short table on a terminal.",
    )


overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace an output made from other inputs or options."
)
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Say what would be done, write nothing."
)
jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    envvar="GAIR_JOBS",
    help="Threads or processes to use; default: all cores.",
)
device_option = click.option(
    "--device",
    default="auto",
    envvar="GAIR_DEVICE",
    show_default=True,
    help="auto, cpu, cuda, cuda:1 or mps.",
)
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Number type of the vectors.",
)
wide_dtype_option = click.option(
    "--dtype",
    type=click.Choice(["float32", "float64", "float16"]),
    default="float32",
    show_default=True,
    help="Number type of the encodings.",
)
keep_columns_option = click.option(
    "--keep-columns",
    "columns",
    metavar="all|none|A,B",
    help="Which of your columns to carry along.  [default: all]",
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(min=1), help="Rows a step; default: by the model's size."
)
limit_option = click.option("--limit", type=click.IntRange(min=1), help="Use the first rows only.")
model_option = click.option(
    "-m",
    "--model",
    envvar="GAIR_MODEL",
    help="Model or run folder, or the name of a packaged model.",
)
space_option = click.option(
    "--space",
    type=click.Choice(["joint", "encoder"]),
    default="joint",
    show_default=True,
    help="joint: comparable across modalities; encoder: each tower's own output, for probes.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
bbox_option = click.option(
    "--bbox", metavar="W,S,E,N", callback=lambda _c, _p, text: parse_bbox(text), help="Degrees."
)
region_option = click.option(
    "--region", type=PATH, metavar="FILE", help="Polygons: GeoJSON, GeoParquet, GPKG, shapefile."
)
res_option = click.option(
    "--res", type=click.FloatRange(min=0, min_open=True), help="Pixel size in metres."
)
radius_option = click.option(
    "--radius",
    type=click.FloatRange(min=0),
    help="Radius of the query in metres; default: the table's h_accuracy_m, else 0.",
)
config_option = click.option(
    "--config", type=PATH, help="TOML file with [model] and [recipe] tables."
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="One setting, such as recipe.lr=1e-3; may be repeated.",
)
max_bad_option = click.option(
    "--max-bad",
    type=click.FloatRange(min=0),
    help="Bad rows tolerated: a share below 1, or a number.  [default: 1 %, at least 10 rows]",
)
photos_root_option = click.option(
    "--photos-root", type=PATH, help="Folder of relative photo paths; default: the table's own."
)
yes_option = click.option("--yes", is_flag=True, help="Go on without asking.")
crs_option = click.option(
    "--crs", metavar="EPSG:n", help="CRS of the coordinates, when not longitude and latitude."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")


report_option = click.option(
    "--report", type=PATH, metavar="FILE", help="Write the report of the split as JSON."
)
map_option = click.option(
    "--map", "picture", type=PATH, metavar="FILE", help="Draw a map of the split, a PNG."
)


def _fractions(
    _context: click.Context, _option: click.Parameter, text: str
) -> tuple[float, float, float]:
    try:
        train, val, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not three numbers such as 0.8,0.1,0.1") from error
    if min(train, val, test) < 0 or abs(train + val + test - 1) > 1e-6:  # noqa: PLR2004 - rounding
        raise click.BadParameter(f"{text}: shares of train, val and test add up to 1")
    return train, val, test


fractions_option = click.option(
    "--fractions", "--split", "fractions", default="0.8,0.1,0.1", show_default=True,
    metavar="TRAIN,VAL,TEST", callback=_fractions, help="Shares of the splits, drawn by block.",
)  # fmt: skip


def block_option(default: str) -> Callable[[F], F]:
    """`--block KIND`; None means the default, which is told."""
    return click.option(
        "--block",
        metavar="SIZE|kmeans:K|column:NAME",
        help="What a split is drawn for: 2km or 500m in the UTM zone, 0.5deg, places around K "
        f"centres as kmeans:50, or a column as column:city.  [default: {default}]",
    )


def buffer_option(help_text: str) -> Callable[[F], F]:
    """`--buffer METRES`; None means the default, which the help tells."""
    return click.option(
        "--buffer", "buffer_m", type=click.FloatRange(min=0), metavar="METRES", help=help_text
    )


def seed_option(default: int = 0) -> Callable[[F], F]:
    """`--seed N`."""
    return click.option("--seed", type=int, default=default, show_default=True, help="Random seed.")


def column_options(function: F) -> F:
    """Add the six column flags, handed on as one `names: ColumnNames`."""

    @wraps(function)
    def wrapper(**arguments: Any) -> Any:
        from gair_cli.geo.columns import ColumnNames

        given = {name: arguments.pop(f"{name}_column") for name in reversed(_COLUMNS)}
        return function(names=ColumnNames(**given), **arguments)

    decorated: Any = wrapper
    for name, text in _COLUMNS.items():
        decorated = click.option(f"--{name}-column", metavar="NAME", help=text)(decorated)
    return decorated  # type: ignore[no-any-return]


_COLUMNS = {
    "split": "Column with the user's own split.",
    "id": "Column of the ids.",
    "heading": "Column of headings, degrees clockwise from north.",
    "path": "Column of photo paths.",
    "lat": "Column of latitudes.",
    "lon": "Column of longitudes.",
}


def parse_bbox(text: str | None) -> tuple[float, float, float, float] | None:
    """Parse `W,S,E,N` in degrees; a box over the antimeridian has west > east.

    Raises:
        click.BadParameter: If it is not four numbers with south < north.
    """
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not W,S,E,N: four numbers in degrees") from error
    if not south < north:
        raise click.BadParameter(f"south {south:g} is not below north {north:g}")
    return west, south, east, north
