"""The ridge against scikit-learn and written-out cases."""

from __future__ import annotations

import numpy as np
import pytest

from gair_cli.geo.ridge import fit_ridge, r2_scores


def test_r2_is_one_for_the_truth_and_zero_for_its_mean():
    truth = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]])
    assert r2_scores(truth, truth).tolist() == [1.0, 0.0]  # the second target never varies
    assert r2_scores(truth, np.full((3, 2), 3.0))[0] == 0.0
    assert r2_scores(truth, -truth)[0] == pytest.approx(1 - (4 + 36 + 100) / 8)


def test_without_a_choice_the_fit_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(80, 5)), random.normal(size=(80, 2))
    ours = fit_ridge(features, targets, inner=np.zeros(80, bool))
    standard = (features - features.mean(0)) / features.std(0)
    theirs = linear_model.Ridge(alpha=0.1 * 80).fit(standard, targets)
    assert np.abs(ours(features) - theirs.predict(standard)).max() < 1e-10


def test_noise_gets_a_strong_penalty_and_a_law_a_weak_one():
    random = np.random.default_rng(1)
    features = random.normal(size=(400, 60))
    inner = np.arange(400) < 100
    law = features[:, :1] * 3 + 1
    fresh = random.normal(size=(200, 60))
    assert np.abs(fit_ridge(features, law, inner=inner)(fresh) - fresh[:, :1] * 3 - 1).max() < 0.01
    noise = fit_ridge(features, random.normal(size=(400, 1)), inner=inner)(fresh)
    assert np.abs(noise).max() < 0.3


def test_a_constant_feature_does_no_harm():
    features = np.stack([np.arange(20.0), np.full(20, 7.0)], axis=1)
    model = fit_ridge(features, features[:, :1], inner=np.arange(20) % 4 == 0)
    assert np.isfinite(model(features)).all()
