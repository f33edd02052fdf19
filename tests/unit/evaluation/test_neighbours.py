import numpy as np
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from gair_cli.evaluation import neighbours


def test_mean_of_neighbours_equals_scikit_learn():
    generator = np.random.default_rng(2)
    features, targets = generator.normal(size=(100, 4)), generator.normal(size=100)
    folds = np.arange(100) % 5
    found = neighbours.nearest(features, targets, folds=folds, classes=False)
    for fold in range(5):
        train = folds != fold
        scaler = StandardScaler().fit(features[train])
        oracle = KNeighborsRegressor(5).fit(scaler.transform(features[train]), targets[train])
        expected = oracle.predict(scaler.transform(features[~train]))
        np.testing.assert_allclose(found.prediction[~train], expected, rtol=1e-12)


def test_vote_goes_to_the_most_frequent_class_and_ties_to_the_nearer_rows():
    features = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [0.05]])
    labels = np.array([2, 1, 1, 0, 0, 0, 2], dtype=float)
    folds = np.array([1, 1, 1, 2, 2, 2, 0])
    of_three = neighbours.nearest(features, labels, folds=folds, classes=True, k=3)
    of_two = neighbours.nearest(features, labels, folds=folds, classes=True, k=2)
    assert of_three.prediction[6] == 1
    assert of_two.prediction[6] in {1, 2}


def test_rows_are_ordered_nearest_first():
    reference = np.array([[3.0], [1.0], [2.0], [10.0]])
    found = neighbours.nearest_rows(reference, np.array([[0.0], [9.0]]), 3)
    assert found.tolist() == [[1, 2, 0], [3, 0, 2]]
