"""Small photos with chosen headers, and pictures with something on them."""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image, ImageFilter
from PIL.TiffImagePlugin import IFDRational

GPS = ExifTags.GPS
BASE = ExifTags.Base


def sexagesimal(degrees: float) -> tuple[IFDRational, ...]:
    parts = round(abs(degrees) * 3600 * 10_000)
    whole = (parts // 36_000_000, 1), (parts // 600_000 % 60, 1), (parts % 600_000, 10_000)
    return tuple(IFDRational(number, by) for number, by in whole)


def exif_at(lon=None, lat=None, *, refs=None, heading=None, taken=None, offset=None, **more):
    """Return an EXIF block; `refs` are (north or south, east or west)."""
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if lon is not None:
        refs = refs or ("N" if lat >= 0 else "S", "E" if lon >= 0 else "W")
        gps[GPS.GPSLatitude], gps[GPS.GPSLongitude] = sexagesimal(lat), sexagesimal(lon)
        gps[GPS.GPSLatitudeRef], gps[GPS.GPSLongitudeRef] = refs
    if heading is not None:
        gps[GPS.GPSImgDirection] = IFDRational(round(heading * 100), 100)
    details = exif.get_ifd(ExifTags.IFD.Exif)
    if taken is not None:
        details[BASE.DateTimeOriginal] = taken
    if offset is not None:
        details[BASE.OffsetTimeOriginal] = offset
    for name, value in more.items():
        exif[getattr(BASE, name)] = value
    return exif


def scene(seed, size=(320, 240), *, blur=0.0):
    """Return a picture of rectangles, different for each seed."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    for _ in range(60):
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        w, h = rng.integers(8, 90, 2)
        pixels[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    image = Image.fromarray(pixels)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def save(path, image, exif=None, form="JPEG", **more):
    """Write a picture and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = {} if exif is None else {"exif": exif.tobytes()}
    image.save(path, form, **extra, **more)
    return path


def jpeg_bytes(image, **more):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **more)
    return stream.getvalue()
