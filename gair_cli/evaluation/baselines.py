"""What any embedding of places has to beat: predictions from the coordinates alone.

They are always shown, and they see what no probe of an embedding sees: longitude and latitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.geo.encodings import spherical_harmonics, unit_sphere_xyz
from gair_cli.records import EARTH_RADIUS_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

IDW_NEIGHBOURS: Final = 50
HARMONIC_ORDERS: Final = (10, 20)
"""L of the spherical-harmonics baselines; a basis of order L has the degrees 1 to L - 1."""

FEATURE_BASELINES: Final = ("lonlat", "xyz", *(f"harmonics_L{order}" for order in HARMONIC_ORDERS))
"""Baselines that are features for the same probe as the embedding."""


def coordinate_features(name: str, lonlat: Floats) -> Floats:
    """Return the features of one baseline.

    Args:
        name: One of `FEATURE_BASELINES`.
        lonlat: (N, 2) degrees.

    Returns:
        (N, 2) degrees, (N, 3) on the unit sphere, or (N, L^2 - 1) harmonics without the constant.

    Raises:
        KeyError: If the name is none of them.
    """
    if name == "lonlat":
        return lonlat
    if name == "xyz":
        return np.asarray(unit_sphere_xyz(lonlat), dtype=np.float64)
    orders = {f"harmonics_L{order}": order for order in HARMONIC_ORDERS}
    return harmonics(lonlat, orders[name])


def harmonics(lonlat: Floats, order: int) -> Floats:
    """Return the real spherical harmonics of degrees 1 to `order` - 1: (N, order^2 - 1)."""
    basis = np.asarray(spherical_harmonics(lonlat, order - 1), dtype=np.float64)
    return basis[:, 1:]  # (N, order^2 - 1): degree 0 is the intercept


def constant(targets: Floats, *, folds: Ints) -> Floats:
    """Predict the mean of the training folds for every row: (N,)."""
    prediction = np.empty(len(targets), dtype=np.float64)
    for fold in np.unique(folds):
        prediction[folds == fold] = targets[folds != fold].mean()
    return prediction


def constant_class(labels: Ints, *, folds: Ints) -> Ints:
    """Predict the most frequent class of the training folds for every row: (N,)."""
    prediction = np.empty(len(labels), dtype=np.int64)
    for fold in np.unique(folds):
        prediction[folds == fold] = np.bincount(labels[folds != fold]).argmax()
    return prediction


def idw(lonlat: Floats, targets: Floats, *, folds: Ints, k: int = IDW_NEIGHBOURS) -> Floats:
    """Predict by inverse distance weighting of the nearest training points.

    Weights are 1 / (km + 1)^2 of the great-circle distance, so a point on the same spot counts 1.

    Args:
        lonlat: (N, 2) degrees.
        targets: (N, K); one-hot columns make it a weighted vote.
        folds: (N,) fold numbers.
        k: Neighbours to use; all training points where there are fewer.

    Returns:
        (N, K) float64.
    """
    xyz = np.asarray(unit_sphere_xyz(lonlat), dtype=np.float64)
    prediction = np.empty_like(targets, dtype=np.float64)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        prediction[test] = _weighted_mean(xyz[test], xyz[train], targets[train], k)
    return prediction


def _weighted_mean(
    queries: Floats, points: Floats, values: Floats, k: int, *, chunk: int = 512
) -> Floats:
    """Weighted means (M, K) of the values at the k points (P, 3) nearest to each query (M, 3)."""
    kept = min(k, len(points))
    means = np.empty((len(queries), values.shape[1]))
    for start in range(0, len(queries), chunk):
        cosine = queries[start : start + chunk] @ points.T
        rows = np.argpartition(-cosine, kept - 1, axis=1)[:, :kept]
        near = np.clip(np.take_along_axis(cosine, rows, axis=1), -1.0, 1.0)
        weights = 1.0 / (np.arccos(near) * EARTH_RADIUS_M / 1000.0 + 1.0) ** 2
        weights /= weights.sum(axis=1, keepdims=True)
        means[start : start + chunk] = np.einsum("qk,qkc->qc", weights, values[rows])
    return means
