"""Write where, when and in which direction a photo was taken into its EXIF header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from gair_cli.demo.shots import MADE_DATA, PhotoPlan, Shot

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.demo.noise import Codes

DESCRIPTION: Final = f"{MADE_DATA}: a city that does not exist, drawn by gair demo"
_QUALITY: Final = 88
_SECOND_PARTS: Final = 100_000
_FILM_WIDTH_MM: Final = 36.0


def save_photo(pixels: Codes, path: Path, shot: Shot, plan: PhotoPlan) -> None:
    """Write a photo as JPEG with its EXIF header.

    Args:
        pixels: (H, W, 3) uint8.
        path: The file.
        shot: Where and when it was taken.
        plan: For the field of view.
    """
    Image.fromarray(pixels).save(
        path, "JPEG", quality=_QUALITY, subsampling=0, exif=_header(shot, plan)
    )


def _header(shot: Shot, plan: PhotoPlan) -> Image.Exif:
    taken = shot.moment.strftime("%Y:%m:%d %H:%M:%S")
    header = Image.Exif()
    header[ExifTags.Base.ImageDescription] = DESCRIPTION
    header[ExifTags.Base.Make] = "gair"
    header[ExifTags.Base.Model] = MADE_DATA
    header[ExifTags.Base.DateTime] = taken
    header[ExifTags.Base.Copyright] = "CC0-1.0"
    details = header.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = taken
    details[ExifTags.Base.OffsetTimeOriginal] = "+00:00"
    if not plan.panorama:
        half = np.tan(np.radians(plan.fov_deg / 2))
        details[ExifTags.Base.FocalLengthIn35mmFilm] = round(_FILM_WIDTH_MM / 2 / float(half))
    header.get_ifd(ExifTags.IFD.GPSInfo).update(_gps(shot))
    return header


def _gps(shot: Shot) -> dict[int, object]:
    time = (shot.moment.hour, shot.moment.minute, shot.moment.second)
    return {
        ExifTags.GPS.GPSVersionID: b"\x02\x03\x00\x00",
        ExifTags.GPS.GPSLatitudeRef: "N" if shot.lat >= 0 else "S",
        ExifTags.GPS.GPSLatitude: _sexagesimal(abs(shot.lat)),
        ExifTags.GPS.GPSLongitudeRef: "E" if shot.lon >= 0 else "W",
        ExifTags.GPS.GPSLongitude: _sexagesimal(abs(shot.lon)),
        ExifTags.GPS.GPSTimeStamp: tuple(IFDRational(part, 1) for part in time),
        ExifTags.GPS.GPSDateStamp: shot.moment.strftime("%Y:%m:%d"),
        ExifTags.GPS.GPSImgDirectionRef: "T",
        ExifTags.GPS.GPSImgDirection: IFDRational(round(shot.heading_deg * 10), 10),
        ExifTags.GPS.GPSMapDatum: "WGS-84",
    }


def _sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Split degrees into degrees, minutes and seconds, to a third of a millimetre."""
    parts = round(degrees * 3600 * _SECOND_PARTS)
    minutes, rest = divmod(parts, 60 * _SECOND_PARTS)
    whole, minute = divmod(minutes, 60)
    return IFDRational(whole, 1), IFDRational(minute, 1), IFDRational(rest, _SECOND_PARTS)
