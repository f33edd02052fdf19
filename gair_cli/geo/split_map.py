"""A map of a split: where the rows of train, val and test lie, and how far apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.geo.outputs import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_MOST_DOTS: Final = 60_000
_COLOURS: Final = {"train": "#8fb7d8", "val": "#f2a33a", "test": "#c8324a"}
_OTHERS: Final = ("#5b8c5a", "#7d5ba6", "#8c6d46", "#4a4a4a")
_MARGIN: Final = 0.04
_KILOMETRE: Final = 1000.0
_LARGEST_DOT: Final = 26.0
_SMALLEST_DOT: Final = 1.5
_DOTS_AREA: Final = 40_000.0
_WIDE_GAP: Final = 120.0
_FARTHEST_LAT: Final = 80.0


class MapSample:
    """A bounded random sample of places and their splits."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed % 2**64)
        self._keys = np.empty(0)
        self._lonlat = np.empty((0, 2))
        self._splits = np.empty(0, object)
        self.seen = 0

    def add(self, lonlat: NDArray[np.float64], splits: NDArray[np.object_]) -> None:
        """Look at some places, (n, 2) degrees, and the split of each."""
        self.seen += len(lonlat)
        keys = np.concatenate([self._keys, self._random.random(len(lonlat))])
        places = np.concatenate([self._lonlat, lonlat])
        names = np.concatenate([self._splits, splits])
        if len(keys) > _MOST_DOTS:
            kept = np.sort(np.argpartition(keys, _MOST_DOTS)[:_MOST_DOTS])
            keys, places, names = keys[kept], places[kept], names[kept]
        self._keys, self._lonlat, self._splits = keys, places, names

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def lonlat(self) -> NDArray[np.float64]:
        """(n, 2) degrees."""
        return self._lonlat

    @property
    def splits(self) -> NDArray[np.object_]:
        """(n,) names."""
        return self._splits


def metres_text(metres: float) -> str:
    """Return a distance for people: `0.4 m`, `812 m`, `12.3 km`."""
    if metres >= _KILOMETRE:
        return f"{metres / _KILOMETRE:,.1f} km"
    return f"{metres:.0f} m" if metres >= 10 else f"{metres:.1f} m"  # noqa: PLR2004 - digits


def draw_split_map(
    sample: MapSample,
    path: Path,
    *,
    counts: Mapping[str, int],
    title: str,
    notes: str = "",
    what: str = "rows",
) -> None:
    """Draw the places of each split as dots in longitude and latitude, whole or not at all.

    Args:
        sample: What is drawn.
        path: The PNG to write.
        counts: Rows of each split, for the legend.
        title: First line.
        notes: What stands below it, such as the least distances.
        what: What a dot is.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and for pictures only

    lonlat = _together(sample.lonlat)
    figure = Figure(figsize=_size_of(lonlat), dpi=120, layout="compressed")
    axes = figure.subplots()
    size = float(np.clip(_DOTS_AREA / max(len(sample), 1), _SMALLEST_DOT, _LARGEST_DOT))
    others = [name for name in counts if name not in _COLOURS]
    colours = {**_COLOURS, **dict(zip(others, _OTHERS * len(others), strict=False))}
    for name in (name for name in colours if name in counts):
        dots = lonlat[sample.splits == name]
        share = counts[name] / max(sum(counts.values()), 1)
        axes.scatter(
            dots[:, 0], dots[:, 1], s=size, c=colours[name], linewidths=0,
            label=f"{name}: {counts[name]:,} ({share:.1%})", rasterized=True,
        )  # fmt: skip
    _frame(axes, lonlat)
    figure.legend(
        loc="outside lower center", ncols=len(counts), frameon=False, fontsize=9,
        markerscale=math.sqrt(_LARGEST_DOT / size), handletextpad=0.3,
    )  # fmt: skip
    sampled = "" if sample.seen <= len(sample) else f"; {len(sample):,} of the {what} are drawn"
    axes.set_title(f"{title}\n{notes}{sampled}", loc="left", fontsize=10)
    with atomic_file(path) as temporary:
        figure.savefig(
            temporary, format="png", bbox_inches="tight", pad_inches=0.15,
            metadata={"Software": None},
        )  # fmt: skip


def _together(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return places on both sides of the antimeridian side by side: longitudes up to 540."""
    if not len(lonlat):
        return lonlat
    lon = np.sort(lonlat[:, 0] % 360)
    gaps = np.append(np.diff(lon), lon[0] + 360 - lon[-1])
    widest = int(gaps.argmax())
    if gaps[widest] < _WIDE_GAP:  # all around the Earth: as maps are
        return lonlat
    west = lon[(widest + 1) % len(lon)]  # the places begin behind the widest gap
    turned = west + (lonlat[:, 0] - west) % 360
    # whole turns, so that places that need none keep their longitudes
    turned -= 360 * math.floor((west + 180) / 360)
    return np.stack([turned, lonlat[:, 1]], axis=1)


def _size_of(lonlat: NDArray[np.float64]) -> tuple[float, float]:
    """Return inches: as wide as a page, as high as the places ask for."""
    if not len(lonlat):
        return 9.0, 6.0
    room = np.maximum(lonlat.max(axis=0) - lonlat.min(axis=0), 1e-4)
    aspect = room[1] / (room[0] * _squeeze(lonlat))
    return 9.0, float(np.clip(7.6 * aspect, 3.6, 10.0)) + 1.4


def _squeeze(lonlat: NDArray[np.float64]) -> float:
    """Return how much shorter a degree of longitude is than one of latitude."""
    middle = abs(float(lonlat[:, 1].min() + lonlat[:, 1].max()) / 2)
    return math.cos(math.radians(min(middle, _FARTHEST_LAT)))


def _frame(axes: Any, lonlat: NDArray[np.float64]) -> None:
    """Show all places with a margin, at the aspect of their latitude."""
    axes.set_xlabel("longitude", fontsize=9)
    axes.set_ylabel("latitude", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.grid(alpha=0.25, linewidth=0.5)
    if not len(lonlat):
        return
    low, high = lonlat.min(axis=0), lonlat.max(axis=0)
    room = np.maximum((high - low) * _MARGIN, 1e-4)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    axes.set_aspect(1 / _squeeze(lonlat))
