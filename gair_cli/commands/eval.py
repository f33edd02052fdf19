"""`gair eval`: score embeddings and models on labels and on photo-place retrieval."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options
from gair_cli.commands.streams import progress, say, wrote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gair_cli.geo.columns import ColumnNames


@click.group("eval")
def command() -> None:
    """Score embeddings and models beside the baselines they have to beat.

    \b
    Examples:
      gair eval points airports.csv --target elevation
      gair eval points labels.csv --target price --embeddings emb.parquet --block 2km
      gair eval retrieval pairs.parquet --tiles tiles --model run -o results.json
    """  # noqa: D301 - click's marker of text to leave as it is


_block_option = click.option(
    "--block",
    metavar="2km|0.5deg",
    help="Edge of the spatial blocks.  [default: 10deg for a global table, else by its extent]",
)
_draws_option = click.option(
    "--draws",
    type=click.IntRange(min=10),
    default=1000,
    show_default=True,
    help="Bootstrap draws of whole blocks, for the intervals.",
)
_results_option = options.output_option(required=False, help_text="JSON file for the results.")


@command.command("points")
@click.argument("labels")
@click.option("--target", "targets", multiple=True, required=True, help="Label column; repeatable.")
@click.option("--embeddings", type=options.PATH, help="Output of `gair embed`, joined by id.")
@options.model_option
@click.option(
    "--task",
    type=click.Choice(["auto", "regression", "classification"]),
    default="auto",
    show_default=True,
    help="Kind of all targets.",
)
@click.option(
    "--probe",
    type=click.Choice(["ridge", "logistic", "knn"]),
    default="ridge",
    show_default=True,
    help="For classes ridge is one-hot.",
)
@_block_option
@click.option("--folds", type=click.IntRange(min=3), default=5, show_default=True)
@click.option(
    "--fold-column", "fold_columns", multiple=True, help="Column with given folds; repeatable."
)
@click.option(
    "--min-class-rows",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Leave out classes with fewer rows.",
)
@_draws_option
@options.limit_option
@options.seed_option()
@options.column_options
@options.crs_option
@options.max_bad_option
@options.batch_size_option
@options.device_option
@_results_option
@options.overwrite_option
@options.json_option
@options.quiet_option
def points(labels: str, names: ColumnNames, **given: Any) -> None:
    """Score embeddings of places on columns of LABELS, under random and block folds.

    Without --embeddings the model's location tower is used, in its `encoder` space, and the same
    tower untrained stands beside it; without --model it is the packaged earth-tiny.

    \b
    Example:
      gair eval points houses.csv --lon-column x --lat-column y --target price
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.evaluation.points_run import PointsRequest, run_points

    request = PointsRequest(labels=labels, names=names, **_request_fields(given))
    _run(request, run_points, given)


@command.command("retrieval")
@click.argument("pairs", type=options.PATH)
@click.option("--tiles", type=options.PATH, required=True, help="Tile set of the pairs.")
@options.model_option
@click.option("--split", default="test", show_default=True, help="Split to score; `all` for all.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Photos drawn at random, by the seed.",
)
@click.option(
    "--shift",
    "shifts_m",
    type=click.FloatRange(min=0),
    multiple=True,
    default=(20.0, 50.0, 100.0),
    show_default=True,
    help="Metres by which the satellite query is displaced; repeatable.",
)
@options.radius_option
@_block_option
@_draws_option
@options.seed_option()
@options.photos_root_option
@options.batch_size_option
@options.device_option
@_results_option
@options.overwrite_option
@options.json_option
@options.quiet_option
def retrieval(pairs: Path, tiles: Path, **given: Any) -> None:
    """Find each photo's place among all places, and each place's photo, on PAIRS.

    Places are the satellite embedding at the photo's position and, where the model has the tower,
    the location embedding. Displaced queries stay inside the photo's own tile.

    \b
    Example:
      gair eval retrieval pairs.parquet --tiles tiles --model run
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.evaluation.retrieval_run import RetrievalRequest, run_retrieval

    request = RetrievalRequest(pairs=pairs, tiles=tiles, **_request_fields(given))
    _run(request, run_retrieval, given)


def _request_fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a library request has, under the same names."""
    streams = ("output", "overwrite", "as_json", "quiet")
    return {name: value for name, value in given.items() if name not in streams}


def _run(request: Any, score: Callable[..., Any], given: dict[str, Any]) -> None:
    """Score, and send the results where they belong.

    With an output the record is the file and the table a summary on stderr; else the table, or
    with `--json` the record, is stdout's data.
    """
    from gair_cli.evaluation.results import has_results, write_results

    output = None if str(given["output"]) == "-" else given["output"]
    plan = request.plan() if output is not None else {}
    if output is not None and has_results(output, plan, overwrite=given["overwrite"]):
        say(f"nothing to do: {output} holds these results already")
        return
    with progress(None, "evaluating", unit="steps") as advance:
        report = score(request, progress=advance)
    for line in report.notes:
        say(line)
    text = json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n"
    if output is not None:
        write_results(output, text, plan)
        say(report.to_text())
        wrote(output)
    as_record = given["as_json"] or given["output"] is not None
    if output is None or given["as_json"]:
        click.echo(text if as_record else report.to_text(), nl=not as_record)
