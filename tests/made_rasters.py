"""Rasters of every layout that the system's GDAL writes without loss: made data, made once."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field

import numpy as np
import pytest
import rasterio

CRS = "EPSG:32633"
TRANSFORM = rasterio.Affine(10.0, 0.0, 384_470.0, 0.0, -10.0, 5_820_450.0)
SHAPE = (3, 70, 90)

TILED = ("TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=32")
ODD = ("TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=48")
LARGE = ("TILED=YES", "BLOCKXSIZE=128", "BLOCKYSIZE=256")
ROWS = ("BLOCKYSIZE=1",)
STRIPS = ("BLOCKYSIZE=7",)
WHOLE = ("BLOCKYSIZE=70",)

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float32", "float64")


@dataclass(frozen=True)
class Kind:
    """How one raster is stored.

    Attributes:
        name: Names the test.
        dtype: Of all bands.
        shape: (C, H, W).
        options: Creation options of the driver.
        words: Other words of gdal_translate.
        driver: GDAL's name of the format.
        bits: Values stay below 2^bits.
        blank: Rows and columns from the corner that hold zeros only.
    """

    name: str
    dtype: str = "uint16"
    shape: tuple[int, int, int] = SHAPE
    options: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    driver: str = "GTiff"
    bits: int | None = None
    blank: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        return {"GTiff": "tif", "COG": "tif", "JP2OpenJPEG": "jp2", "VRT": "vrt"}[self.driver]


@dataclass(frozen=True)
class Made:
    """A raster and the pixels that went into it, (C, H, W)."""

    path: object
    pixels: np.ndarray = field(repr=False)


def tool(name):
    """Return the path of a program of GDAL; the test is skipped without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is absent (Debian: apt install gdal-bin)")
    return found


def pixels_of(kind, seed=0):
    """Return values from the whole range of the type, its extremes among them."""
    random = np.random.default_rng(seed)
    if kind.dtype.startswith("float"):
        pixels = (random.normal(size=kind.shape) * 1e3).astype(kind.dtype)
        pixels[:, -1, :3] = [-0.0, 3e38 if kind.dtype == "float32" else 1e150, 1e-38]
    else:
        low, high = np.iinfo(kind.dtype).min, np.iinfo(kind.dtype).max
        low, high = (0, 2**kind.bits - 1) if kind.bits else (low, high)
        pixels = random.integers(low, high, kind.shape, kind.dtype, endpoint=True)
        pixels[:, -1, :2] = [low, high]
    if kind.bits and kind.dtype == "float32":  # halves hold small whole numbers
        pixels = np.rint(pixels).clip(-2000, 2000)
    pixels[:, : kind.blank[0], : kind.blank[1]] = 0
    return pixels


def write_plain(path, pixels, *, crs=CRS, transform=TRANSFORM, **profile):
    """Write a GeoTIFF as simple as can be, or as the profile says, with rasterio."""
    count, height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width,
        dtype=pixels.dtype, crs=crs, transform=transform, **profile,
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


