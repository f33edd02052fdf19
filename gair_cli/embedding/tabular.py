"""Tables of polars, pandas, geopandas and pyarrow, in and out of the Python API.

A table goes in, the same kind of table comes out with the columns `embedding` and `status`. pandas
and geopandas are not needed unless the caller has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from gair_cli.embedding.schema import embedding_array
from gair_cli.errors import DataError
from gair_cli.geo.columns import PATH, ColumnNames, find_column, find_lonlat

if TYPE_CHECKING:
    from gair_cli.embedding.extract import Embedded

Kind: TypeAlias = Literal["polars", "pandas", "geopandas", "pyarrow"]
_CLASSES: dict[tuple[str, str], Kind] = {
    ("polars", "DataFrame"): "polars",
    ("pandas", "DataFrame"): "pandas",
    ("geopandas", "GeoDataFrame"): "geopandas",
    ("pyarrow", "Table"): "pyarrow",
}


def table_kind(thing: object) -> Kind | None:
    """Return which kind of table a thing is, or None if it is no table."""
    for base in type(thing).__mro__:
        found = _CLASSES.get((base.__module__.partition(".")[0], base.__name__))
        if found is not None:
            return found
    return None


def column_values(table: Any, name: str) -> Any:
    """Return a column of any kind of table as a numpy array."""
    column = table[name]
    return column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)


def column_names(table: Any) -> list[str]:
    """Return the names of the columns of any kind of table."""
    names = table.column_names if isinstance(table, pa.Table) else table.columns
    return [str(name) for name in names]


def lonlat_of(table: Any, names: ColumnNames | None = None) -> np.ndarray:
    """Return the coordinates of a table's rows.

    Args:
        table: Any kind of table; a GeoDataFrame gives its points, in any CRS.
        names: The columns to take.

    Returns:
        (N, 2) float64 degrees.

    Raises:
        DataError: When there are no coordinates, or a geometry is not a point.
    """
    names = names or ColumnNames()
    given = names.lon is not None or names.lat is not None
    if table_kind(table) == "geopandas" and not given:
        return _points_of(table)
    found = find_lonlat(column_names(table), names)
    if found is None:
        raise DataError(
            f"no coordinate columns among {', '.join(column_names(table))}",
            hint="name them lon and lat, or pass names=ColumnNames(lon=..., lat=...)",
        )
    columns = [np.asarray(column_values(table, name), np.float64) for name in found]
    return np.stack(columns, axis=1)


def _points_of(table: Any) -> np.ndarray:
    geometry = table.geometry if table.crs is None else table.geometry.to_crs(4326)
    if not (geometry.geom_type == "Point").all():
        raise DataError("a geometry is not a point", hint="pass table.centroid points")
    return np.stack([geometry.x.to_numpy(), geometry.y.to_numpy()], axis=1).astype(np.float64)


def paths_of(table: Any, names: ColumnNames | None = None) -> list[str]:
    """Return the photo paths of a table's rows.

    Raises:
        DataError: When there is no column of paths.
    """
    names = names or ColumnNames()
    columns = column_names(table)
    found = find_column(columns, PATH, given=names.path, flag="path column")
    if found is None:
        raise DataError(f"no column of photo paths among {', '.join(columns)}")
    return [str(value) for value in column_values(table, found)]


def with_embedding(table: Any, embedded: Embedded) -> Any:
    """Return the table with `embedding` (null where the status is not `ok`) and `status`.

    Args:
        table: Any kind of table with N rows; it is not changed.
        embedded: N vectors.
    """
    kind = table_kind(table)
    vectors = embedding_array(embedded, "float32")
    if kind == "polars":
        return table.with_columns(
            pl.Series("embedding", pl.from_arrow(vectors)),
            pl.Series("status", embedded.status.tolist()),
        )
    if kind == "pyarrow":
        return _replaced(_replaced(table, "embedding", vectors), "status",
                         pa.array(embedded.status.tolist()))  # fmt: skip
    out = table.copy()
    rows = zip(embedded.vectors, embedded.status, strict=True)
    out["embedding"] = [vector if status == "ok" else None for vector, status in rows]
    out["status"] = embedded.status.astype(object)
    return out


def _replaced(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)
