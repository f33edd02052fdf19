"""Where the features of a probe come from: an embedding table, or a model and its untrained twin.

Embeddings are joined to labels by id. Rows keep their order, and equal ids are matched in the order
in which they come, so a table that was embedded as it is always joins row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gair_cli.embedding.table import EmbeddingTable
    from gair_cli.geo.tables import PointTable
    from gair_cli.models.gair import GairModel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Progress = Callable[[int], None]

SAME_PLACE_DEG: Final = 1e-4
"""Rows with one id lie at most this far apart, about 11 m: files may round coordinates."""


@dataclass(frozen=True, slots=True)
class JoinedFeatures:
    """Embeddings of the labelled rows that have one.

    Attributes:
        rows: (M,) row numbers of the label table.
        features: (M, D) float64.
        absent: Labelled rows whose id the embedding table does not have.
        null: Labelled rows whose embedding is null (nodata, outside, unreadable).
    """

    rows: Ints
    features: Floats
    absent: int
    null: int


def join_embeddings(points: PointTable, embeddings: EmbeddingTable) -> JoinedFeatures:
    """Join embeddings to labelled points by id.

    Args:
        points: The label table.
        embeddings: The embedding table.

    Returns:
        The rows that have a vector, and how many have none.

    Raises:
        DataError: If no id matches, or matching rows lie at different places.
    """
    at = _matching_rows(points.ids, embeddings.ids)
    found = np.flatnonzero(at >= 0)
    if not len(found):
        raise DataError(
            f"no id of the labels ({points.ids[0]!r}, ...) is among those of the embeddings "
            f"({embeddings.ids[0]!r}, ...)",
            hint="embed the same table, or name its id column with --id-column",
        )
    _require_same_places(points, embeddings, found, at[found])
    vectors = embeddings.vectors[at[found]].astype(np.float64)
    usable = np.isfinite(vectors).all(axis=1)
    return JoinedFeatures(
        rows=found[usable],
        features=vectors[usable],
        absent=int((at < 0).sum()),
        null=int((~usable).sum()),
    )


def model_features(
    model: GairModel,
    lonlat: Floats,
    *,
    batch_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Floats:
    """Embed places with a model's location tower, in the `encoder` space that probes see.

    Args:
        model: A model with a location tower.
        lonlat: (N, 2) degrees.
        batch_size: Points at a time.
        device: Where to compute.
        progress: Called with the number of points done.

    Returns:
        (N, D) float64.

    Raises:
        ModelError: If the model has no location tower.
    """
    from gair_cli.embedding.extract import embed_points  # noqa: PLC0415 - needs torch

    vectors = embed_points(
        model, lonlat, space="encoder", batch_size=batch_size, device=device, progress=progress
    )
    return vectors.astype(np.float64)


def untrained_twin(model: GairModel, seed: int) -> GairModel:
    """Return a location tower of the same sizes with fresh random weights.

    Args:
        model: The trained model.
        seed: Seed of the weights; the global generator is left as it was.

    Raises:
        ModelError: If the model has no location tower.
    """
    import torch  # noqa: PLC0415 - heavy

    from gair_cli.models.gair import GairModel  # noqa: PLC0415 - needs torch

    if model.config.location is None:
        raise ModelError("the model has no location tower", hint="pass --embeddings instead")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GairModel(model.config.only({"location"})).eval()


def _matching_rows(wanted: Sequence[str], there: Sequence[str]) -> Ints:
    """Row of each wanted id among those there, the n-th of equal ids with the n-th; -1 if none."""
    position = {key: row for row, key in enumerate(_with_occurrence(there))}
    return np.array([position.get(key, -1) for key in _with_occurrence(wanted)], dtype=np.int64)


def _with_occurrence(ids: Sequence[str]) -> list[tuple[str, int]]:
    seen: dict[str, int] = {}
    keys = []
    for id_ in ids:
        number = seen.get(id_, 0)
        seen[id_] = number + 1
        keys.append((id_, number))
    return keys


def _require_same_places(
    points: PointTable, embeddings: EmbeddingTable, rows: Ints, at: Ints
) -> None:
    if embeddings.lonlat is None:
        return
    apart = np.abs(points.lonlat[rows] - embeddings.lonlat[at])
    apart[:, 0] = np.minimum(apart[:, 0], 360.0 - apart[:, 0])
    far = np.flatnonzero((apart > SAME_PLACE_DEG).any(axis=1))
    if len(far):
        row = rows[far[0]]
        raise DataError(
            f"{len(far)} rows have one id but different places, first {points.ids[row]!r}: "
            f"{points.lonlat[row].tolist()} and {embeddings.lonlat[at[far[0]]].tolist()}",
            hint="the embeddings were made from another table, or in another row order",
        )
