"""`gair check`: judge a data set, pair table, shards, embeddings or model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.verdicts import Verdict

_PROBE_PHOTOS = 5000
_UNUSABLE = 4


@click.command("check")
@click.argument("path", type=options.PATH)
@click.option("--tiles", type=options.PATH, help="Tile set of a pair table: adds the probe.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_PROBE_PHOTOS,
    show_default=True,
    help="Photos that the pairing probe looks at.",
)
@options.photos_root_option
@options.seed_option()
@options.json_option
@options.quiet_option
def command(path: Path, as_json: bool, **given: Any) -> None:  # noqa: FBT001 - click hands options over by name
    """Judge PATH: a tile set, pair table, training shards, embedding file, model or run folder.

    \b
    Example:
      gair check pairs.parquet --tiles tiles

    One line a finding: ok, warn or fail, with the fix. With --tiles the pairing probe compares
    how well the pixels at the photos' positions, and at wrong ones, tell the photos' colours.
    Exit code 4 where something fails.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.geo.verdicts import worst

    given.pop("quiet")
    kind, verdicts, scores = _judge(path, **given)
    level = worst(verdicts)
    if as_json:
        lines = [verdict.to_dict() for verdict in verdicts]
        content = {"path": str(path), "kind": kind, "verdict": level, "findings": lines}
        click.echo(json.dumps(content | ({"probe": scores} if scores else {}), indent=2))
    else:
        click.echo(f"{path}: {kind}")
        for verdict in verdicts:
            click.echo(_line(verdict))
    if level == "fail":
        click.get_current_context().exit(_UNUSABLE)


def _line(verdict: Verdict) -> str:
    fix = f"\n      fix: {verdict.fix}" if verdict.fix else ""
    return f"{verdict.level:<4}  {verdict.subject}: {verdict.detail}{fix}"


def _judge(
    path: Path, *, tiles: Path | None, limit: int, photos_root: Path | None, seed: int
) -> tuple[str, list[Verdict], dict[str, Any] | None]:
    """Find out what a path is, and judge it: its kind, the lines, the probe's scores."""
    from gair_cli.geo.kinds import kind_of

    kind = kind_of(path)
    if kind == "pair table":
        folder = photos_root or path.absolute().parent
        return kind, *_judge_pairs(path, tiles, folder=folder, limit=limit, seed=seed)
    if tiles is not None:
        raise click.UsageError(f"--tiles is for a pair table; {path} is a {kind}")
    if kind == "tile set":
        from gair_cli.geo.check_tiles import check_tiles
        from gair_cli.geo.tileset import TileSet

        return kind, check_tiles(TileSet.open(path)), None
    if kind == "training shards":
        from gair_cli.geo.check_shards import check_shards
        from gair_cli.geo.shards import ShardReader

        with ShardReader(path) as shards:
            return kind, check_shards(shards), None
    if kind == "embedding table":
        from gair_cli.embedding.checks import check_embeddings
        from gair_cli.embedding.table import read_embeddings

        return kind, check_embeddings(read_embeddings(path)), None
    from gair_cli.models.checks import check_model
    from gair_cli.models.resolve import resolve_model

    return kind, check_model(resolve_model(path)), None


def _judge_pairs(
    path: Path, tiles: Path | None, *, folder: Path, limit: int, seed: int
) -> tuple[list[Verdict], dict[str, Any] | None]:
    from dataclasses import asdict

    from gair_cli.commands.streams import progress
    from gair_cli.geo.check_pairs import check_pairs, check_pairs_with_tiles, check_probe
    from gair_cli.geo.frames import read_frame
    from gair_cli.geo.tileset import TileSet

    pairs = read_frame(path)
    verdicts = check_pairs(pairs, folder=folder)
    if tiles is None or {"columns", "pairs"} & {v.subject for v in verdicts if v.level == "fail"}:
        return verdicts, None
    tile_set = TileSet.open(tiles)
    verdicts += check_pairs_with_tiles(pairs, tile_set)
    if "tiles" in {verdict.subject for verdict in verdicts}:
        return verdicts, None
    with progress(min(limit, pairs.height), "probing photos", unit="photos") as advance:
        verdict, scores = check_probe(
            pairs, tile_set, folder=folder, limit=limit, seed=seed, progress=advance
        )
    return [*verdicts, verdict], None if scores is None else asdict(scores)
