"""What a tile set says of itself: the content of `dataset.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Final = 1
KIND: Final = "tiles"
CODEC: Final = "zstd"
PLAIN: Final = "none"


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Valid pixels of one band over all tiles; NaN where there is none.

    Attributes:
        minimum: Least value.
        maximum: Greatest value.
        mean: Mean over pixels.
        std: Standard deviation over pixels (population).
        count: Number of pixels.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    count: int = 0

    def to_json(self) -> dict[str, float | None]:
        """Return the content of a `statistics` entry; JSON has no NaN, so that is null."""
        values = {"min": self.minimum, "max": self.maximum, "mean": self.mean, "std": self.std}
        finite = {name: value if np.isfinite(value) else None for name, value in values.items()}
        return {**finite, "count": self.count}

    @classmethod
    def from_json(cls, content: Mapping[str, float | None]) -> Self:
        """Return what `to_json` wrote."""
        found = (content[name] for name in ("min", "max", "mean", "std"))
        low, high, mean, std = (float("nan") if one is None else float(one) for one in found)
        return cls(low, high, mean, std, count=int(content.get("count") or 0))


@dataclass(frozen=True, slots=True)
class BandFacts:
    """What is recorded of one band; None where scenes differ or do not say.

    Attributes:
        resolution: Width and height of the source's pixels, in units of its CRS.
        scale: The physical value is stored value * `scale` + `unit_offset`.
        unit_offset: See `scale`.
        radiometric_offset: What was added to valid pixels when the tiles were cut.
        resampling: The kernel used where the source's grid was not the tiles' one.
    """

    resolution: tuple[float, float] | None = None
    scale: float | None = None
    unit_offset: float | None = None
    radiometric_offset: float | None = None
    resampling: str | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read an entry of `bands`; tile sets of earlier versions say nothing."""
        size = content.get("resolution")
        return cls(
            None if size is None else (float(size[0]), float(size[1])),
            *(content.get(name) for name in ("scale", "unit_offset")),
            *(content.get(name) for name in ("radiometric_offset", "resampling")),
        )


@dataclass(frozen=True, slots=True)
class TileSetInfo:
    """What a tile set's `dataset.json` says.

    Attributes:
        bands: Names in the tiles' order.
        dtype: numpy's name of the pixel type.
        size: Pixels a side, or None for one tile a raster (`--size full`).
        stride: Pixels between tiles, or None likewise.
        nodata: The value of a pixel that is none, or None.
        statistics: One entry a band.
        counts: `tiles`, `scenes`, `shards`.
        grid: `scene` (the lattice of each scene's own pixels), `utm`, `xyz:Z`, `majortom:KM`, or
            the CRS that scenes were resampled to.
        partial: What was done with tiles over a scene's edge.
        predictor: TIFF predictor of the tiles' blocks.
        plan_hash: Of the inputs and options that made the tiles.
        level: ZSTD's level; None for tiles without compression.
        res: Pixel size in metres that was asked for, None for the scenes' own.
        facts: One entry a band.
        products: One entry a scene: its id, where clouds come from, what its product says.
    """

    bands: tuple[str, ...]
    dtype: str
    size: int | None
    stride: int | None
    nodata: float | None
    statistics: tuple[BandStatistics, ...]
    counts: Mapping[str, int]
    grid: str
    partial: str
    predictor: int
    plan_hash: str
    level: int | None = 1
    res: float | None = None
    facts: tuple[BandFacts, ...] = ()
    products: tuple[Mapping[str, Any], ...] = ()

    @property
    def codec(self) -> str:
        """Compression of the tiles' blocks: `zstd` or `none`."""
        return PLAIN if self.level is None else CODEC

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `dataset.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "bands": [
                {"name": name, "statistics": one.to_json(), **asdict(facts)}
                for name, one, facts in zip(
                    self.bands,
                    self.statistics,
                    self.facts or [BandFacts()] * len(self.bands),
                    strict=True,
                )
            ],
            "dtype": self.dtype,
            "nodata": _nodata_json(self.nodata, self.dtype),
            "size": self.size,
            "stride": self.stride,
            "grid": self.grid,
            "partial": self.partial,
            "res": self.res,
            "codec": self.codec,
            "level": self.level,
            "predictor": self.predictor,
            "counts": dict(self.counts),
            "products": [dict(product) for product in self.products],
            "plan_hash": self.plan_hash,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the content of `dataset.json`.

        Raises:
            KeyError: If a field is missing.
        """
        nodata = content["nodata"]
        return cls(
            bands=tuple(band["name"] for band in content["bands"]),
            dtype=content["dtype"],
            size=content["size"],
            stride=content["stride"],
            nodata=None if nodata is None else float(nodata),
            statistics=tuple(
                BandStatistics.from_json(band["statistics"]) for band in content["bands"]
            ),
            counts=content["counts"],
            grid=content["grid"],
            partial=content["partial"],
            predictor=content["predictor"],
            plan_hash=content["plan_hash"],
            level=None if content["codec"] == PLAIN else content.get("level", 1),
            res=content.get("res"),
            facts=tuple(BandFacts.from_json(band) for band in content["bands"]),
            products=tuple(content.get("products", ())),
        )


def _nodata_json(value: float | None, dtype: str) -> float | str | None:
    """Return a nodata value for JSON, which has no NaN: a whole number stays one, in its type."""
    if value is None:
        return None
    if not np.isfinite(value):
        return str(value)
    if value != int(value):
        return value
    most = int(value) if dtype.startswith("float") else int(np.iinfo(dtype).max)
    return min(int(value), most)  # as a float, the greatest 64-bit integer is beyond its type
