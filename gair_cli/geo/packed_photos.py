"""Make the JPEG that goes into a shard: upright, short side bounded, never enlarged.

A JPEG that is upright and small enough already is copied byte for byte, after it has been decoded
once to know that it is whole. Panoramas are kept: only the short side is bounded.
"""

from __future__ import annotations

import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps, UnidentifiedImageError

from gair_cli.geo.foreign import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

QUALITY: Final = 90
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class PackedPhoto:
    """A photo as it goes into the shard, or why it does not.

    Attributes:
        data: JPEG bytes, or None.
        reason: `file missing`, `file empty`, `not an image`, `corrupt image`..., or None.
    """

    data: bytes | None
    reason: str | None = None


def pack_photo(path: str | None, *, short_side: int) -> PackedPhoto:
    """Read one photo and bring it to the form of the shards.

    Args:
        path: The image file, any format that Pillow reads; or a place in a tar (`geo.foreign`).
        short_side: Longest short side in pixels.

    Returns:
        The JPEG, or the reason why there is none; this never raises for a bad photo.
    """
    if not path:
        return PackedPhoto(None, "no path")
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return PackedPhoto(None, "file missing")
    except OSError as error:
        return PackedPhoto(None, f"file unreadable: {error.strerror}")
    if not data:
        return PackedPhoto(None, "file empty")
    return _packed(data, short_side)


def _packed(data: bytes, short_side: int) -> PackedPhoto:
    try:
        return PackedPhoto(jpeg_bytes(data, short_side=short_side))
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return PackedPhoto(None, "not an image")
    except (OSError, SyntaxError, ValueError, EOFError):
        return PackedPhoto(None, "corrupt image")


def jpeg_bytes(data: bytes, *, short_side: int) -> bytes:
    """Return an image as an upright RGB JPEG whose short side is at most `short_side` px.

    Args:
        data: An encoded image.
        short_side: Longest short side in pixels.

    Returns:
        `data` itself if nothing has to change, else a new JPEG of quality 90.

    Raises:
        UnidentifiedImageError: If it is no image.
        OSError: If it is truncated or corrupt.
    """
    with Image.open(io.BytesIO(data)) as image:
        upright = image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
        fits = min(image.size) <= short_side
        if image.format == "JPEG" and image.mode == "RGB" and upright and fits:
            image.load()
            return data
        size = _bounded(image.size, short_side)
        if upright:
            image.draft("RGB", size)  # decodes at 1/2, 1/4, 1/8 where that is still large enough
        turned = ImageOps.exif_transpose(image).convert("RGB")
    if not fits:
        turned = turned.resize(_bounded(turned.size, short_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _bounded(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, short_side / min(size))
    return max(1, round(width * scale)), max(1, round(height * scale))


def pack_photos(
    paths: Iterable[str | None], *, short_side: int, jobs: int
) -> Iterator[PackedPhoto]:
    """Pack photos in threads (Pillow decodes without the GIL) and yield them in order.

    Args:
        paths: Image files; None yields a photo without data.
        short_side: Longest short side in pixels.
        jobs: Number of threads; the result does not depend on it.

    Yields:
        One photo for each path; at most four a thread are held.
    """
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="gair-photo")
    waiting: deque[Future[PackedPhoto]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(pack_photo, path, short_side=short_side))
            if len(waiting) >= 4 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
