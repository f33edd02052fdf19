"""The pairing probe: without any training, do photos look like the pixels at their positions?

A ridge regression in closed form from the satellite pixels around a photo's position to the
photo's mean colours is scored on held-out blocks, each block once: at the given positions, and at
positions that are mirrored, have their axes swapped, or are shifted. Right pairs score clearly
above all of these. The upper third of a photo is left out: it is sky, whose colour the ground does
not tell.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError, InputError
from gair_cli.geo.locator import tile_metres
from gair_cli.geo.photos import read_jpeg
from gair_cli.geo.ridge import fit_ridge, r2_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.geo.tileset import TileSet

RADII_PX: Final = (0, 1, 2, 4, 8)
"""The pixels around a position are averaged over squares of 1, 3, 5, 9 and 17 pixels."""

SHIFT_M: Final = 100.0
DEFAULT_PHOTOS: Final = 5000
FEWEST_PHOTOS: Final = 50
_SHORT_SIDE: Final = 48
_THIRDS: Final = 3
_TILES_AT_ONCE: Final = 64
_PHOTOS_AT_ONCE: Final = 256
_FOLDS: Final = 10


@dataclass(frozen=True, slots=True)
class ProbeScores:
    """Held-out R2, averaged over the colours, for each kind of position.

    Attributes:
        given: At the positions of the pair table.
        mirrored_x: With x negated (columns run the other way).
        mirrored_y: With y negated (rows run the other way).
        swapped: With x and y exchanged.
        shifted: 100 m away, towards the middle of the tile.
        photos: Photos looked at; each is scored once, by a regression that has not seen it.
        by: What is held out together: `block`, `tile` (with few blocks) or `photo` (few tiles).
        unreadable: Photos that could not be decoded and are left out.
    """

    given: float
    mirrored_x: float
    mirrored_y: float
    swapped: float
    shifted: float
    photos: int
    by: str
    unreadable: int


def probe_pairs(
    pairs: pl.DataFrame,
    tiles: TileSet,
    *,
    folder: Path,
    limit: int = DEFAULT_PHOTOS,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> ProbeScores:
    """Score the positions of a pair table.

    Args:
        pairs: Pair table.
        tiles: The tile set it was made with.
        folder: Where relative photo paths start.
        limit: Look at this many photos at most, drawn with `seed`.
        seed: Of the draw.
        progress: Called with the number of photos done.

    Returns:
        The scores.

    Raises:
        DataError: If too few photos can be read or held out, or a tile is not in the tile set.
    """
    chosen = _sample(pairs, limit, seed)
    colours = _colours([folder / path for path in chosen["path"]], progress)
    readable = np.isfinite(colours).all(axis=1)
    chosen, colours = chosen.filter(pl.Series(readable)), colours[readable]
    if chosen.height < FEWEST_PHOTOS:
        raise DataError(
            f"{chosen.height} readable photos are too few for the probe",
            hint=f"it takes {FEWEST_PHOTOS}",
        )
    rows = tile_rows(chosen, tiles.index)
    folds, by = _folds(chosen, seed)
    half_m = tile_metres(tiles.index)[rows] / 2
    variants = _variants(chosen.select("x", "y").to_numpy(), SHIFT_M / np.maximum(half_m, 1e-9))
    pixels = _pixels(tiles, rows, list(variants.values()))
    scores = {
        name: _score(features, colours, folds)
        for name, features in zip(variants, pixels, strict=True)
    }
    shifted = (scores.pop("shifted_x") + scores.pop("shifted_y")) / 2
    return ProbeScores(
        **scores, shifted=shifted, photos=chosen.height, by=by, unreadable=int((~readable).sum())
    )


def _score(
    features: NDArray[np.float64], colours: NDArray[np.float64], folds: NDArray[np.int64]
) -> float:
    """Return the mean R2 over colours of (N, F) features, each fold predicted by the others."""
    usable = np.isfinite(features).all(axis=1)
    predicted = np.full_like(colours, np.nan)
    for fold in range(_FOLDS):
        held, fit = usable & (folds == fold), usable & (folds != fold)
        if held.any():
            inner = (folds[fit] + 1) % _FOLDS == fold  # one other fold picks the strength
            model = fit_ridge(features[fit], colours[fit], inner=inner)
            predicted[held] = model(features[held])
    return float(r2_scores(colours[usable], predicted[usable]).mean())


def _sample(pairs: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    if "path" not in pairs.columns or pairs["path"].null_count() == pairs.height:
        raise DataError("the pairs name no photo files", hint="pair a table with a path column")
    known = pairs.filter(pl.col("path").is_not_null())
    if known.height <= limit:
        return known
    rows = np.random.default_rng(seed).choice(known.height, limit, replace=False)
    return known[np.sort(rows)]


def tile_rows(pairs: pl.DataFrame, index: pl.DataFrame) -> NDArray[np.int64]:
    """Return the row of the tile index for each pair.

    Raises:
        DataError: If a tile is not there.
    """
    numbers = index.select("tile_id", pl.int_range(pl.len()).alias("row"))
    rows = pairs.select("tile_id").join(numbers, on="tile_id", how="left", maintain_order="left")
    if rows["row"].null_count():
        missing = rows.filter(pl.col("row").is_null())["tile_id"]
        raise DataError(
            f"{len(missing)} pairs name tiles that the tile set does not have ({missing[0]})",
            hint="give the tile set that the pairs were made with, or run gair pair again",
        )
    return rows["row"].to_numpy().astype(np.int64)


def _folds(pairs: pl.DataFrame, seed: int) -> tuple[NDArray[np.int64], str]:
    """Deal blocks into folds; tiles where there are few blocks, photos where there are few tiles.

    Returns:
        (N,) fold, and what was dealt.
    """
    for name, by in (("block", "block"), ("tile_id", "tile")):
        if name in pairs.columns and pairs[name].n_unique() >= _FOLDS:
            groups = pairs[name].fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
            return _deal(groups, seed), by
    return _deal(np.arange(pairs.height), seed), "photo"


def _deal(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    dealt = np.random.default_rng(seed).permutation(int(groups.max()) + 1) % _FOLDS
    return np.asarray(dealt[groups], np.int64)


def _variants(
    xy: NDArray[np.float64], shift: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the positions to compare; `shift` (N, 2) is 100 m in tile units."""
    inward = -np.where(xy >= 0, 1.0, -1.0) * shift
    moved = [np.clip(xy + inward * axis, -1, 1) for axis in ([1.0, 0.0], [0.0, 1.0])]
    return {
        "given": xy,
        "mirrored_x": xy * [-1.0, 1.0],
        "mirrored_y": xy * [1.0, -1.0],
        "swapped": xy[:, ::-1],
        "shifted_x": moved[0],
        "shifted_y": moved[1],
    }


