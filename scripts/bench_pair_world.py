"""Make the tiles and points that `bench_pair.py` joins, and their exact answer.

Tiles of 96 x 96 pixels of 10 m fill a lattice of 65 x 260 in each of twelve UTM zones on both
hemispheres. Of the points one in ten lies anywhere on Earth, and the others in the lattices made
a tenth wider and higher: three quarters of all are in a tile. Made data; the seed is fixed.

    python scripts/bench_pair_world.py tiles build/bench-pair/tiles
    python scripts/bench_pair_world.py points build/bench-pair/points-1000000.parquet 1000000
    python scripts/bench_pair_world.py stream 100000000 | gair pair - --tiles ... -o ...
    python scripts/bench_pair_world.py exact 1000000     # the number of points in a tile
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

ZONES: Final = (
    (32610, 4_600_000), (32614, 3_400_000), (32618, 5_100_000), (32631, 5_800_000),
    (32633, 5_900_000), (32637, 6_700_000), (32643, 1_700_000), (32649, 2_600_000),
    (32654, 4_000_000), (32723, 7_600_000), (32735, 7_300_000), (32756, 6_400_000),
)  # fmt: skip
"""EPSG code, and northing of the lattice's lower edge in metres."""
COLUMNS: Final = 65
ROWS: Final = 260
PIXELS: Final = 96
EDGE_M: Final = 960.0
WEST_M: Final = 500_000.0 - COLUMNS * EDGE_M / 2
CHUNK: Final = 1_000_000
WIDER: Final = 0.05
NEAR_EDGE_M: Final = 1e-6
"""PROJ and gair agree much better; a point this close to an edge would decide nothing."""


def lattice(rows: int = ROWS) -> Any:
    """Return the index rows of all tiles, as far as pairing needs them."""
    import polars as pl  # noqa: PLC0415

    from gair_cli.geo.footprints import footprints  # noqa: PLC0415
    from gair_cli.geo.geoparquet import BBOX, GEOMETRY  # noqa: PLC0415
    from gair_cli.geo.ids import hash_text  # noqa: PLC0415
    from gair_cli.geo.tile_index import in_hilbert_order  # noqa: PLC0415

    parts = []
    for epsg, south in ZONES:
        row, col = (axis.ravel() for axis in np.mgrid[:rows, :COLUMNS])
        north = south + rows * EDGE_M
        transform = np.zeros((len(row), 6))
        transform[:, 0], transform[:, 4] = 10.0, -10.0
        transform[:, 2], transform[:, 5] = WEST_M + col * EDGE_M, north - row * EDGE_M
        outline = footprints(transform, np.full((len(row), 2), PIXELS), f"EPSG:{epsg}")
        box = dict(zip(("xmin", "ymin", "xmax", "ymax"), outline.bbox.T, strict=True))
        cells = zip(row.tolist(), col.tolist(), strict=True)
        columns = {
            "tile_id": [hash_text("made", epsg, *cell) for cell in cells],
            "scene_id": [f"made-{epsg}"] * len(row),
            "shard": ["tiles-000000.tar"] * len(row),
            "offset": np.zeros(len(row), np.uint64),
            "length": np.zeros(len(row), np.uint64),
            "crs": [f"EPSG:{epsg}"] * len(row),
            "transform": transform.tolist(),
            "width": np.full(len(row), PIXELS, np.uint32),
            "height": np.full(len(row), PIXELS, np.uint32),
            "row": row.astype(np.int32),
            "col": col.astype(np.int32),
            "centre_lon": outline.centre[:, 0],
            "centre_lat": outline.centre[:, 1],
            GEOMETRY: outline.geometry,
            BBOX: pl.DataFrame(box).to_struct(),
        }
        parts.append(pl.DataFrame(columns))
    return in_hilbert_order(pl.concat(parts))


