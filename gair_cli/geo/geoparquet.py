"""GeoParquet 1.1 in and out: WKB points, the `geo` metadata, the bounding-box covering.

Specification: OGC GeoParquet 1.1.0. Coordinates are longitude, latitude (OGC:CRS84).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

GEOMETRY: Final = "geometry"
BBOX: Final = "bbox"
_POINT_HEADER: Final = b"\x01\x01\x00\x00\x00"
_POINT_BYTES: Final = 21


def point_wkb(lonlat: np.ndarray) -> list[bytes | None]:
    """Return one WKB point a row, None where a coordinate is not finite.

    Args:
        lonlat: (N, 2) float64, degrees.

    Returns:
        N little-endian WKB points of 21 bytes.
    """
    records = np.empty((len(lonlat), _POINT_BYTES), np.uint8)
    records[:, :5] = np.frombuffer(_POINT_HEADER, np.uint8)
    records[:, 5:] = np.ascontiguousarray(lonlat, "<f8").view(np.uint8).reshape(-1, 16)  # (N, 16)
    data = records.tobytes()
    finite = np.isfinite(lonlat).all(axis=1)
    return [
        data[row * _POINT_BYTES : (row + 1) * _POINT_BYTES] if ok else None
        for row, ok in enumerate(finite)
    ]


def read_points_wkb(geometry: pl.Series, *, name: str = GEOMETRY) -> np.ndarray:
    """Return the coordinates of a column of WKB points.

    Args:
        geometry: N WKB points (little-endian, two or more dimensions), nulls allowed.
        name: The column's name, for the message.

    Returns:
        (N, 2) float64; NaN where the geometry is null.

    Raises:
        DataError: If a geometry is not a point.
    """
    points = np.full((len(geometry), 2), np.nan)
    for row, value in enumerate(geometry):
        if value is None:
            continue
        if len(value) < _POINT_BYTES or value[0] != 1 or value[1] != 1:
            raise DataError(
                f"column {name}, row {row}: not a WKB point",
                hint="use point geometries, or pass --lon-column and --lat-column",
            )
        points[row] = np.frombuffer(value, "<f8", count=2, offset=5)
    return points


def with_points(frame: pl.DataFrame, lonlat: np.ndarray) -> pl.DataFrame:
    """Return the frame with the columns `geometry` (WKB points) and `bbox` added or replaced."""
    lon, lat = (pl.Series(lonlat[:, axis]).fill_nan(None) for axis in (0, 1))
    corners = pl.DataFrame({"xmin": lon, "ymin": lat, "xmax": lon, "ymax": lat})
    return frame.with_columns(
        pl.Series(GEOMETRY, point_wkb(lonlat), dtype=pl.Binary),
        corners.to_struct(BBOX),
    )


def geo_metadata(bounds: Sequence[float] | None, geometry_types: Sequence[str]) -> str:
    """Return the text of the `geo` key of a file with one geometry column and its covering.

    Args:
        bounds: west, south, east, north of all rows, or None when there are no rows.
        geometry_types: `Point`, `Polygon`...
    """
    corners = {corner: [BBOX, corner] for corner in ("xmin", "ymin", "xmax", "ymax")}
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": list(geometry_types),
        "covering": {"bbox": corners},
    }
    if bounds is not None:
        column["bbox"] = [float(value) for value in bounds]
    return json.dumps(
        {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}},
        sort_keys=True,
    )


def points_metadata(frame: pl.DataFrame) -> str:
    """Return the `geo` text of a frame that `with_points` made."""
    box = frame[BBOX].struct.unnest()
    lows = [box["xmin"].min(), box["ymin"].min(), box["xmax"].max(), box["ymax"].max()]
    bounds = None if any(value is None for value in lows) else [float(v) for v in lows]  # type: ignore[arg-type]
    return geo_metadata(bounds, ["Point"])


def primary_column(geo: str | bytes) -> str:
    """Return the name of the geometry column that a file's `geo` text calls the main one."""
    return str(json.loads(geo).get("primary_column", GEOMETRY))


def crs_of(geo: str | bytes, column: str = GEOMETRY) -> str | None:
    """Return `EPSG:n` or PROJJSON text of a geometry column, None for longitude and latitude.

    Raises:
        DataError: If the CRS is stated as unknown (null).
    """
    crs = json.loads(geo)["columns"].get(column, {}).get("crs", "absent")
    if crs == "absent":
        return None
    if crs is None:
        raise DataError(f"column {column}: its CRS is stated as unknown", hint="pass --crs EPSG:n")
    code = crs.get("id", {})
    if code.get("authority") == "OGC" or (code.get("authority"), code.get("code")) == (
        "EPSG",
        4326,
    ):
        return None
    return f"EPSG:{code['code']}" if code.get("authority") == "EPSG" else json.dumps(crs)