def _pixels(
    tiles: TileSet, rows: NDArray[np.int64], positions: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Return (N, bands * radii) features for each set of positions; NaN next to no valid pixel."""
    width = len(tiles.info.bands) * len(RADII_PX)
    out = [np.full((len(rows), width), np.nan) for _ in positions]
    used = np.unique(rows)
    for start in range(0, len(used), _TILES_AT_ONCE):
        part = used[start : start + _TILES_AT_ONCE]
        for tile, array in zip(part.tolist(), tiles.read(part.tolist()), strict=True):
            padded = _padded(array, tiles.info.nodata)
            here = np.flatnonzero(rows == tile)
            for features, xy in zip(out, positions, strict=True):
                for piece in np.array_split(here, -(-len(here) // _PHOTOS_AT_ONCE)):
                    features[piece] = _around(padded, xy[piece])
    return out


def _padded(array: NDArray[np.generic], nodata: float | None) -> NDArray[np.float64]:
    """Return (C + 1, H + 16, W + 16): pixels, 0 where any band has none, and 1 where all have."""
    values = array.astype(np.float64)
    empty = ~np.isfinite(values)
    if nodata is not None:
        empty |= values == nodata
    valid = ~empty.any(axis=0, keepdims=True)
    whole = np.concatenate([np.where(valid, values, 0.0), valid])
    margin = RADII_PX[-1]
    return np.pad(whole, ((0, 0), (margin, margin), (margin, margin)))


def _around(padded: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average valid pixels over squares about (n, 2) positions: (n, radii * C)."""
    margin = RADII_PX[-1]
    side = 2 * margin + 1
    size = np.array(padded.shape[:0:-1]) - 2 * margin  # (2,) width, height
    cell = np.clip(np.floor((xy + 1) / 2 * size).astype(np.int64), 0, size - 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    found = windows[:, cell[:, 1], cell[:, 0]]  # (C + 1, n, side, side)
    means = []
    for radius in RADII_PX:
        inner = slice(margin - radius, margin + radius + 1)
        total = found[:, :, inner, inner].sum(axis=(2, 3))
        means.append(np.where(total[-1] > 0, total[:-1] / np.maximum(total[-1], 1), np.nan).T)
    return np.concatenate(means, axis=1)


def _colours(paths: Sequence[Path], progress: Callable[[int], None] | None) -> NDArray[np.float64]:
    """Return (N, 6) mean RGB of the middle and the lower third; NaN for unreadable photos."""
    colours = np.full((len(paths), 2 * 3), np.nan)
    with ThreadPoolExecutor() as pool:
        for row, found in enumerate(pool.map(_colour, paths)):
            if found is not None:
                colours[row] = found
            if progress is not None:
                progress(1)
    return colours


def _colour(path: Path) -> NDArray[np.float64] | None:
    try:
        image = read_jpeg(path, short_side=_SHORT_SIDE)
    except InputError:
        return None
    thirds = np.array_split(image, _THIRDS, axis=0)[1:]
    return np.concatenate([third.reshape(-1, 3).mean(axis=0) for third in thirds])
