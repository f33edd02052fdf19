"""Join points with tiles, by gair or a peer, as a process of its own for `bench_pair.py`.

In memory: points are arrays of longitudes and latitudes, tiles the peer's polygons in degrees; the
clock runs from there to the list of pairs, what indexes and geometries need included. With `-o` the
whole way from Parquet to Parquet. Prints one JSON line: pairs, and seconds without imports.

    python scripts/bench_pair_joins.py geopandas points.parquet tiles/index.parquet
    python scripts/bench_pair_joins.py duckdb points.parquet tiles/index.parquet -o pairs.parquet
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Join = Callable[[], int]

CHUNK: Final = 1_000_000
DEGREES: Final = "EPSG:4326"


def lonlat_of(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the longitudes and latitudes of a table."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pq.read_table(path, columns=["lon", "lat"])
    return table["lon"].to_numpy(), table["lat"].to_numpy()


def ours(points: Path, tiles: Path) -> Join:
    """Join by gair, a million points at a time."""
    import polars as pl  # noqa: PLC0415

    from gair_cli.geo.locator import TileLocator  # noqa: PLC0415
    from gair_cli.geo.pair_plan import TILE_COLUMNS  # noqa: PLC0415

    there = set(pl.read_parquet_schema(tiles))
    index = pl.read_parquet(tiles, columns=[name for name in TILE_COLUMNS if name in there])
    lonlat = np.stack(lonlat_of(points), axis=1)

    def join() -> int:
        tiles = TileLocator(index)
        parts = (lonlat[start : start + CHUNK] for start in range(0, len(lonlat), CHUNK))
        return sum(int(tiles.locate(part).inside.sum()) for part in parts)

    return join


def polygons(tiles: Path) -> Any:
    """Return the tiles' outlines as shapely has them."""
    import pyarrow.parquet as pq  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    return shapely.from_wkb(pq.read_table(tiles, columns=["geometry"])["geometry"].to_numpy())


def geopandas(points: Path, tiles: Path) -> Join:
    """Join by geopandas."""
    import geopandas as gpd  # noqa: PLC0415

    frame = gpd.GeoDataFrame(geometry=polygons(tiles), crs=DEGREES)
    lon, lat = lonlat_of(points)

    def join() -> int:
        there = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs=DEGREES)
        return len(gpd.sjoin(there, frame, predicate="within"))

    return join


def strtree(points: Path, tiles: Path) -> Join:
    """Join by shapely's STRtree, a million points at a time."""
    import shapely  # noqa: PLC0415

    outlines = polygons(tiles)
    lon, lat = lonlat_of(points)

    def join() -> int:
        tree = shapely.STRtree(outlines)
        found = 0
        for start in range(0, len(lon), CHUNK):
            part = shapely.points(lon[start : start + CHUNK], lat[start : start + CHUNK])
            found += tree.query(part, predicate="within").shape[1]
        return found

    return join


def polars_st(points: Path, tiles: Path) -> Join:
    """polars-st."""
    import polars as pl  # noqa: PLC0415
    import polars_st as st  # noqa: PLC0415

    outlines = pl.read_parquet(tiles, columns=["tile_id", "geometry"])
    table = pl.read_parquet(points, columns=["lon", "lat"])

    def join() -> int:
        there = table.select(geometry=st.point(pl.concat_arr("lon", "lat")))
        joined = there.st.sjoin(outlines, on="geometry", predicate="within")
        return int(joined.height)

    return join


