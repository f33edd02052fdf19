import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from gair_cli.errors import DataError
from gair_cli.evaluation import probes


@pytest.fixture
def table():
    generator = np.random.default_rng(7)
    features = generator.normal(size=(120, 6)) * [1.0, 10.0, 0.1, 1.0, 1.0, 1000.0] + 5.0
    targets = features @ generator.normal(size=(6, 2)) + generator.normal(size=(120, 2))
    return features, targets, np.arange(120) % 4


def test_ridge_with_one_alpha_equals_scikit_learn_on_z_scored_folds(table):
    features, targets, folds = table
    found = probes.ridge(features, targets, folds=folds, alphas=[3.0])
    for fold in range(4):
        train = folds != fold
        scaler = StandardScaler().fit(features[train])
        oracle = Ridge(alpha=3.0, solver="cholesky").fit(
            scaler.transform(features[train]), targets[train]
        )
        expected = oracle.predict(scaler.transform(features[~train]))
        np.testing.assert_allclose(found.prediction[~train], expected, rtol=1e-9, atol=1e-7)


def test_alpha_is_the_one_that_a_slow_loop_over_training_folds_chooses(table):
    features, targets, folds = table
    alphas = [1e-2, 1.0, 1e2, 1e4]
    found = probes.ridge(features, targets[:, 0], folds=folds, alphas=alphas)
    for fold in range(4):
        errors = np.zeros(len(alphas))
        for held in set(range(4)) - {fold}:
            fit, test = (folds != fold) & (folds != held), folds == held
            scaler = StandardScaler().fit(features[fit])
            for index, alpha in enumerate(alphas):
                model = Ridge(alpha=alpha).fit(scaler.transform(features[fit]), targets[fit, 0])
                error = model.predict(scaler.transform(features[test])) - targets[test, 0]
                errors[index] += (error**2).sum()
        assert found.penalties[fold] == alphas[int(errors.argmin())]


def test_a_row_is_predicted_without_its_own_target(table):
    features, targets, folds = table
    changed = targets.copy()
    changed[folds == 2] += 1000.0
    before = probes.ridge(features, targets, folds=folds).prediction
    after = probes.ridge(features, changed, folds=folds).prediction
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])


def test_scaling_a_feature_changes_nothing(table):
    features, targets, folds = table
    scaled = features * [1e-6, 1.0, 1e6, 3.0, -1.0, 1.0]
    first = probes.ridge(features, targets, folds=folds).prediction
    second = probes.ridge(scaled, targets, folds=folds).prediction
    np.testing.assert_allclose(first, second, rtol=1e-7)


def test_a_constant_column_says_nothing(table):
    features, targets, folds = table
    with_constant = np.column_stack([features, np.full(120, 123.456)])
    first = probes.ridge(features, targets, folds=folds).prediction
    second = probes.ridge(with_constant, targets, folds=folds).prediction
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_more_features_than_rows_is_no_failure():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(30, 200))
    target = features[:, 0]
    found = probes.ridge(features, target, folds=np.arange(30) % 5)
    assert np.isfinite(found.prediction).all()


def test_one_hot_ridge_tells_separate_classes_apart():
    generator = np.random.default_rng(1)
    labels = np.arange(90) % 3
    features = np.eye(3)[labels] * 5.0 + generator.normal(size=(90, 3))
    found = probes.ridge_classes(features, labels, folds=np.arange(90) // 18)
    assert (found.prediction == labels).mean() > 0.95


def test_a_class_that_is_in_one_fold_only_is_an_error_not_a_crash():
    labels = np.array([0, 0, 1, 1, 0, 1, 0, 1, 2, 2])
    folds = np.array([0, 1, 0, 1, 2, 2, 3, 3, 4, 4])
    features = labels[:, None] + 0.01 * np.arange(10.0)[:, None]
    found = probes.ridge_classes(features, labels, folds=folds)
    assert set(found.prediction[8:]) <= {0, 1}


def test_features_that_are_not_numbers_are_refused(table):
    features, targets, folds = table
    features = features.copy()
    features[3, 1] = np.nan
    with pytest.raises(DataError, match="1 of 120 rows"):
        probes.ridge(features, targets, folds=folds)


def test_two_folds_are_too_few_to_choose_alpha(table):
    features, targets, folds = table
    with pytest.raises(DataError, match="at least 3 folds, found 2"):
        probes.ridge(features, targets, folds=folds % 2)
