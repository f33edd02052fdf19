"""What an embedding table looks like: its columns, its metadata, its batches.

Columns: `id`, `modality`, `embedding` (fixed-size list, null where `status` is not `ok`),
`status`, then `geometry` and `bbox` where places are known, then the user's own columns. File
metadata: `geo` (GeoParquet), `emb` (names of the STAC embedding extension) and `gair`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gair_cli.embedding.extract import Embedded
    from gair_cli.records import Modality, Space

OWN_COLUMNS: Final = ("id", "modality", "embedding", "status", "geometry", "bbox")
DTYPES: Final = {"float32": pa.float32(), "float16": pa.float16()}
SCHEMA_VERSION: Final = 1
_BOX = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What an embedding file says about the model that made it.

    Attributes:
        name: The model's own name, never a path of this machine.
        sha256: Hash of the weights.
        config_hash: Hash of the configuration.
        licence: Licence of the weights.
    """

    name: str
    sha256: str
    config_hash: str
    licence: str


@dataclass(frozen=True, slots=True)
class TableKind:
    """What all rows of an embedding table share.

    Attributes:
        modality: `rs`, `sv`, `location` or `rs_at`.
        space: `joint` or `encoder`.
        dim: Width D of the vectors.
        dtype: `float32` or `float16`.
        model: The model that made them.
        version: The version of gair that made them.
    """

    modality: Modality
    space: Space
    dim: int
    dtype: str
    model: ModelFacts
    version: str

    def metadata(self) -> dict[str, str]:
        """Return the file metadata `gair` and `emb` as JSON texts."""
        own = {
            "schema_version": SCHEMA_VERSION,
            "version": self.version,
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "config_hash": self.model.config_hash,
            "licence": self.model.licence,
            "modality": self.modality,
            "space": self.space,
            "normalised": self.space == "joint",
            "dim": self.dim,
        }
        stac = {
            "emb:type": "chip" if self.modality == "rs" else "point",
            "emb:model": self.model.name,
            "emb:dimensions": self.dim,
            "emb:data_type": self.dtype,
        }
        return {"gair": json.dumps(own, sort_keys=True), "emb": json.dumps(stac, sort_keys=True)}


@dataclass(frozen=True, slots=True)
class Places:
    """Where rows are: a geometry each, and its box.

    Attributes:
        wkb: N geometries: a point or a tile's footprint, None where unknown.
        boxes: (N, 4) float64 west, south, east, north in degrees.
    """

    wkb: Sequence[bytes | None]
    boxes: np.ndarray


def embedding_array(embedded: Embedded, dtype: str) -> pa.FixedSizeListArray:
    """Return (N, D) vectors as a fixed-size list, null where the status is not `ok`.

    Raises:
        UsageError: When the dtype is not known.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r} is not known", hint=f"one of {', '.join(DTYPES)}")
    missing = embedded.status != "ok"
    values = np.where(missing[:, None], 0, embedded.vectors).astype(dtype)
    flat = pa.array(values.reshape(-1))  # (N * D,)
    width = embedded.vectors.shape[1]
    mask = pa.array(missing) if missing.any() else None
    return pa.FixedSizeListArray.from_arrays(flat, width, mask=mask)


def embedding_table(
    ids: Sequence[str],
    embedded: Embedded,
    kind: TableKind,
    *,
    places: Places | None,
    columns: pl.DataFrame,
) -> pa.Table:
    """Build one block of an embedding table.

    Args:
        ids: N ids.
        embedded: N vectors with their status.
        kind: What all rows share.
        places: Geometry of each row, if known.
        columns: The user's columns, N rows; names of ours are carried as `input_<name>`.

    Returns:
        The block, without file metadata.
    """
    data: dict[str, Any] = {
        "id": pa.array(ids, pa.string()),
        "modality": pa.array([kind.modality] * len(ids), pa.string()),
        "embedding": embedding_array(embedded, kind.dtype),
        "status": pa.array(embedded.status.tolist(), pa.string()),
    }
    if places is not None:
        data["geometry"] = pa.array(places.wkb, pa.binary())
        data["bbox"] = _boxes(places.boxes)
    carried = columns.rename({name: f"input_{name}" for name in columns.columns if name in data})
    arrow = carried.to_arrow(compat_level=pl.CompatLevel.oldest())
    data.update({name: arrow.column(name) for name in arrow.column_names})
    return pa.table(data)


def _boxes(boxes: np.ndarray) -> pa.StructArray:
    columns = [pa.array(np.ascontiguousarray(boxes[:, i])) for i in range(4)]
    return pa.StructArray.from_arrays(columns, fields=list(_BOX))


def with_metadata(schema: pa.Schema, metadata: Mapping[str, str]) -> pa.Schema:
    """Return a schema with file metadata, keys in order."""
    return schema.with_metadata({key: metadata[key] for key in sorted(metadata)})
