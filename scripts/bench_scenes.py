"""Make the scenes that `bench_tile.py` cuts: made data, seeded, the same bytes on every machine.

A scene is a smooth field of 500-4,000 with Gaussian noise of sd 20, as uint16, under a wedge of
nodata that covers 8 % of it. What is there already is kept.

    python scripts/bench_scenes.py build/bench/a.tif tif 5490
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

SEED: Final = 4
BANDS: Final = 10
STRIP: Final = 512
"""Rows that are made at a time; also the blocks of the GeoTIFFs."""

NODATA: Final = 0
WEDGE: Final = 0.08
LOWEST, HIGHEST = 500.0, 4000.0
NOISE: Final = 20.0
EAST, NORTH = 399960.0, 5800020.0
CRS: Final = "EPSG:32633"
DEFLATE: Final = {
    "driver": "GTiff", "compress": "deflate", "predictor": 2, "tiled": True,
    "blockxsize": STRIP, "blockysize": STRIP, "interleave": "band", "num_threads": 2,
    "bigtiff": "if_safer",
}  # fmt: skip
JP2: Final = {
    "driver": "JP2OpenJPEG", "quality": 100, "reversible": "yes", "resolutions": 6,
    "blockxsize": 1024, "blockysize": 1024, "num_threads": 2,
}  # fmt: skip
FINE: Final = ("B2", "B3", "B4", "B8")
COARSE: Final = ("B5", "B6", "B7", "B8A", "B11", "B12")


@dataclass(frozen=True, slots=True)
class Field:
    """The pixels of a scene, for any band and strip of rows.

    Attributes:
        side: Rows and columns.
        step: Size of a pixel in pixels of 10 m; the field is the same at every size.
        seed: Of the noise.
    """

    side: int
    step: int = 1
    seed: int = SEED

    def strip(self, band: int, top: int) -> NDArray[np.uint16]:
        """Return up to `STRIP` rows (H, W) of a band from row `top`, a multiple of `STRIP`."""
        rows = np.arange(top, min(top + STRIP, self.side))
        noise = np.random.default_rng((self.seed, band, self.step, top)).standard_normal(
            (len(rows), self.side), dtype=np.float32
        )
        pixels = self._smooth(band, rows) + np.float32(NOISE) * noise
        values = np.clip(np.rint(pixels), 1, 10_000).astype(np.uint16)
        values[self._outside(rows)] = NODATA
        return values

    def _smooth(self, band: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the field without noise: waves of some 1,500 to 3,000 pixels of 10 m."""
        down = np.sin(2 * np.pi * rows * self.step / (1500 + 150 * band) + band)
        cols = np.arange(self.side) * self.step
        across = np.cos(2 * np.pi * cols / (3000 - 120 * band) + 2 * band)
        middle, half = (LOWEST + HIGHEST) / 2, (HIGHEST - LOWEST) / 2
        return (middle + half * np.outer(down, across)).astype(np.float32)

    def _outside(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pixels lie in the wedge: widest in the first row, none in the last."""
        width = 2 * WEDGE * (self.side - rows)
        return np.arange(self.side) + 0.5 < width[:, None]

    def profile(self, bands: int) -> dict[str, Any]:
        """Return what rasterio needs to create a raster of the field."""
        metres = 10.0 * self.step
        return {
            "width": self.side, "height": self.side, "count": bands, "dtype": "uint16",
            "nodata": NODATA, "crs": CRS, "transform": Affine(metres, 0, EAST, 0, -metres, NORTH),
        }  # fmt: skip


def write_tif(path: Path, field: Field, bands: Sequence[int] | None = None) -> None:
    """Write bands of a field as a GeoTIFF: deflate, predictor 2, blocks of 512 pixels.

    Args:
        path: Where; what is there stays.
        field: The pixels.
        bands: Their numbers in the field; default: the first ten.
    """
    if path.exists():
        return
    numbers = list(range(BANDS)) if bands is None else list(bands)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(part, "w", **field.profile(len(numbers)), **DEFLATE) as raster:
        for number, values, window in _strips(field, numbers):
            raster.write(values, number, window=window)
    part.rename(path)


def _strips(field: Field, bands: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint16], Window]]:
    for number, band in enumerate(bands, start=1):
        for top in range(0, field.side, STRIP):
            values = field.strip(band, top)
            yield number, values, Window(0, top, field.side, len(values))


def write_jp2(path: Path, field: Field) -> None:
    """Write one band as lossless JPEG 2000 in tiles of 1,024 pixels, as Sentinel-2's are."""
    if path.exists():
        return
    plain, part = path.with_suffix(".plain.tif"), path.with_name(f"{path.stem}.part.jp2")
    write_tif(plain, field, [0])
    rasterio.shutil.copy(plain, part, **JP2)
    part.rename(path)
    for left in (plain, part.with_suffix(".jp2.aux.xml")):
        left.unlink(missing_ok=True)


def write_mixed(folder: Path, side: int) -> None:
    """Write a scene of four bands at 10 m and six at 20 m: as a pair of files, and file by band."""
    fine, coarse = Field(side), Field(side // 2, step=2)
    write_tif(folder / "pair" / "fine.tif", fine, range(len(FINE)))
    write_tif(folder / "pair" / "coarse.tif", coarse, range(len(COARSE)))
    for field, names in ((fine, FINE), (coarse, COARSE)):
        for band, name in enumerate(names):
            write_tif(folder / "bands" / f"scene_{name}.tif", field, [band])


WRITERS: Final[Mapping[str, Any]] = {
    "tif": lambda path, side: write_tif(path, Field(side)),
    "jp2": lambda path, side: write_jp2(path, Field(side)),
    "mixed": write_mixed,
}


def main() -> None:
    """Write one scene."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, help="file, or folder for `mixed`")
    parser.add_argument("kind", choices=sorted(WRITERS))
    parser.add_argument("side", type=int, help="rows and columns")
    given = parser.parse_args()
    WRITERS[given.kind](given.path, given.side)


if __name__ == "__main__":
    main()
