"""Verdicts on an embedding table: are the vectors finite, of one length, and different?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.geo.verdicts import Verdict, counted, fail, ok, warn

if TYPE_CHECKING:
    from gair_cli.embedding.table import EmbeddingTable

_NORM_SLACK: Final = 1e-2
_ALIKE: Final = 0.99
_SAMPLE: Final = 2000
_FLAT: Final = 1e-6


def check_embeddings(table: EmbeddingTable) -> list[Verdict]:
    """Judge an embedding table.

    Args:
        table: The whole table.

    Returns:
        Verdict lines in a fixed order.
    """
    statuses = Counter(table.status.tolist())
    good = table.vectors[table.status == "ok"]
    if not len(good):
        return [fail("vectors", f"none is ok: {dict(statuses)}", "embed points inside the tiles")]
    bad = int((~np.isfinite(good)).any(axis=1).sum())
    return [
        ok("vectors", f"{len(good):,} of {len(table):,} rows have one of {good.shape[1]} numbers"),
        _origin(table),
        _statuses(statuses, len(table)),
        counted(
            bad, len(good), subject="numbers", what="vectors that are not finite", fix="embed again"
        ),
        _norms(good, table.meta.space),
        _spread(good),
        counted(
            len(table) - len(set(table.ids)),
            len(table),
            subject="ids",
            what="repeated ids",
            fix="search and joins by id need different ones: name another --id-column",
            level="warn",
        ),
    ]


def _origin(table: EmbeddingTable) -> Verdict:
    if table.meta.space is None or table.meta.model_sha256 is None:
        fix = "other commands cannot tell which tables may be compared: embed with gair"
        return warn("origin", "the file names no model or space", fix)
    model = table.meta.model or "a model"
    return ok("origin", f"{model} ({table.meta.model_sha256[:12]}), space {table.meta.space}")


def _statuses(statuses: Counter[str], total: int) -> Verdict:
    unreadable = statuses.get("unreadable", 0)
    if unreadable:
        fix = "mend the photos and embed again"
        return warn("statuses", f"{unreadable:,} of {total:,} photos unreadable", fix)
    return ok(
        "statuses", ", ".join(f"{name} {count:,}" for name, count in sorted(statuses.items()))
    )


def _norms(vectors: np.ndarray, space: str | None) -> Verdict:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    least, most = float(np.nanmin(norms)), float(np.nanmax(norms))
    detail = f"lengths {least:.3g} to {most:.3g}"
    if space == "joint" and max(abs(least - 1), abs(most - 1)) > _NORM_SLACK:
        return fail("lengths", detail, "vectors of the joint space have length 1: embed again")
    return ok("lengths", detail)


def _spread(vectors: np.ndarray) -> Verdict:
    """Judge whether vectors of different things differ."""
    step = max(1, len(vectors) // _SAMPLE)
    some = np.nan_to_num(vectors[::step].astype(np.float64))
    if len(some) == 1:
        return ok("spread", "a single vector")
    unit = some / np.maximum(np.linalg.norm(some, axis=1, keepdims=True), 1e-12)
    count = len(unit)
    alike = float((np.linalg.norm(unit.sum(axis=0)) ** 2 - count) / (count * (count - 1)))
    flat = int((some.std(axis=0) < _FLAT).sum())
    detail = f"mean cosine {alike:.3f}, {flat} of {some.shape[1]} numbers never change"
    if alike > _ALIKE:
        fix = "nearly all vectors are alike: the model has collapsed, or all inputs are the same"
        return warn("spread", detail, fix)
    return ok("spread", detail)
