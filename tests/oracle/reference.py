"""Tiling as slow and plain as can be: numpy over a whole scene, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tile:
    """One tile: its lattice place, its first pixel, its pixels and which of them are valid."""

    row: int
    col: int
    top: int
    left: int
    pixels: np.ndarray  # (C, H, W)
    valid: np.ndarray  # (C, H, W) bool

    @property
    def nodata_fraction(self) -> float:
        return float(1 - self.valid.any(axis=0).mean())


def starts(length, size, stride, partial):
    """Return the first pixels along one axis."""
    inside = [start for start in range(0, length, stride) if start + size <= length]
    following = len(inside) * stride
    whole = inside and inside[-1] + size >= length
    if whole or following >= length or partial == "skip":
        return inside
    if partial == "pad":
        return [*inside, following]
    return [*inside, length - size] if length >= size else inside


def cut(pixels, *, size, stride=None, partial="skip", nodata=None, mask=None):
    """Cut (C, H, W) pixels into tiles, those without a valid pixel left out."""
    _, height, width = pixels.shape
    rows, cols = (height, width) if size is None else (size, size)
    step = stride or size
    valid = valid_pixels(pixels, nodata, mask)
    burnt = pixels.copy()
    if mask is not None and fill_value(pixels, nodata) is not None:
        burnt[:, ~mask] = fill_value(pixels, nodata)
    tops = starts(height, rows, step or height, partial)
    lefts = starts(width, cols, step or width, partial)
    places = [(row, col) for row in range(len(tops)) for col in range(len(lefts))]
    tiles = [
        Tile(
            row, col, tops[row], lefts[col],
            _window(burnt, tops[row], lefts[col], rows, cols, fill_value(pixels, nodata)),
            _window(valid, tops[row], lefts[col], rows, cols, fill=False),
        )
        for row, col in places
    ]  # fmt: skip
    return [tile for tile in tiles if tile.valid.any()]


def valid_pixels(pixels, nodata, mask):
    """Return which pixels are valid, (C, H, W)."""
    valid = ~np.isnan(pixels) if pixels.dtype.kind == "f" else np.ones(pixels.shape, bool)
    if nodata is not None and not np.isnan(nodata):
        valid &= pixels != np.array(nodata, pixels.dtype)
    return valid if mask is None else valid & mask


def fill_value(pixels, nodata):
    """Return what a pixel that is none holds, or None where nothing could tell it."""
    return np.nan if nodata is None and pixels.dtype.kind == "f" else nodata


def _window(array, top, left, rows, cols, fill):
    part = array[:, top : top + rows, left : left + cols]
    if part.shape[1:] == (rows, cols):
        return part
    out = np.full((array.shape[0], rows, cols), fill, array.dtype)
    out[:, : part.shape[1], : part.shape[2]] = part
    return out


def statistics(values):
    """Return least, greatest, mean and deviation of values, or None where there are none."""
    if values.size == 0:
        return None
    wide = values.astype(np.longdouble if values.dtype.itemsize == 8 else np.float64)
    return tuple(float(one) for one in (wide.min(), wide.max(), wide.mean(), wide.std()))