def duckdb_connection() -> Any:
    """Return a connection with the spatial extension, on two threads."""
    import duckdb  # noqa: PLC0415
    import duckdb_extension_spatial  # noqa: PLC0415

    folder = Path(duckdb_extension_spatial.__file__).parent
    extension = next(folder.rglob("spatial.duckdb_extension"))
    connection = duckdb.connect(config={"threads": 2, "allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    return connection


def duckdb(points: Path, tiles: Path) -> Join:
    """DuckDB spatial, 2 threads."""
    connection = duckdb_connection()
    connection.execute(f"CREATE TABLE points AS SELECT lon, lat FROM '{points}'")
    connection.execute(
        "CREATE TABLE tiles AS SELECT row_number() OVER () AS tile, "
        f"ST_GeomFromWKB(geometry) AS geometry FROM read_parquet('{tiles}')"
        if not _converted(connection, tiles)
        else f"CREATE TABLE tiles AS SELECT row_number() OVER () AS tile, geometry FROM '{tiles}'"
    )

    def join() -> int:
        connection.execute(
            "CREATE OR REPLACE TABLE pairs AS SELECT points.rowid AS point, tile FROM points "
            "JOIN tiles ON ST_Within(ST_Point(lon, lat), geometry)"
        )
        return int(connection.execute("SELECT count(*) FROM pairs").fetchall()[0][0])

    return join


def _converted(connection: Any, tiles: Path) -> bool:
    """Tell whether DuckDB sees a geometry in the GeoParquet column, as newer versions do."""
    row = connection.execute(f"DESCRIBE SELECT geometry FROM '{tiles}'").fetchall()[0]
    return str(row[1]).startswith("GEOMETRY")


def sedonadb(points: Path, tiles: Path) -> Join:
    """SedonaDB."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415
    import sedonadb as sedona_db  # noqa: PLC0415

    connection = sedona_db.connect()
    table = pq.read_table(points, columns=["lon", "lat"])
    row = np.arange(table.num_rows)
    connection.create_data_frame(table.append_column("point", [row])).to_view("points")
    connection.read_parquet(str(tiles)).to_view("outlines")
    outlines = connection.sql("SELECT tile_id, geometry FROM outlines")
    outlines.to_memtable().to_view("tiles")

    def join() -> int:
        pairs = connection.sql(
            "SELECT point, tile_id FROM points JOIN tiles ON "
            "ST_Within(ST_SetSRID(ST_Point(lon, lat), 4326), geometry)"
        )
        batches = pa.RecordBatchReader.from_stream(pairs)
        return sum(batch.num_rows for batch in batches)

    return join


def duckdb_file(points: Path, tiles: Path, output: Path) -> Join:
    """DuckDB spatial, 2 threads."""
    connection = duckdb_connection()
    outline = "geometry" if _converted(connection, tiles) else "ST_GeomFromWKB(geometry)"

    def join() -> int:
        connection.execute(
            f"COPY (SELECT photo_id, tile_id, lon, lat FROM '{points}' AS points JOIN "
            f"(SELECT tile_id, {outline} AS outline FROM '{tiles}') ON "
            f"ST_Within(ST_Point(lon, lat), outline)) TO '{output}' "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
        return _rows(output)

    return join


def sedonadb_file(points: Path, tiles: Path, output: Path) -> Join:
    """SedonaDB."""
    import sedonadb as sedona_db  # noqa: PLC0415

    connection = sedona_db.connect()

    def join() -> int:
        connection.read_parquet(str(points)).to_view("points", overwrite=True)
        connection.read_parquet(str(tiles)).to_view("tiles", overwrite=True)
        pairs = connection.sql(
            "SELECT photo_id, tile_id, lon, lat FROM points JOIN tiles ON "
            "ST_Within(ST_SetSRID(ST_Point(lon, lat), 4326), geometry)"
        )
        pairs.to_parquet(str(output), compression="zstd(1)")
        return _rows(output)

    return join


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq  # noqa: PLC0415

    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    return sum(pq.read_metadata(file).num_rows for file in files)


IN_MEMORY: Final = {
    "gair": ours,
    "geopandas": geopandas,
    "strtree": strtree,
    "polars-st": polars_st,
    "duckdb": duckdb,
    "sedonadb": sedonadb,
}
TO_FILE: Final = {"duckdb": duckdb_file, "sedonadb": sedonadb_file}


def main() -> None:
    """Join once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("join", choices=tuple(IN_MEMORY))
    parser.add_argument("points", type=Path)
    parser.add_argument("tiles", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.output is None:
        join = IN_MEMORY[given.join](given.points, given.tiles)
    else:
        join = TO_FILE[given.join](given.points, given.tiles, given.output)
    cpu, wall = time.process_time(), time.perf_counter()
    count = join()
    took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({"count": count, **took}))


if __name__ == "__main__":
    main()