def write_tiles(folder: Path, rows: int = ROWS) -> int:
    """Write a tile set without pixels, and return the number of its tiles."""
    from gair_cli.geo.tile_index import index_metadata  # noqa: PLC0415
    from gair_cli.geo.tileset import DATASET_FILE, INDEX_FILE  # noqa: PLC0415
    from gair_cli.geo.tileset_info import TileSetInfo  # noqa: PLC0415
    from gair_cli.geo.writers import write_parquet  # noqa: PLC0415

    index = lattice(rows)
    info = TileSetInfo(
        bands=(), dtype="uint16", size=PIXELS, stride=PIXELS, nodata=0.0, statistics=(),
        counts={"tiles": index.height, "scenes": len(ZONES), "shards": 1}, grid="scene",
        partial="skip", predictor=2, plan_hash="made",
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(index, folder / INDEX_FILE, metadata=index_metadata(index))
    (folder / DATASET_FILE).write_text(json.dumps(info.to_dict()), encoding="utf-8")
    return int(index.height)


def points_of(chunk: int, count: int = CHUNK, rows: int = ROWS) -> np.ndarray:
    """Return the (count, 2) degrees of one chunk of points, in random order."""
    from gair_cli.geo.coordinates import to_lonlat  # noqa: PLC0415

    draw = np.random.default_rng([2026, chunk])
    anywhere = draw.random(count) < 0.1  # noqa: PLR2004 - one in ten
    zone = draw.integers(0, len(ZONES), count)
    share = draw.uniform(-WIDER, 1 + WIDER, (count, 2)) * [COLUMNS * EDGE_M, rows * EDGE_M]
    on_sphere = np.degrees(np.arcsin(draw.uniform(-1, 1, count)))
    points = np.stack([draw.uniform(-180, 180, count), on_sphere], axis=1)
    for number, (epsg, south) in enumerate(ZONES):
        there = np.flatnonzero(~anywhere & (zone == number))
        points[there] = to_lonlat(share[there] + [WEST_M, south], f"EPSG:{epsg}")
    return points


def chunks(count: int) -> Iterator[tuple[int, int]]:
    """Yield number and size of each chunk of so many points."""
    for chunk in range(math.ceil(count / CHUNK)):
        yield chunk, min(CHUNK, count - chunk * CHUNK)


def batches(count: int) -> Iterator[pa.RecordBatch]:
    """Yield the table of photos, chunk by chunk: `photo_id`, `lon`, `lat`."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    for chunk, size in chunks(count):
        points = points_of(chunk, size)
        numbers = pa.array(np.arange(chunk * CHUNK, chunk * CHUNK + size))
        names = pc.binary_join_element_wise(
            "p", pc.utf8_lpad(pc.cast(numbers, pa.string()), 10, "0"), ""
        )
        columns = [names, pa.array(points[:, 0].copy()), pa.array(points[:, 1].copy())]
        yield pa.record_batch(columns, names=["photo_id", "lon", "lat"])


def write_points(path: Path, count: int) -> None:
    """Write the table of photos as Parquet."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for batch in batches(count):
        writer = writer or pq.ParquetWriter(path, batch.schema, compression="zstd")
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


def stream(count: int) -> None:
    """Write the table of photos to stdout as an Arrow stream."""
    import pyarrow as pa  # noqa: PLC0415

    writer = None
    for batch in batches(count):
        writer = writer or pa.ipc.new_stream(sys.stdout.buffer, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


def inside(points: np.ndarray, rows: int = ROWS) -> int:
    """Count the points in a tile, by PROJ in the tiles' own zone and by division.

    Raises:
        ValueError: If a point is so close to an edge that rounding decides.
    """
    import pyproj  # noqa: PLC0415

    found = 0
    for epsg, south in ZONES:
        project = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
        zone = epsg % 100
        apart = np.abs((points[:, 0] - (zone * 6 - 183) + 180) % 360 - 180)
        side = (points[:, 1] >= 0) == (epsg < 32700)  # noqa: PLR2004 - 327nn is the south
        near = points[(apart < 6) & side]  # noqa: PLR2004 - a lattice is far narrower
        east, north = project.transform(near[:, 0], near[:, 1])
        cell = np.stack([east - WEST_M, north - south], axis=1) / EDGE_M
        around = (cell > -1).all(axis=1) & (cell < [COLUMNS + 1, rows + 1]).all(axis=1)
        cell = cell[around]
        if np.abs(cell - np.rint(cell)).min(initial=1.0) * EDGE_M < NEAR_EDGE_M:
            raise ValueError("a point lies on an edge: choose another seed")
        found += int(((cell > 0) & (cell < [COLUMNS, rows])).all(axis=1).sum())
    return found


def _inside_chunk(of: tuple[int, int]) -> int:
    return inside(points_of(*of))


def exact(count: int) -> int:
    """Count the points in a tile among the first `count`, on all cores."""
    with ProcessPoolExecutor() as pool:
        return sum(pool.map(_inside_chunk, chunks(count)))


def main() -> int:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("tiles", "points", "stream", "exact"))
    parser.add_argument("rest", nargs="+", help="output, number of points")
    given = parser.parse_args()
    if given.what == "tiles":
        print(write_tiles(Path(given.rest[0])))
    elif given.what == "points":
        write_points(Path(given.rest[0]), int(given.rest[1]))
    elif given.what == "stream":
        stream(int(given.rest[0]))
    else:
        print(exact(int(given.rest[0])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
