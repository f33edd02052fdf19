"""`dataset.json` of training shards: bands, statistics of the tiles in use, counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from gair_cli.geo.tileset import BandStatistics

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Final = 1
KIND: Final = "training shards"


@dataclass(frozen=True, slots=True)
class ShardsInfo:
    """What `dataset.json` says.

    Attributes:
        bands: Band names in the tiles' order; empty without tiles.
        dtype: Of the tiles, or None.
        nodata: The value of a pixel that is none, or None.
        statistics: One entry a band.
        counts: `samples`, `tiles`, `photos`, `shards`, and samples by split under `splits`.
        short_side: Longest short side of a photo in pixels.
        plan_hash: Of the inputs and options that made the shards.
    """

    bands: tuple[str, ...]
    dtype: str | None
    nodata: float | None
    statistics: tuple[BandStatistics, ...]
    counts: Mapping[str, Any]
    short_side: int
    plan_hash: str

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `dataset.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "bands": [
                {"name": name, "statistics": values.to_json()}
                for name, values in zip(self.bands, self.statistics, strict=True)
            ],
            "dtype": self.dtype,
            "nodata": _nodata_to_json(self.nodata),
            "counts": dict(self.counts),
            "short_side": self.short_side,
            "plan_hash": self.plan_hash,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the content of `dataset.json`.

        Raises:
            KeyError: If a field is missing.
        """
        found = [band["statistics"] for band in content["bands"]]
        return cls(
            bands=tuple(band["name"] for band in content["bands"]),
            dtype=content["dtype"],
            nodata=None if content["nodata"] is None else float(content["nodata"]),
            statistics=tuple(BandStatistics.from_json(one) for one in found),
            counts=content["counts"],
            short_side=content["short_side"],
            plan_hash=content["plan_hash"],
        )


def _nodata_to_json(value: float | None) -> float | str | None:
    return str(value) if value is not None and not math.isfinite(value) else value
