"""Scores of retrieval between two sets of vectors whose rows belong together.

N queries and N gallery items; item i is the right answer to query i. Recalls and shares are in
percent, ranks count from 1, distances are metres on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.data.ranks import retrieval_standings
from gair_cli.evaluation import bootstrap
from gair_cli.evaluation.bootstrap import Interval
from gair_cli.geo.coordinates import great_circle_m

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.evaluation.report import Score, ScoreSource

    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]
    Ints = NDArray[np.int64]

RECALLS: Final = (1, 5, 10)
ACCURACY_M: Final = (25.0, 100.0, 1000.0)
CHANCE: Final = "chance"


@dataclass(frozen=True, slots=True)
class Gallery:
    """What retrieval knows of its N rows besides the vectors.

    Attributes:
        lonlat: (N, 2) degrees.
        tiles: (N,) number of each row's tile.
        draws: Bootstrap draws of the rows' spatial blocks.
        source: What all scores have in common.
        split: Name of the split.
    """

    lonlat: Floats
    tiles: Ints
    draws: bootstrap.BlockDraws
    source: ScoreSource
    split: str

    def __len__(self) -> int:
        return len(self.lonlat)

    def score(self, interval: Interval, *, task: str, method: str, metric: str) -> Score:
        """Make a score from an interval."""
        return self.source.score(
            interval, task=task, method=method, split=self.split, metric=metric, n=len(self)
        )


def direction_scores(
    queries: Vectors, items: Vectors, gallery: Gallery, *, task: str, method: str
) -> list[Score]:
    """Score one direction.

    Args:
        queries: (N, D), L2-normalised.
        items: (N, D), L2-normalised; row i answers query i.
        gallery: Places, tiles and draws of the rows.
        task: The direction, for example `SV->RS`.
        method: How the queries or items were made.

    Returns:
        R@1, R@5, R@10 among all items (percent); the median rank among all and among those of the
        query's own tile; the median distance from the top hit to the right place (metres), and the
        share of top hits within 25 m, 100 m and 1 km (percent).
    """
    among_all = retrieval_standings(queries, items)
    own = retrieval_standings(queries, items, groups=gallery.tiles)
    hits = top_hits(queries, items)
    metres = np.asarray(great_circle_m(gallery.lonlat, gallery.lonlat[hits]), dtype=np.float64)
    found = {f"R@{k}": _share(among_all.found_within(k), gallery) for k in RECALLS}
    found["median rank"] = _median(among_all.ranks, gallery)
    found["rank in own tile"] = _median(own.ranks, gallery)
    found["median m"] = _median(metres, gallery)
    for limit in ACCURACY_M:
        found[f"within {limit:g} m"] = _share(metres <= limit, gallery)
    return [
        gallery.score(interval, task=task, method=method, metric=metric)
        for metric, interval in found.items()
    ]


def chance_scores(gallery: Gallery, *, task: str) -> list[Score]:
    """Return what a random order of the items would score, which needs no interval."""
    n = len(gallery)
    sizes = np.bincount(gallery.tiles)[gallery.tiles]
    found = {f"R@{k}": 100.0 * min(k / n, 1.0) for k in RECALLS}
    found["median rank"] = (n + 1) / 2.0
    found["rank in own tile"] = float(np.median((sizes + 1) / 2.0))
    return [
        gallery.score(Interval(v, np.nan, np.nan), task=task, method=CHANCE, metric=metric)
        for metric, v in found.items()
    ]


def top_hits(queries: Vectors, items: Vectors, *, chunk: int = 1024) -> Ints:
    """Return the row (N,) of the item that scores highest for each query; the first if several."""
    found = [
        (queries[start : start + chunk] @ items.T).argmax(axis=1)
        for start in range(0, len(queries), chunk)
    ]
    return np.concatenate(found).astype(np.int64)


def _share(right: NDArray[np.bool_] | NDArray[np.float64], gallery: Gallery) -> Interval:
    found = bootstrap.mean_interval(right, gallery.draws)
    return Interval(100.0 * found.value, 100.0 * found.low, 100.0 * found.high)


def _median(values: NDArray[np.float64] | Ints, gallery: Gallery) -> Interval:
    return bootstrap.median_interval(values.astype(np.float64), gallery.draws)
