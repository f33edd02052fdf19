"""A model as a step of a scikit-learn pipeline: places in, vectors out.

Example:
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from gair_cli.estimators import PlaceEmbedder
    >>> steps = make_pipeline(PlaceEmbedder(), Ridge())
    >>> steps.fit([[13.4, 52.5], [2.35, 48.86]], [1.0, 2.0]).predict([[13.4, 52.5]]).shape
    (1,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gair_cli.errors import DataError, MissingPackageError, UsageError

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise MissingPackageError(
        "estimators need scikit-learn", hint="pip install 'gair[eval]'"
    ) from error

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from gair_cli.api import Model
    from gair_cli.records import Modality, Space


class PlaceEmbedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns longitudes and latitudes into a model's vectors; it learns nothing itself.

    Args:
        model: A model or run folder, a packaged model's name, `hf:org/repo`, or a loaded `Model`;
            None is the packaged one.
        tiles: A tile set: the satellite image is read at the places; None asks the location tower.
        radius_m: With `tiles`, the queries' radius.
        space: `encoder`, what probes take, or `joint`.
        device: Where to compute.
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        tiles: str | Path | None = None,
        radius_m: float = 0.0,
        space: Space = "encoder",
        device: str = "auto",
    ) -> None:
        self.model = model
        self.tiles = tiles
        self.radius_m = radius_m
        self.space = space
        self.device = device

    def fit(self, places: Any, y: Any = None) -> Self:
        """Load the model.

        Args:
            places: As of `transform`; only its shape is looked at.
            y: Ignored.

        Raises:
            InputError: If there is no such model.
            UsageError: If the places are not (N, 2).
        """
        del y
        from gair_cli.api import Model, load  # noqa: PLC0415 - loads torch

        _lonlat(places)
        given = self.model
        self.model_ = given if isinstance(given, Model) else load(given, device=self.device)
        self.n_features_in_ = 2
        return self

    def transform(self, places: Any) -> NDArray[np.float32]:
        """Embed places.

        Args:
            places: (N, 2) degrees, longitude first; or a table with coordinates.

        Returns:
            (N, D) float32.

        Raises:
            UsageError: If the places are not (N, 2).
            DataError: With `tiles`, if a place lies outside them or on nodata.
        """
        check_is_fitted(self, "model_")
        lonlat = _lonlat(places)
        if self.tiles is None:
            vectors = self.model_.embed_points(lonlat, space=self.space)
        else:
            vectors = self.model_.embed_at(
                self.tiles, lonlat, radius_m=self.radius_m, space=self.space
            )
        unknown = np.isnan(vectors).any(axis=1)
        if unknown.any():
            raise DataError(
                f"{int(unknown.sum())} of {len(lonlat)} places have no pixel in the tiles, the "
                f"first of them row {int(unknown.argmax())}",
                hint="leave them out before, or tile a larger scene",
            )
        found: NDArray[np.float32] = vectors
        return found

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns, e0, e1 and so on."""
        del input_features
        check_is_fitted(self, "model_")
        modality: Modality = "location" if self.tiles is None else "rs_at"
        width = self.model_.width(modality, self.space)
        return np.array([f"e{k}" for k in range(width)], np.object_)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether the model is loaded."""
        return hasattr(self, "model_")


def _lonlat(places: Any) -> NDArray[np.float64]:
    from gair_cli.embedding.tabular import lonlat_of, table_kind  # noqa: PLC0415 - loads tables

    found = lonlat_of(places) if table_kind(places) is not None else np.asarray(places, np.float64)
    if found.ndim != 2 or found.shape[1] != 2:  # noqa: PLR2004 - longitude and latitude
        raise UsageError(f"places must have the shape (N, 2), got {found.shape}")
    return np.asarray(found)