def translate(source, target, *words):
    """Copy a raster with the system's gdal_translate."""
    command = [tool("gdal_translate"), "-q", *words, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return target


def make(kind, folder, *, seed=0, **profile):
    """Write one raster of a kind."""
    pixels = pixels_of(kind, seed)
    source = write_plain(folder / "source.tif", pixels, **profile)
    options = [word for option in kind.options for word in ("-co", option)]
    if kind.dtype == "int8" and kind.driver == "GTiff":
        options += ["-co", "PIXELTYPE=SIGNEDBYTE"]
    path = folder / f"scene.{kind.suffix}"
    translate(source, path, "-of", kind.driver, *kind.words, *options)
    if kind.driver != "VRT":
        source.unlink()
    return Made(path, pixels)


def _compressed(compression, predictor=1):
    return (f"COMPRESS={compression}", *([f"PREDICTOR={predictor}"] if predictor > 1 else []))


def _interleaved(*options):
    return {way: (f"INTERLEAVE={way.upper()}", *options) for way in ("pixel", "band")}


def compressions():
    """Every lossless codec, with and without differences, in both orders of bands."""
    plain = ("NONE", "PACKBITS", "LZMA", "LERC", "LERC_DEFLATE", "LERC_ZSTD")
    codecs = [(one, 1) for one in plain]
    codecs += [(one, predictor) for one in ("LZW", "DEFLATE", "ZSTD") for predictor in (1, 2)]
    for number, (codec, predictor) in enumerate(codecs):
        for turn, (way, options) in enumerate(_interleaved(*_compressed(codec, predictor)).items()):
            block = (TILED, STRIPS)[(number + turn) % 2]
            yield Kind(f"{codec}-{predictor}-{way}".lower(), options=(*options, *block))
    rgb = Kind("webp-rgb", "uint8", options=("COMPRESS=WEBP", "WEBP_LOSSLESS=YES", *TILED))
    yield from (rgb, Kind("lzw-float", "float32", options=_compressed("LZW", 3)))


def dtypes():
    """Every type with each predictor that it has, through the codecs that matter most."""
    for number, dtype in enumerate((*INTEGERS, *FLOATS)):
        predictors = (1, 2, 3) if dtype in FLOATS else (1, 2)
        for turn, predictor in enumerate(predictors):
            for codec in ("DEFLATE", "ZSTD"):
                way = ("PIXEL", "BAND")[(number + turn + (codec == "ZSTD")) % 2]
                block = (ODD, STRIPS, TILED)[(number + turn) % 3]
                options = (*_compressed(codec, predictor), f"INTERLEAVE={way}", *block)
                yield Kind(f"{dtype}-{codec}-{predictor}-{way}".lower(), dtype, options=options)
        yield Kind(f"{dtype}-none", dtype, options=(TILED, ROWS)[number % 2])


def blocks():
    """Every shape of block in both orders of bands; blocks may be larger than the raster."""
    shapes = {"tiled": TILED, "odd": ODD, "large": LARGE, "rows": ROWS, "strips": STRIPS}
    for name, shape in {**shapes, "whole": WHOLE}.items():
        for way, options in _interleaved(*_compressed("DEFLATE", 2)).items():
            yield Kind(f"{name}-{way}", options=(*options, *shape))
        yield Kind(f"{name}-one", shape=(1, 70, 90), options=(*shape, "COMPRESS=ZSTD"))


def peculiarities():
    """What a GeoTIFF can be besides."""
    for name, dtype, options in (
        ("none", "uint16", ()),
        ("deflate", "uint32", _compressed("DEFLATE", 2)),
        ("zstd", "float32", _compressed("ZSTD")),  # libtiff garbles predictor 3 here
        ("float64", "float64", ()),
        ("int64", "int64", _compressed("DEFLATE")),
    ):
        for way, both in _interleaved(*options, *TILED).items():
            yield Kind(f"big-endian-{name}-{way}", dtype, options=(*both, "ENDIANNESS=BIG"))
    yield Kind("bigtiff", options=("BIGTIFF=YES", *TILED, *_compressed("DEFLATE", 2)))
    yield Kind("bigtiff-strips", options=("BIGTIFF=YES", *STRIPS, *_compressed("ZSTD")))
    for way, options in _interleaved("SPARSE_OK=TRUE", *TILED, *_compressed("DEFLATE")).items():
        yield Kind(f"sparse-{way}", options=options, blank=(64, 40))
    yield Kind("sparse-strips", options=("SPARSE_OK=TRUE", *STRIPS), blank=(30, 90))
    for dtype, bits in (("uint8", 1), ("uint8", 4), ("uint16", 12), ("uint32", 20)):
        for way, options in _interleaved(f"NBITS={bits}", "COMPRESS=DEFLATE").items():
            yield Kind(f"nbits-{bits}-{way}", dtype, options=options, bits=bits)
    yield Kind("nbits-1-one", "uint8", (1, 70, 90), options=("NBITS=1", *TILED), bits=1)
    yield Kind("halves", "float32", options=("NBITS=16", *TILED, "COMPRESS=ZSTD"), bits=16)
    yield Kind("odd-pixels-large-tiles", shape=(2, 131, 257), options=(*ODD, "COMPRESS=LZW"))


def containers():
    """The same pixels in other formats."""
    for codec in ("NONE", "DEFLATE", "ZSTD", "LZW"):
        options = (f"COMPRESS={codec}", "BLOCKSIZE=128")
        yield Kind(f"cog-{codec}".lower(), shape=(3, 300, 280), driver="COG", options=options)
    predicted = ("COMPRESS=DEFLATE", "PREDICTOR=YES", "BLOCKSIZE=128")
    yield Kind("cog-float", "float32", (2, 300, 280), driver="COG", options=predicted)
    for dtype in ("uint8", "uint16", "int16"):
        yield _jp2(f"jp2-{dtype}", dtype, "BLOCKXSIZE=64", "BLOCKYSIZE=64")
        yield _jp2(f"jp2-untiled-{dtype}", dtype)
    yield _jp2("jp2-12-bits", "uint16", "NBITS=12", bits=12)
    yield _jp2("jp2-larger-than-gdals-blocks", "uint16", shape=(1, 1100, 1200))
    yield Kind("vrt", driver="VRT")
    yield Kind("vrt-window-float", "float32", driver="VRT", words=("-a_nodata", "nan"))


def _jp2(name, dtype, *options, shape=SHAPE, bits=None):
    lossless = ("QUALITY=100", "REVERSIBLE=YES", "YCC=NO", *options)
    return Kind(name, dtype, shape, options=lossless, driver="JP2OpenJPEG", bits=bits)


def every_kind():
    """All of the above."""
    parts = (compressions, dtypes, blocks, peculiarities, containers)
    return [kind for part in parts for kind in part()]
