"""`gair search`: find places by photo, photos by place, and things alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.search.places import Query, SearchResult


@click.command("search")
@click.option("--photo", type=options.PATH, help="Look for what is close to a street photo.")
@click.option("--at", metavar="LON,LAT", help="Look for what is close to a place.")
@click.option("--similar-to", metavar="ID", help="Look for what is close to a row of the table.")
@click.option("--in", "table", type=options.PATH, required=True, help="Embedding table.")
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="Rows.")
@click.option("--tiles", type=options.PATH, help="With --at: read the satellite image there.")
@options.radius_option
@options.model_option
@options.device_option
@click.option("--map", "map_path", type=options.PATH, help="Draw a map: .html or .png.")
@options.output_option(required=False, help_text="The results; default: stdout.")
@options.format_option("parquet", "arrow", "csv", "geojsonl")
@options.json_option
@options.overwrite_option
@options.quiet_option
def command(
    table: Path,
    k: int,
    model: str | None,
    device: str,
    map_path: Path | None,
    overwrite: bool,  # noqa: FBT001 - click hands options over by name
    **given: Any,
) -> None:
    """Find the rows of an embedding table that are closest to a photo, a place or a row.

    \b
    Examples:
      gair search --photo street.jpg --in places.parquet --model run --map found.html
      gair search --at 13.40,52.52 --in photos.parquet --model run -f csv
      gair search --similar-to 0017 --in photos.parquet

    The search is exact: cosine against every row, ties in the table's order. The query is
    embedded by the model that made the table; another one is refused.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.commands.streams import say
    from gair_cli.geo.outputs import already_made, record_made
    from gair_cli.search.places import search_table

    query = _query(given)
    net, facts = None, None
    if query.similar_to is None:
        from gair_cli.api import load

        loaded = load(model, device=device)
        net, facts = loaded.net, loaded.facts
    plan = _plan(table, given, k=k, model=None if facts is None else facts.sha256)
    files = [path for path in (given["output"], map_path) if path and str(path) != "-"]
    missing = [path for path in files if not already_made(path, plan, overwrite=overwrite)]
    if given["output"] in files and not missing:
        say(f"nothing to do: {' and '.join(map(str, files))} there already, from the same search")
        return
    result = search_table(query, table, k=k, model=net, facts=facts)
    _show(result, table, **given)
    if map_path is not None and map_path in missing:
        _draw(result, table, map_path)
    for path in missing:
        record_made(path, plan)


def _plan(table: Path, given: dict[str, Any], *, k: int, model: str | None) -> dict[str, Any]:
    """Return what decides the results: the inputs' fingerprints and all options."""
    from gair_cli.geo.outputs import fingerprint

    inputs = {name: given[name] for name in ("photo", "tiles")}
    prints = {name: path and fingerprint(path) for name, path in inputs.items()}
    options_ = {name: given[name] for name in ("at", "similar_to", "radius", "format_")}
    return {"table": fingerprint(table), **prints, **options_, "k": k, "model": model}


def _query(given: dict[str, Any]) -> Query:

    from gair_cli.geo.tileset import TileSet
    from gair_cli.search.places import Query

    tiles: Path | None = given["tiles"]
    return Query(
        photo=given["photo"],
        at=_lonlat(given["at"]),
        similar_to=given["similar_to"],
        tiles=None if tiles is None else TileSet.open(tiles),
        radius_m=given["radius"] or 0.0,
    )


def _lonlat(text: str | None) -> tuple[float, float] | None:
    from gair_cli.errors import UsageError

    if text is None:
        return None
    parts = text.split(",")
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError as error:
        raise UsageError(f"--at {text!r} is not LON,LAT", hint="as in --at 13.40,52.52") from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):  # noqa: PLR2004 - degrees
        raise UsageError(f"--at {text}: out of range", hint="longitude comes first")
    return lon, lat


def _show(result: SearchResult, table: Path, **given: Any) -> None:
    from gair_cli.commands.streams import output_frame, say, wrote

    if given["as_json"]:
        click.echo(json.dumps(result.to_dict(), indent=2, default=str))
        return
    output: Path | None = given["output"]
    target = None if output is None or str(output) == "-" else output
    output_frame(result.table(source=table, output=target), target, given["format_"])
    if target is not None:
        wrote(target)
    elif result.frame.height:
        first = result.frame.row(0, named=True)
        say(f"best of {len(result.others)} rows: {first['id']} (cosine {first['score']:.4f})")


def _draw(result: SearchResult, table: Path, map_path: Path) -> None:
    from gair_cli.commands.streams import wrote
    from gair_cli.search.maps import write_map

    write_map(result, table.absolute().parent, map_path)
    wrote(map_path)
