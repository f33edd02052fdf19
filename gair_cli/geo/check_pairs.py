"""Verdicts on a pair table: do positions, tiles, splits and photos fit together?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError, InputError
from gair_cli.geo.buffers import shared_tiles
from gair_cli.geo.check_tiles import sample_rows
from gair_cli.geo.locator import position_in_tiles, tile_metres
from gair_cli.geo.probe import ProbeScores, probe_pairs, tile_rows
from gair_cli.geo.verdicts import Progress, Verdict, counted, fail, ok, warn

if TYPE_CHECKING:
    from gair_cli.geo.tileset import TileSet

NEEDED: Final = ("sample_id", "photo_id", "tile_id", "lon", "lat", "x", "y", "split")
_AGAIN: Final = "run gair pair again with this tile set"
_PATHS_LOOKED_AT: Final = 1000
_FAR_M: Final = 1.0
_YEAR_DAYS: Final = 365.0
_EMPTY_SCORE: Final = 0.02
_NEAR_SCORE: Final = 1 / 3


def check_pairs(pairs: pl.DataFrame, *, folder: Path) -> list[Verdict]:
    """Judge a pair table by itself.

    Args:
        pairs: The table.
        folder: Where its relative photo paths start.

    Returns:
        Verdict lines in a fixed order.
    """
    missing = [name for name in NEEDED if name not in pairs.columns]
    if missing:
        return [fail("columns", f"missing: {', '.join(missing)}", "make the table with gair pair")]
    if not pairs.height:
        return [fail("pairs", "the table has no rows", "do the tiles cover the photos?")]
    tiles = pairs["tile_id"].n_unique()
    repeated = pairs.height - pairs["sample_id"].n_unique()
    return [
        ok("pairs", f"{pairs.height:,} pairs of {tiles:,} tiles"),
        counted(
            repeated,
            pairs.height,
            subject="ids",
            what="repeated sample ids",
            fix="keep each photo of a tile once",
        ),
        _inside(pairs),
        _splits(pairs),
        _leaks(pairs),
        _photos(pairs, folder),
        _headings(pairs),
        _dates(pairs),
    ]


def check_pairs_with_tiles(pairs: pl.DataFrame, tiles: TileSet) -> list[Verdict]:
    """Judge a pair table against its tile set: tiles, positions, ground shared between splits."""
    try:
        rows = tile_rows(pairs, tiles.index)
    except DataError as error:
        return [fail("tiles", str(error), error.hint or _AGAIN)]
    return [_positions(pairs, tiles.index, rows), _shared(pairs, tiles.index, rows)]


def check_probe(
    pairs: pl.DataFrame,
    tiles: TileSet,
    *,
    folder: Path,
    limit: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Verdict, ProbeScores | None]:
    """Judge the positions by the pairing probe; the scores are None where it cannot be made."""
    try:
        scores = probe_pairs(pairs, tiles, folder=folder, limit=limit, seed=seed, progress=progress)
    except DataError as error:
        return warn("probe", str(error), error.hint or "give more photos"), None
    except InputError as error:
        return fail("probe", str(error), error.hint or "make the tile set again"), None
    return judge_probe(scores), scores


def judge_probe(scores: ProbeScores) -> Verdict:
    """Turn the probe's scores into a line."""
    others = {
        "x mirrored": scores.mirrored_x,
        "y mirrored": scores.mirrored_y,
        "axes swapped": scores.swapped,
    }
    name, best = max(others.items(), key=lambda item: item[1])
    detail = (
        f"R2 {scores.given:.3f} given, {scores.mirrored_x:.3f} x mirrored, "
        f"{scores.mirrored_y:.3f} y mirrored, {scores.swapped:.3f} axes swapped, "
        f"{scores.shifted:.3f} 100 m off ({scores.photos:,} photos, held out by {scores.by})"
    )
    if best > max(scores.given, 0.0) + _EMPTY_SCORE:
        fix = f"positions fit better with {name}: mend x and y, or the tiles' transforms"
        return fail("probe", detail, fix)
    if scores.given < _EMPTY_SCORE:
        return warn(
            "probe",
            detail,
            "photos do not look like the pixels at their positions: are these their coordinates?",
        )
    if best > _NEAR_SCORE * scores.given or scores.shifted > scores.given:
        return warn("probe", detail, "wrong positions score nearly as well: check coordinates")
    return ok("probe", detail)


