"""Photo files: what their headers say, and their pixels.

Headers are read in Rust, many files at a time and 64 KB a file; pixels by Pillow.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from PIL import Image, ImageOps

from gair_cli import _rust
from gair_cli.errors import InputError
from gair_cli.geo.tables import PhotoTable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})
"""Endings of the files that a folder of photos is searched for."""

ALL_SUFFIXES: Final = SUFFIXES | {".tif", ".tiff"}
"""With those that scenes have, too."""

_HEADER_SCHEMA: Final[dict[str, Any]] = {
    "lon": pl.Float64,
    "lat": pl.Float64,
    "fault": pl.String,
    "heading": pl.Float32,
    "pitch": pl.Float32,
    "fov": pl.Float32,
    "captured_at_ms": pl.Int64,
    "h_accuracy_m": pl.Float32,
    "altitude": pl.Float32,
    "captured_local": pl.String,
    "width": pl.UInt32,
    "height": pl.UInt32,
    "orientation": pl.UInt8,
    "panorama": pl.Boolean,
    "error": pl.String,
}
_EXTRA: Final = "extra"
_EXTRA_HEADING: Final = (
    r"(?i)(?:^|[;,|&\s])(?:heading|compass_angle|bearing)\s*=\s*([+-]?\d+(?:\.\d+)?)(?:[;,|&\s]|$)"
)


def photo_files(folder: Path, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """List the photos of a folder and its folders, hidden ones left out, by path.

    Args:
        folder: Where to look.
        suffixes: Endings of their names, in small letters.

    Raises:
        InputError: If the folder is missing, or holds no photo.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", hint="give a folder of photos or a table")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not found:
        raise InputError(
            f"{folder} holds no photos", hint=f"looked for {' '.join(sorted(suffixes))}"
        )
    return found


def read_headers(paths: Sequence[Path]) -> pl.DataFrame:
    """Read the EXIF and XMP headers of photos.

    Args:
        paths: The files.

    Returns:
        One row a file, in order: `lon`, `lat` (degrees), `fault` (why a position that is there
        cannot be used), `heading` (degrees from true north), `pitch`, `fov` (degrees),
        `captured_at` (UTC, where the file tells the offset or the GPS time), `h_accuracy_m`,
        `altitude`, `captured_local` (the camera's clock), `width`, `height` (stored pixels),
        `orientation` (1 to 8), `panorama`, `error` (why the file cannot be read). What a file
        does not say is null.
    """
    headers = _rust.read_photo_headers([str(path) for path in paths])
    rows = [{name: getattr(header, name) for name in _HEADER_SCHEMA} for header in headers]
    frame = pl.DataFrame(rows, schema=_HEADER_SCHEMA)
    time = pl.col("captured_at_ms").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    return frame.with_columns(time.alias("captured_at")).drop("captured_at_ms")


def scan_folder(folder: Path) -> pl.DataFrame:
    """Read the headers of all photos in a folder, also of those without a position.

    Args:
        folder: Searched with its folders.

    Returns:
        `photo_id` (path relative to the folder), `path` (absolute), then as `read_headers`.

    Raises:
        InputError: If the folder is missing, or holds no photo.
    """
    paths = photo_files(folder)
    ids = [path.relative_to(folder).as_posix() for path in paths]
    identity = {"photo_id": ids, "path": [str(path.absolute()) for path in paths]}
    return pl.DataFrame(identity).hstack(read_headers(paths))


def scan_photos(folder: Path) -> PhotoTable:
    """Read a folder of photos as a photo table; those without a position are bad rows.

    Raises:
        InputError: If the folder is missing, or holds no photo.
    """
    frame = scan_folder(folder).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    reason = (
        pl.when(pl.col("error").is_not_null())
        .then(pl.lit("unreadable photo"))
        .when(pl.col("lon").is_null() | pl.col("lat").is_null())
        .then(pl.col("fault").fill_null("no coordinates"))
    )
    frame = frame.with_columns(reason.alias("reason"))
    dropped = [
        "row",
        "reason",
        "error",
        "fault",
        "captured_local",
        "width",
        "height",
        "orientation",
    ]
    good = frame.filter(pl.col("reason").is_null()).drop([*dropped, "panorama"])
    return PhotoTable(good, frame.filter(pl.col("reason").is_not_null()), 0)


def heading_in_extra(photos: pl.DataFrame) -> bool:
    """Tell whether any row names its heading in the text column `extra`."""
    if photos.schema.get(_EXTRA) != pl.String:
        return False
    return bool(photos[_EXTRA].str.contains(_EXTRA_HEADING).any())


def with_heading_from_extra(photos: pl.DataFrame, *, always: bool = False) -> pl.DataFrame:
    """Take the heading from `key=value` pairs of a text column `extra`, if there is no other.

    Args:
        photos: A photo table.
        always: Add the column also where no row has a heading, as other rows of the table have.

    Returns:
        The table with `heading` (float32, [0, 360), null where `extra` has none) if any row has
        one, else unchanged. `extra` stays as it is.
    """
    if "heading" in photos.columns or not (always or heading_in_extra(photos)):
        return photos
    found = photos[_EXTRA].str.extract(_EXTRA_HEADING, 1).cast(pl.Float64, strict=False)
    turned = (found % 360.0).cast(pl.Float32).alias("heading")
    return photos.with_columns(turned)


def read_jpeg(source: bytes | str | Path, short_side: int | None = None) -> NDArray[np.uint8]:
    """Decode a picture (JPEG or any other format of Pillow), upright by its EXIF orientation.

    Args:
        source: The file's bytes, or its path.
        short_side: Bring the shorter side to this many pixels, keeping the aspect ratio; larger
            JPEGs are decoded at a reduced size, which is fast.

    Returns:
        (h, w, 3) uint8, RGB.

    Raises:
        InputError: If the file is missing, cut off or no picture.
    """
    name = "a photo" if isinstance(source, bytes) else str(source)
    stream = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        with Image.open(stream) as image:
            if short_side is not None:
                image.draft("RGB", (short_side, short_side))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist", hint="check the path") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{name} is not a readable picture: {error}") from error
    return np.asarray(upright if short_side is None else _resized(upright, short_side))


def _resized(image: Image.Image, short_side: int) -> Image.Image:
    scale = short_side / min(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)
