"""The peers of `bench_tile.py`, each a process of its own: what people cut tiles with today.

Each reads windows of one scene, in the order and with the GDAL cache that its words say, and
prints one JSON line: tiles, and the seconds that its loop took without start-up and imports.
Tiles without a valid pixel are left out, as `gair tile` does.

    python scripts/bench_peers.py write scene.tif --codec deflate --statistics -o DIR
"""

from __future__ import annotations

import argparse
import json
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

    Cell = tuple[int, int]

CODECS: Final[dict[str, dict[str, Any]]] = {
    "deflate": {"compress": "deflate"},
    "zstd": {
        "compress": "zstd", "zstd_level": 1, "predictor": 2, "interleave": "band",
        "blockysize": 256,
    },
}  # fmt: skip
"""Creation options: GDAL's own defaults, and what `gair tile` writes."""


def cells(shape: tuple[int, int], size: int, stride: int) -> list[Cell]:
    """Return the first row and column of each tile that is inside, row by row."""
    tops = range(0, shape[0] - size + 1, stride)
    lefts = range(0, shape[1] - size + 1, stride)
    return [(top, left) for top in tops for left in lefts]


def share(whole: Sequence[Cell], part: str) -> Sequence[Cell]:
    """Return part `i/n` of all tiles, from 0: neighbouring rows stay together."""
    number, parts = (int(word) for word in part.split("/"))
    ends = [len(whole) * i // parts for i in range(parts + 1)]
    return whole[ends[number] : ends[number + 1]]


def statistics(tile: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return count, min, max, mean and standard deviation of each band's valid pixels, (5, C)."""
    columns = []
    whole = bool(valid.all())
    for band, inside in zip(tile, valid, strict=True):
        values = (band if whole else band[inside]).astype(np.float64).ravel()
        mean = values.mean() if len(values) else np.nan
        variance = np.dot(values, values) / max(len(values), 1) - mean**2
        low, high = (band.min(), band.max()) if whole else _range(band[inside])
        columns.append((len(values), low, high, mean, np.sqrt(max(variance, 0.0))))
    return np.array(columns).T


def _range(values: NDArray[Any]) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (np.nan, np.nan)


def opened(stack: ExitStack, given: argparse.Namespace) -> list[DatasetReader]:
    """Open the scenes; what is coarser than the first is warped to its grid as it is read."""
    rasters: list[DatasetReader] = [
        stack.enter_context(rasterio.open(path)) for path in given.scenes
    ]
    first = rasters[0]
    for place, raster in enumerate(rasters):
        if raster.shape != first.shape:
            vrt = WarpedVRT(
                raster, crs=first.crs, transform=first.transform, width=first.width,
                height=first.height, resampling=Resampling.bilinear,
            )  # fmt: skip
            rasters[place] = stack.enter_context(vrt)
    return rasters


def read(
    rasters: Sequence[DatasetReader], places: Iterable[Cell], size: int
) -> Iterator[tuple[Cell, NDArray[Any], NDArray[np.bool_]]]:
    """Yield place, tile (C, H, W) and its valid pixels, of tiles that have any."""
    nodata = rasters[0].nodata
    for top, left in places:
        window = Window(left, top, size, size)
        parts = [raster.read(window=window) for raster in rasters]
        tile = parts[0] if len(parts) == 1 else np.concatenate(parts)
        valid = tile != nodata
        if valid.any():
            yield (top, left), tile, valid


def cut(given: argparse.Namespace) -> int:
    """Cut tiles with rasterio, to memory or to one GeoTIFF a tile; return how many."""
    count = 0
    with ExitStack() as stack:
        if given.cache:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=given.cache * 10**6))
        rasters = opened(stack, given)
        places = cells(rasters[0].shape, given.size, given.stride or given.size)
        if given.shuffle:
            np.random.default_rng(0).shuffle(places)
        for cell, tile, valid in read(rasters, share(places, given.part), given.size):
            if given.statistics:
                statistics(tile, valid)
            if given.job == "write":
                write(given.output, tile, cell, raster=rasters[0], codec=given.codec)
            count += 1
    if given.sync:
        sync(given.output)
    return count


def write(
    folder: Path, tile: NDArray[Any], cell: Cell, *, raster: DatasetReader, codec: str
) -> None:
    """Write one tile as a GeoTIFF."""
    top, left = cell
    transform = raster.window_transform(Window(left, top, tile.shape[2], tile.shape[1]))
    profile = {
        "driver": "GTiff", "count": tile.shape[0], "height": tile.shape[1],
        "width": tile.shape[2], "dtype": tile.dtype, "crs": raster.crs, "transform": transform,
        "nodata": raster.nodata,
    }  # fmt: skip
    with rasterio.open(folder / f"{top}_{left}.tif", "w", **profile, **CODECS[codec]) as file:
        file.write(tile)


def sync(folder: Path) -> None:
    """Sync every file of a folder to disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def torchgeo(given: argparse.Namespace) -> int:
    """Cut tiles to memory with torchgeo's GridGeoSampler, float32 as it gives them.

    Returns:
        How many hold anything but nodata; chips that reach over the edge are not asked for.
    """
    from shapely import box  # noqa: PLC0415 - comes with torchgeo

    dataset, sampler = given.torchgeo
    with rasterio.open(given.scenes[0]) as raster:
        west, south, step = raster.bounds.left, raster.bounds.bottom, raster.res[0]
        rows, cols = (length // given.size * given.size for length in raster.shape)
    chips = dataset(paths=[str(given.scenes[0])])
    whole = box(west, south, west + cols * step, south + rows * step)
    return sum(
        bool(chips[query]["image"].any()) for query in sampler(chips, size=given.size, roi=whole)
    )


def _torchgeo_classes() -> Any:
    """Import torchgeo, which takes seconds, before the loop is timed."""
    from torchgeo.datasets import RasterDataset  # noqa: PLC0415
    from torchgeo.samplers import GridGeoSampler  # noqa: PLC0415

    return RasterDataset, GridGeoSampler


def main() -> None:
    """Run one peer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("job", choices=("read", "write", "torchgeo"))
    parser.add_argument("scenes", type=Path, nargs="+", help="finest first")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--stride", type=int, help="default: the size")
    parser.add_argument("--shuffle", action="store_true", help="ask for tiles in random order")
    parser.add_argument("--statistics", action="store_true")
    parser.add_argument("--codec", choices=sorted(CODECS), default="deflate")
    parser.add_argument("--cache", type=int, help="GDAL's cache in MB; default: 5 %% of the memory")
    parser.add_argument("--sync", action="store_true", help="sync files to disk at the end")
    parser.add_argument("--part", default="0/1", metavar="I/N", help="which part of the tiles")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.output is not None:
        given.output.mkdir(parents=True, exist_ok=True)
    if given.job == "torchgeo":
        given.torchgeo = _torchgeo_classes()
    cpu, wall = time.process_time(), time.perf_counter()
    tiles = torchgeo(given) if given.job == "torchgeo" else cut(given)
    took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({"count": tiles, **took}))


if __name__ == "__main__":
    main()
