"""Distances and what follows from them."""

import math

import pytest
import torch

from gair_cli.errors import UsageError
from gair_cli.losses.config import GeoTargets
from gair_cli.losses.geo_targets import geo_targets, haversine_m

QUARTER_M = math.pi / 2 * 6_371_008.8


def points(*rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 0), (90, 0), QUARTER_M),
        ((0, 0), (180, 0), 2 * QUARTER_M),
        ((0, 90), (123, 90), 0),
        ((0, -90), (77, 90), 2 * QUARTER_M),
        ((179.9999, 0), (-179.9999, 0), 0.0002 * QUARTER_M / 90),
        ((13.4, 52.5), (13.4, 52.500001), 1e-6 * QUARTER_M / 90),
    ],
)
def test_great_circles_have_known_lengths(a, b, metres):
    assert haversine_m(points(a), points(b)).item() == pytest.approx(metres, rel=1e-6, abs=1e-6)


def test_float32_coordinates_are_refused():
    with pytest.raises(ValueError, match="wanted float64"):
        haversine_m(points((0, 0)).float(), points((0, 0)))


def metres_east(*distances):
    return points(*((distance / QUARTER_M * 90, 0.0) for distance in distances))


def test_mask_soft_and_negative_zones_meet_where_the_config_says():
    here = metres_east(0, 1000)
    candidates = metres_east(0, 1000, 24, 26, 99, 101)
    found = geo_targets(here, candidates, GeoTargets(r_mask_m=25, r_soft_m=100, scale_m=50))
    assert found.keep[0].tolist() == [True, True, False, True, True, True]
    wanted = [1, 0, 0, math.exp(-26 / 50), math.exp(-99 / 50), 0]
    torch.testing.assert_close(found.weight[0], torch.tensor(wanted))
    assert found.weight.dtype == torch.float32


def test_own_candidate_is_kept_whatever_the_distances():
    here = metres_east(0, 0, 0)
    found = geo_targets(here, here, GeoTargets())
    assert found.keep.tolist() == torch.eye(3, dtype=torch.bool).tolist()
    assert found.weight.tolist() == torch.eye(3).tolist()


def test_reverse_is_the_transpose_of_the_batch_part():
    found = geo_targets(metres_east(0, 30), metres_east(0, 30, 10), GeoTargets(25, 100, 50))
    assert found.reverse().weight.shape == (2, 2)
    assert torch.equal(found.reverse().weight, found.weight[:, :2].T)


def test_fewer_candidates_than_rows_are_refused():
    with pytest.raises(ValueError, match="1 candidates for 2 rows"):
        geo_targets(metres_east(0, 1), metres_east(0), GeoTargets())


def test_negative_distances_are_refused():
    with pytest.raises(UsageError, match="geo targets"):
        GeoTargets(r_mask_m=-1)
