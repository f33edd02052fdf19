import numpy as np
from sklearn.linear_model import LogisticRegression

from gair_cli.evaluation import logistic


def test_fit_equals_scikit_learn():
    generator = np.random.default_rng(3)
    labels = np.arange(200) % 3
    features = generator.normal(size=(200, 5)) + np.eye(3, 5)[labels]
    weights, intercept = logistic.fit_logistic(features, labels, penalty=0.05, classes=3)
    oracle = LogisticRegression(C=1.0 / (0.05 * 200), tol=1e-10, max_iter=10_000)
    oracle.fit(features, labels)
    expected = oracle.predict_proba(features)
    scores = np.exp(features @ weights + intercept)
    np.testing.assert_allclose(scores / scores.sum(axis=1, keepdims=True), expected, atol=1e-5)


def test_a_quadratic_is_minimised_exactly():
    matrix = np.diag([1.0, 10.0, 100.0])
    centre = np.array([1.0, -2.0, 3.0])

    def objective(point):
        offset = point - centre
        return 0.5 * offset @ matrix @ offset, matrix @ offset

    np.testing.assert_allclose(logistic.minimise(objective, np.zeros(3)), centre, atol=1e-6)


def test_classes_apart_are_told_apart_out_of_fold():
    generator = np.random.default_rng(5)
    labels = np.arange(60) % 2
    features = generator.normal(size=(60, 3)) + 4.0 * labels[:, None]
    found = logistic.logistic(features, labels, folds=np.arange(60) // 12)
    assert (found.prediction == labels).mean() > 0.95
    assert len(found.penalties) == 5
