"""What the pixels of photos tell: whether they can be decoded, how sharp they are, what is alike.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000) at a fixed size. Likeness is a
difference hash: whether each of 256 cells is brighter than its neighbour.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from gair_cli.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HASH_BYTES: Final = 32
_HASH_SIDE: Final = 16
_SHARP_SIDE: Final = 512
_FLAT: Final = 1.0
"""Grey values that vary less are of one colour: they say nothing of focus or likeness."""
_BANDS: Final = 16
"""Two hashes that differ in fewer bits than there are bands are equal in one of them."""
LARGEST_DIFFERENCE: Final = _BANDS - 1
_HEIF: Final = frozenset({".heic", ".heif"})


@dataclass(frozen=True, slots=True)
class Measured:
    """What the pixels of one photo tell.

    Attributes:
        sharpness: Variance of the Laplacian of grey values from 0 to 255, the longer side brought
            to at most 512 pixels; None where nothing can be told: pixels that were not looked at,
            and pictures of one colour.
        hash: 256 bits of likeness; None likewise.
        error: Why they cannot be decoded.
    """

    sharpness: float | None = None
    hash: bytes | None = None
    error: str | None = None


def measure_photos(paths: Sequence[Path], *, jobs: int) -> Iterator[Measured]:
    """Decode photos in several threads and yield what their pixels tell, in order.

    Raises:
        MissingPackageError: If one is HEIC, and the package that decodes it is not installed.
    """
    if any(path.suffix.lower() in _HEIF for path in paths):
        open_heif()
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(measure_photo, paths)


def open_heif() -> None:
    """Let Pillow read HEIC.

    Raises:
        MissingPackageError: If the package for it is not installed.
    """
    try:
        from pillow_heif import register_heif_opener  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingPackageError(
            "HEIC photos cannot be decoded without pillow-heif",
            hint="pip install 'gair[heic]', or pass --no-pixels to read headers only",
        ) from error
    register_heif_opener()


def measure_photo(path: Path) -> Measured:
    """Decode one photo and measure it."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            image.draft("L", (_SHARP_SIDE, _SHARP_SIDE))
            grey = image.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Measured(error=str(error) or type(error).__name__)
    if np.asarray(grey).std() < _FLAT:
        return Measured()
    return Measured(sharpness(grey), difference_hash(grey))


def sharpness(image: Image.Image) -> float:
    """Return the variance of the Laplacian of a grey picture of at most a fixed size."""
    scale = min(1.0, _SHARP_SIDE / max(image.size))
    size = (max(3, round(image.width * scale)), max(3, round(image.height * scale)))
    values = np.asarray(image.resize(size, Image.Resampling.BOX, reducing_gap=2.0), np.float32)
    middle = values[1:-1, 1:-1]
    around = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]
    return float((around - 4 * middle).var())


def difference_hash(image: Image.Image) -> bytes:
    """Return 256 bits: whether each cell of 16 x 16 is brighter than the one to its right."""
    size = (_HASH_SIDE + 1, _HASH_SIDE)
    cells = np.asarray(image.resize(size, Image.Resampling.BOX), np.int16)
    return np.packbits(cells[:, :-1] > cells[:, 1:]).tobytes()


def near_duplicates(hashes: Sequence[bytes | None], *, most: int) -> list[int | None]:
    """Find photos that look like an earlier one.

    Args:
        hashes: One a photo, in order; None is like nothing.
        most: Bits that may differ, at most 15.

    Returns:
        For each photo the number of the kept photo that it is like, or None: photos are kept in
        order, and compared with those kept only.

    Raises:
        ValueError: If more bits may differ than are compared exactly.
    """
    if not 0 <= most <= LARGEST_DIFFERENCE:
        raise ValueError(f"0 to {LARGEST_DIFFERENCE} bits may differ, not {most}")
    tables: list[dict[bytes, list[int]]] = [{} for _ in range(_BANDS)]
    bits = [None if code is None else int.from_bytes(code, "big") for code in hashes]
    found: list[int | None] = []
    width = HASH_BYTES // _BANDS
    for number, code in enumerate(hashes):
        if code is None:
            found.append(None)
            continue
        bands = [code[band * width : (band + 1) * width] for band in range(_BANDS)]
        near = {other for table, band in zip(tables, bands, strict=True)
                for other in table.get(band, ())}  # fmt: skip
        like = min((other for other in near if _differ(bits, number, other) <= most), default=None)
        found.append(like)
        if like is None:
            for table, band in zip(tables, bands, strict=True):
                table.setdefault(band, []).append(number)
    return found


def _differ(bits: Sequence[int | None], one: int, other: int) -> int:
    return ((bits[one] or 0) ^ (bits[other] or 0)).bit_count()
