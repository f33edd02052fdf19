"""Principal components of embeddings: fit on a sample, apply anywhere, always the same signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gair_cli.errors import DataError


@dataclass(frozen=True, slots=True)
class Components:
    """The first n principal axes.

    Attributes:
        mean: (D,) float64.
        axes: (n, D) float64 of length 1, in falling order of variance; the largest entry of each
            is positive.
        explained: (n,) float64, share of the sample's variance.
    """

    mean: np.ndarray
    axes: np.ndarray
    explained: np.ndarray

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Return (N, n) float32 coordinates of vectors (N, D); NaN stays NaN."""
        centred = (vectors - self.mean.astype(np.float32)).astype(np.float32)
        scores: np.ndarray = centred @ self.axes.T.astype(np.float32)
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, for JSON."""
        parts = {"mean": self.mean, "axes": self.axes, "explained": self.explained}
        return {name: np.round(value, 9).tolist() for name, value in parts.items()}


def fit_components(vectors: np.ndarray, n: int) -> Components:
    """Fit principal components.

    Args:
        vectors: (N, D); rows with NaN are left out.
        n: How many components, at most D and N.

    Returns:
        The components; deterministic for the same vectors.

    Raises:
        DataError: When there are fewer rows or numbers a row than components.
    """
    wide = vectors[np.isfinite(vectors).all(axis=1)].astype(np.float64)
    if n < 1 or n > min(wide.shape):
        raise DataError(f"{n} components of {wide.shape[0]} vectors of {wide.shape[1]} numbers")
    mean = wide.mean(axis=0)
    covariance = (wide - mean).T @ (wide - mean)
    values, axes = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:n]
    chosen = axes[:, order].T  # (n, D)
    largest = np.abs(chosen).argmax(axis=1)
    chosen = chosen * np.sign(chosen[np.arange(n), largest])[:, None]
    total = max(float(values.clip(0).sum()), 1e-30)
    return Components(mean, chosen, values[order].clip(0) / total)
