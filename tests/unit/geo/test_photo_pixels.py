"""Sharpness, likeness and views: against slow references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_makers import scene
from PIL import Image, ImageFilter

from gair_cli.errors import UsageError
from gair_cli.geo.panoramas import ViewOptions, cut_view, detail_of, is_panorama
from gair_cli.geo.photo_pixels import difference_hash, measure_photo, near_duplicates, sharpness


def test_sharpness_is_the_variance_of_the_laplacian():
    grey = scene(3, (200, 150)).convert("L")
    values = np.asarray(grey, float)
    wanted = [
        values[r - 1, c] + values[r + 1, c] + values[r, c - 1] + values[r, c + 1] - 4 * values[r, c]
        for r in range(1, 149)
        for c in range(1, 199)
    ]
    assert sharpness(grey) == pytest.approx(np.var(wanted), rel=1e-5)


def test_real_photos_are_sharp_and_blurred_ones_are_not(shared_data):
    paths = sorted((shared_data / "photos").rglob("*.jpg"))
    assert len(paths) == 63
    sharp = [measure_photo(path).sharpness for path in paths]
    assert min(sharp) > 80
    for path in paths[::8]:
        with Image.open(path) as image:
            two_px = 2 * max(image.size) / 512
            blurred = image.convert("L").filter(ImageFilter.GaussianBlur(two_px))
        assert sharpness(blurred) < 25


def test_copies_are_alike_and_other_photos_are_not(shared_data):
    paths = sorted((shared_data / "photos").rglob("*.jpg"))[::4]
    hashes = [measure_photo(path).hash for path in paths]
    assert near_duplicates(hashes, most=15) == [None] * len(paths)
    copies = []
    for path in paths:
        with Image.open(path) as image:
            small = image.convert("L").resize((image.width * 3 // 5, image.height * 3 // 5))
        copies.append(difference_hash(small))
    assert near_duplicates(hashes + copies, most=15)[len(paths) :] == list(range(len(paths)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 15))
@settings(max_examples=30, deadline=None)
def test_bands_find_what_every_comparison_finds(seed, most):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (6, 32), dtype=np.uint8)
    rows = base[rng.integers(0, 6, 60)]
    for row in rows:
        for bit in rng.choice(256, rng.integers(0, 24), replace=False):
            row[bit // 8] ^= 1 << (bit % 8)
    kept, wanted = [], []
    for number, row in enumerate(rows):
        apart = [np.unpackbits(row ^ rows[other]).sum() for other in kept]
        near = [other for other, bits in zip(kept, apart, strict=True) if bits <= most]
        wanted.append(min(near, default=None))
        if not near:
            kept.append(number)
    assert near_duplicates([row.tobytes() for row in rows], most=most) == wanted


def test_more_bits_than_are_compared_exactly_are_refused():
    with pytest.raises(ValueError, match="0 to 15 bits"):
        near_duplicates([], most=16)


def slow_view(panorama, turn, fov, size):
    """Look every pixel up by vectors: x ahead, y to the right, z up."""
    height, width = panorama.shape[:2]
    half = np.tan(np.radians(fov / 2))
    view = np.empty((size, size, 3))
    for row in range(size):
        for col in range(size):
            ray = np.array([1, ((col + 0.5) / size * 2 - 1) * half,
                            -((row + 0.5) / size * 2 - 1) * half])  # fmt: skip
            x, y, z = ray / np.linalg.norm(ray)
            lon = (np.arctan2(y, x) + np.radians(turn)) / (2 * np.pi)
            u, v = (lon + 0.5) * width - 0.5, (0.5 - np.arcsin(z) / np.pi) * height - 0.5
            c, r = int(np.floor(u)), int(np.floor(v))
            view[row, col] = sum(
                (1 - abs(u - x))
                * (1 - abs(v - y))
                * panorama[min(max(y, 0), height - 1), x % width]
                for x in (c, c + 1)
                for y in (r, r + 1)
            )
    return view


@pytest.mark.parametrize(("turn", "fov"), [(0, 90), (180, 60), (300.5, 120)])
def test_a_view_is_what_vectors_say(turn, fov):
    pixels = np.asarray(scene(5, (128, 64)))
    view = cut_view(pixels, turn=turn, fov=fov, size=24)
    assert np.abs(view - slow_view(pixels, turn, fov, 24)).max() <= 0.51


def test_detail_and_sides():
    assert detail_of(4096, 90) == round(4096 / np.pi)
    assert is_panorama(1024, 512)
    assert not is_panorama(1024, 768)
    assert not is_panorama(None, 512)


def test_options_of_views():
    assert ViewOptions(4).degrees == 90
    assert ViewOptions(8).degrees == 60
    assert ViewOptions(2).degrees == 120
    assert ViewOptions(3).turns == [0, 120, 240]
    with pytest.raises(UsageError):
        ViewOptions(4, fov=170)
    with pytest.raises(UsageError):
        ViewOptions(0)
