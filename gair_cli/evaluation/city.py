"""The city protocol: retrieval between photos and places, and how finely a place is known.

Photos look for the satellite embedding at their own position and the other way round; the position
is displaced by 20, 50 and 100 m, replaced by the whole tile's mean, and looked for on a grid. A
model that reads footprints is asked twice where a position is displaced: with the radius that it
would have been given had nobody known, and with the distance as its radius.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.evaluation import bootstrap
from gair_cli.evaluation.bootstrap import Interval
from gair_cli.evaluation.place_reader import PlaceReader, displaced, grid_positions
from gair_cli.evaluation.retrieval import CHANCE, Gallery, chance_scores, direction_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gair_cli.evaluation.report import Score

    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]
    Ints = NDArray[np.int64]

SHIFTS_M: Final = (20.0, 50.0, 100.0)
GRID_STEP_M: Final = 20.0
FOUND_WITHIN_M: Final = 50.0
IN_OWN_TILE: Final = "SV->place in own tile"
LOCATED: Final = f"within {FOUND_WITHIN_M:g} m on a {GRID_STEP_M:g} m grid"
AT_PHOTO: Final = "at the photo"
TILE_MEAN: Final = "tile mean"


@dataclass(frozen=True, slots=True)
class CityPhotos:
    """The photos of an evaluation, N rows.

    Attributes:
        sv: (N, D) joint photo embeddings.
        xy: (N, 2) position in the tile.
        tile_of: (N,) number of the tile in the reader.
        radius_m: (N,) radius of the query.
    """

    sv: Vectors
    xy: Floats
    tile_of: Ints
    radius_m: Floats


def city_scores(
    reader: PlaceReader,
    photos: CityPhotos,
    gallery: Gallery,
    *,
    shifts_m: Sequence[float] = SHIFTS_M,
) -> list[Score]:
    """Score SV->RS and RS->SV with exact, displaced and tile-mean queries.

    Args:
        reader: Tokens of the photos' tiles.
        photos: Embeddings and positions.
        gallery: Places and draws of the same rows.
        shifts_m: Distances of displaced queries.

    Returns:
        Scores of both directions by query, the share of photos located in their own tile, chance.
    """
    places = {AT_PHOTO: reader.read(photos.xy, photos.tile_of, radius_m=photos.radius_m)}
    size_m = reader.size_m[photos.tile_of]
    for shift in shifts_m:
        moved = displaced(photos.xy, size_m, shift_m=shift, seed=gallery.source.seed)
        places[moved_by(shift)] = reader.read(moved, photos.tile_of, radius_m=photos.radius_m)
        if reader.reads_footprints:
            told = np.maximum(photos.radius_m, shift)
            places[told_by(shift)] = reader.read(moved, photos.tile_of, radius_m=told)
    places[TILE_MEAN] = reader.tile_means(photos.tile_of)
    scores = both_ways(photos.sv, places, gallery, names=("SV", "RS"))
    return [*scores, *located_scores(reader, photos, gallery)]


def both_ways(
    first: Vectors, others: dict[str, Vectors], gallery: Gallery, *, names: tuple[str, str]
) -> list[Score]:
    """Score `first` against each of `others` in both directions, with chance at the end.

    Args:
        first: (N, D) joint embeddings.
        others: (N, D) joint embeddings by method.
        gallery: Places and draws of the rows.
        names: What the two sides are called.
    """
    there, back = f"{names[0]}->{names[1]}", f"{names[1]}->{names[0]}"
    scores = []
    for method, items in others.items():
        scores += direction_scores(first, items, gallery, task=there, method=method)
        scores += direction_scores(items, first, gallery, task=back, method=method)
    for task in (there, back):
        scores += chance_scores(gallery, task=task)
    return scores


def located_scores(reader: PlaceReader, photos: CityPhotos, gallery: Gallery) -> list[Score]:
    """Score the share of photos (percent) found within 50 m in their own tile on a 20 m grid.

    Returns:
        The share, and that of a random point of the grid.
    """
    metres, by_chance = np.empty(len(photos.xy)), np.empty(len(photos.xy))
    for tile in np.unique(photos.tile_of):
        rows = np.flatnonzero(photos.tile_of == tile)
        radius, size = float(np.median(photos.radius_m[rows])), reader.size_m[tile]
        found = reader.locate(photos.sv[rows], int(tile), step_m=GRID_STEP_M, radius_m=radius)
        metres[rows] = _distances(found, photos.xy[rows], size)
        grid = grid_positions(size, GRID_STEP_M)
        near = [(_distances(grid, xy, size) <= FOUND_WITHIN_M).mean() for xy in photos.xy[rows]]
        by_chance[rows] = near
    share = bootstrap.mean_interval(metres <= FOUND_WITHIN_M, gallery.draws)
    chance = float(by_chance.mean())
    found_by = {
        AT_PHOTO: Interval(100.0 * share.value, 100.0 * share.low, 100.0 * share.high),
        CHANCE: Interval(100.0 * chance, np.nan, np.nan),
    }
    return [
        gallery.score(interval, task=IN_OWN_TILE, method=method, metric=LOCATED)
        for method, interval in found_by.items()
    ]


def _distances(first: Floats, second: Floats, size_m: Floats) -> Floats:
    """Metres (N,) between positions (N, 2) in one tile; `second` may be one position (2,)."""
    offset = (first - second) / 2.0 * size_m
    return np.hypot(offset[:, 0], offset[:, 1])


def moved_by(shift_m: float) -> str:
    """Name the queries that are displaced by a distance."""
    return f"moved {shift_m:g} m"


def told_by(shift_m: float) -> str:
    """Name the queries that are displaced by a distance and told so."""
    return f"moved {shift_m:g} m, radius told"
