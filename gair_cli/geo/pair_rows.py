"""The rows of a pair table: its columns, and what is carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli.geo.geoparquet import with_points
from gair_cli.geo.ids import sample_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gair_cli.geo.locator import Located

PAIR_COLUMNS: Final[Mapping[str, Any]] = {
    "sample_id": pl.String,
    "photo_id": pl.String,
    "path": pl.String,
    "tile_id": pl.String,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "x": pl.Float64,
    "y": pl.Float64,
    "edge_distance_m": pl.Float32,
    "days_apart": pl.Float32,
    "heading": pl.Float32,
    "captured_at": pl.Datetime("ms", "UTC"),
    "h_accuracy_m": pl.Float32,
    "sequence_id": pl.String,
    "source": pl.String,
    "split": pl.String,
    "block": pl.String,
}
"""The columns of a pair table before the user's own, `geometry` and `bbox`."""

_MS_A_DAY: Final = 86_400_000


def pair_rows(
    photos: pl.DataFrame,
    index: pl.DataFrame,
    located: Located,
    blocks: list[str | None],
    splits: list[str | None],
    kept: NDArray[np.int64],
) -> pl.DataFrame:
    """Put the pair table together.

    Args:
        photos: N photos.
        index: The tile index.
        located: Where each photo lies.
        blocks: The block of each photo.
        splits: The split of each photo.
        kept: Rows of the photos that became pairs.

    Returns:
        `PAIR_COLUMNS`, the user's own columns, `geometry` and `bbox`.
    """
    rows = photos[kept]
    tiles = index[located.row[kept]]
    made = {
        "sample_id": sample_ids(rows["photo_id"].to_list(), tiles["tile_id"].to_list()),
        "tile_id": tiles["tile_id"],
        "x": located.xy[kept, 0],
        "y": located.xy[kept, 1],
        "edge_distance_m": located.edge_distance_m[kept],
        "days_apart": _days_apart(rows, tiles),
        "split": [splits[row] for row in kept.tolist()],
        "block": [blocks[row] for row in kept.tolist()],
    }
    known = []
    for name, dtype in PAIR_COLUMNS.items():
        values = made.get(name, rows[name] if name in rows.columns else [None] * rows.height)
        known.append(pl.Series(name, values).cast(dtype))
    own = [name for name in photos.columns if name not in PAIR_COLUMNS]
    frame = pl.DataFrame(known).hstack(rows.select(own))
    return with_points(frame, frame.select("lon", "lat").to_numpy())


def _days_apart(photos: pl.DataFrame, tiles: pl.DataFrame) -> pl.Series:
    """Return the days between photo and scene, without sign; null where one date is unknown."""
    if "captured_at" not in photos.columns or "datetime" not in tiles.columns:
        return pl.Series([None] * photos.height, dtype=pl.Float32)
    times = [
        frame[name].cast(pl.Datetime("ms", "UTC")).cast(pl.Int64)
        for frame, name in ((photos, "captured_at"), (tiles, "datetime"))
    ]
    return ((times[0] - times[1]).abs() / _MS_A_DAY).cast(pl.Float32)


def rejected_rows(photos: pl.DataFrame, reasons: NDArray[np.object_]) -> pl.DataFrame:
    """Return the photos that have a reason, with it.

    Args:
        photos: N photos.
        reasons: (N,) texts; empty for a pair.
    """
    rows = np.flatnonzero(reasons != "")
    return photos[rows].with_columns(
        pl.Series("reason", [str(reason) for reason in reasons[rows]], dtype=pl.String)
    )
