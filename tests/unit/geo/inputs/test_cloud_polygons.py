"""Outlines become pixels by their centres, as a slow reference and rasterio's features say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gair_cli.errors import InputError
from gair_cli.geo.inputs.cloud_polygons import fill_rings, polygon_clouds
from gair_cli.geo.rasters import read_window
from gair_cli.geo.scene import Grid

CORNERS = st.lists(
    st.tuples(st.floats(-5, 25).map(lambda x: x + 0.013), st.floats(-5, 20)), min_size=3, max_size=8
)
GRID = Grid("EPSG:32633", (60.0, 0.0, 6e5, 0.0, -60.0, 5e6), 20, 15)
FORM = (
    '<Mask xmlns:g="g"><MaskFeature><maskType>OPAQUE</maskType><g:Polygon>{}</g:Polygon>'
    "</MaskFeature></Mask>"
)


def slow(rings, shape):
    """Count, for each pixel's centre, the edges that a ray to the right crosses."""
    out = np.zeros(shape, np.uint8)
    for row in range(shape[0]):
        for col in range(shape[1]):
            x, y = col + 0.5, row + 0.5
            crossed = 0
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                    if (y0 <= y) != (y1 <= y):
                        crossed += x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)
            out[row, col] = crossed % 2
    return out


@settings(max_examples=60, deadline=None)
@given(st.lists(CORNERS, min_size=1, max_size=3))
def test_pixels_inside_an_odd_number_of_rings_are_set(rings):
    mask = np.zeros((15, 20), np.uint8)
    fill_rings(mask, [np.array(ring) for ring in rings])
    differing = np.count_nonzero(mask != slow(rings, mask.shape))
    assert differing == 0


def test_rings_agree_with_rasterios():
    from rasterio.features import rasterize

    random = np.random.default_rng(1)
    angles = np.sort(random.uniform(0, 2 * np.pi, 40))
    radius = random.uniform(3, 9, 40)
    ring = np.stack([10 + radius * np.cos(angles), 7 + radius * np.sin(angles)], axis=1)
    mask = np.zeros((15, 20), np.uint8)
    fill_rings(mask, [ring])
    shape = {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}
    assert (mask == rasterize([shape], out_shape=mask.shape)).all()


@pytest.mark.parametrize(("axes", "height"), [("2", ""), ("3", " 7")])
def test_heights_of_corners_do_not_count(axes, height):
    corners = ["600000 5000000", "600600 5000000", "600600 4999400", "600000 4999400"]
    text = " ".join(corner + height for corner in corners)
    data = FORM.format(f'<g:posList srsDimension="{axes}">{text}</g:posList>').encode()
    (band,) = polygon_clouds(data, "x.gml")(GRID)
    expected = np.zeros((15, 20), np.uint8)
    expected[:10, :10] = 1
    assert (read_window(band.path)[0] == expected).all()


@pytest.mark.parametrize("text", ["1 2 3", "1 2 3 4", "a b c d e f", "", "1 2 3 4 5 nan"])
def test_ring_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"x\.gml: a ring"):
        polygon_clouds(FORM.format(f"<g:posList>{text}</g:posList>").encode(), "x.gml")


def test_mask_without_clouds_is_empty():
    (band,) = polygon_clouds(b"<Mask/>", "x.gml")(GRID)
    assert not read_window(band.path).any()
