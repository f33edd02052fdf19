import math

import numpy as np
import pytest

from gair_cli.evaluation import baselines


def slow_idw(lonlat, targets, folds, k):
    def km(a, b):
        lon1, lat1, lon2, lat2 = map(math.radians, (*a, *b))
        h = (
            math.sin((lat2 - lat1) / 2) ** 2
            + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
        )
        return 6371.0088 * 2 * math.asin(math.sqrt(h))

    out = []
    for row, place in enumerate(lonlat):
        others = [i for i in range(len(lonlat)) if folds[i] != folds[row]]
        near = sorted((km(place, lonlat[i]), i) for i in others)[:k]
        weights = [1 / (distance + 1) ** 2 for distance, _ in near]
        total = sum(w * targets[i] for w, (_, i) in zip(weights, near, strict=True))
        out.append(total / sum(weights))
    return np.array(out)


def test_idw_equals_a_slow_loop_also_across_the_antimeridian_and_at_the_poles():
    generator = np.random.default_rng(6)
    lonlat = np.stack([generator.uniform(-180, 180, 80), generator.uniform(-90, 90, 80)], axis=1)
    lonlat[:4] = [[179.9, 10.0], [-179.9, 10.0], [0.0, 90.0], [120.0, 90.0]]
    targets = generator.normal(size=(80, 2))
    folds = np.arange(80) % 4
    found = baselines.idw(lonlat, targets, folds=folds, k=7)
    np.testing.assert_allclose(found, slow_idw(lonlat, targets, folds, 7), rtol=1e-6)


def test_idw_uses_all_points_where_there_are_fewer_than_k():
    lonlat = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    found = baselines.idw(lonlat, np.array([[1.0]] * 4), folds=np.array([0, 1, 2, 3]))
    np.testing.assert_allclose(found, 1.0)


def test_constant_is_the_training_mean_and_the_majority_class():
    folds = np.array([0, 0, 1, 1])
    assert baselines.constant(np.array([1.0, 3.0, 10.0, 20.0]), folds=folds).tolist() == [
        15,
        15,
        2,
        2,
    ]
    assert baselines.constant_class(np.array([0, 1, 1, 1]), folds=folds).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "width"), [("lonlat", 2), ("xyz", 3), ("harmonics_L10", 99), ("harmonics_L20", 399)]
)
def test_coordinate_features_have_the_stated_widths_and_no_constant(name, width):
    lonlat = np.stack([np.linspace(-179, 179, 50), np.linspace(-89, 89, 50)], axis=1)
    features = baselines.coordinate_features(name, lonlat)
    assert features.shape == (50, width)
    assert (features.std(axis=0) > 0).all()