def _inside(pairs: pl.DataFrame) -> Verdict:
    xy = pairs.select("x", "y").to_numpy()
    bad = int((~(np.abs(xy) <= 1)).any(axis=1).sum())
    return counted(bad, pairs.height, subject="inside", what="x or y beyond [-1, 1]", fix=_AGAIN)


def _splits(pairs: pl.DataFrame) -> Verdict:
    counts = dict(pairs["split"].fill_null("(none)").value_counts().sort("split").rows())
    detail = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    if "train" not in counts:
        return fail("splits", detail, "there is nothing to train on: use a smaller --block")
    if not {"val", "test"} & set(counts):
        return warn(
            "splits", detail, "nothing is held out: use a smaller --block or another --seed"
        )
    return ok("splits", detail)


def _leaks(pairs: pl.DataFrame) -> Verdict:
    tiles = pairs.group_by("tile_id").agg(pl.col("split").n_unique().alias("splits"))
    return counted(
        tiles.filter(pl.col("splits") > 1).height,
        tiles.height,
        subject="leakage",
        what="tiles that serve several splits",
        fix="let gair pair draw the split by block (without --split-column)",
        level="warn",
    )


def _photos(pairs: pl.DataFrame, folder: Path) -> Verdict:
    if "path" not in pairs.columns or pairs["path"].null_count() == pairs.height:
        return warn("photos", "no paths", "add a path column, or pass --photos-root to gair pair")
    paths = [pairs["path"][row] for row in sample_rows(pairs.height, _PATHS_LOOKED_AT)]
    absent = [path for path in paths if path is None or not (folder / Path(path)).is_file()]
    if absent:
        detail = f"{len(absent):,} of {len(paths):,} files are missing, such as {absent[0]}"
        return fail("photos", detail, "run gair pair again with --photos-root FOLDER")
    return ok("photos", f"{len(paths):,} files looked for, all there")


def _headings(pairs: pl.DataFrame) -> Verdict:
    if "heading" not in pairs.columns or not pairs["heading"].count():
        return ok("headings", "none (not needed by the default model)")
    heading = pairs["heading"].drop_nulls()
    bad = heading.len() - int(heading.is_between(0, 360).sum())
    fix = "give degrees clockwise from true north"
    what = "headings beyond 0 to 360"
    return counted(bad, heading.len(), subject="headings", what=what, fix=fix, level="warn")


def _dates(pairs: pl.DataFrame) -> Verdict:
    if "days_apart" not in pairs.columns or not pairs["days_apart"].count():
        return ok("dates", "unknown for photos or scenes")
    days = pairs["days_apart"].drop_nulls()
    far = int((days.abs() > _YEAR_DAYS).sum())
    fix = "use a scene of the photos' year"
    what = "photos more than a year from their scene"
    return counted(far, days.len(), subject="dates", what=what, fix=fix, level="warn")


def _positions(pairs: pl.DataFrame, index: pl.DataFrame, rows: np.ndarray) -> Verdict:
    """Compare x and y with those of lon and lat, in metres on the ground."""
    used, slot = np.unique(rows, return_inverse=True)
    tiles = index[used]
    lonlat = pairs.select("lon", "lat").to_numpy().astype(np.float64)
    stated = pairs.select("x", "y").to_numpy()
    meant = position_in_tiles(tiles, slot, lonlat)
    off_m = np.linalg.norm((meant - stated) * tile_metres(tiles)[slot] / 2, axis=1)
    bad = int((~(off_m <= _FAR_M)).sum())
    what = "positions more than 1 m from where lon and lat are in the tile"
    return counted(bad, len(rows), subject="positions", what=what, fix=_AGAIN)


def _shared(pairs: pl.DataFrame, index: pl.DataFrame, rows: np.ndarray) -> Verdict:
    used = pl.DataFrame({"row": rows, "split": pairs["split"].fill_null("")}).unique()
    shared = shared_tiles(index[used["row"].to_numpy()], used["split"].to_list())
    return counted(
        int(shared.sum()),
        used.height,
        subject="overlap",
        what="tiles that share ground with another split",
        fix="gair pair --buffer METRES keeps splits apart",
        level="warn",
    )
