"""What the pairing engine takes and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypedDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Looked(TypedDict):
    """What a first look at a table of photos saw."""

    rows: int
    missing: int
    beyond_lat: int
    beyond_lon: int
    first_beyond: tuple[int, float] | None
    sample: list[tuple[float, float]]
    unsure: bool


class Written(TypedDict):
    """What the last pass wrote; `rejected` has ((reason, whether the row is at fault), photos)."""

    rows: int
    pairs: int
    repeated: int
    rejected: list[tuple[tuple[str, bool], int]]
    splits: dict[str, int]
    bounds: tuple[float, float, float, float] | None
    blocks: int


class ArrowTable(Protocol):
    """A table that exports an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


TilesInUse = tuple["NDArray[np.uint32]", list[str]]
"""Numbers of tiles (T,) that pairs are of, and the split of each."""
