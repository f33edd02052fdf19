"""Many encoded tiles in bounded memory: groups are kept while there is room, and encoded anew."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gair_cli.models.field import TileField

    Ints = NDArray[np.int64]

MOST_BYTES: Final = 2 * 2**30


@dataclass(slots=True)
class EncodedTiles:
    """T tiles that are encoded when they are asked for.

    Attributes:
        encode: Encodes the tiles of a slice of 0..T.
        count: T.
        group: Tiles that are encoded together.
        most_bytes: Memory for groups that are kept.
    """

    encode: Callable[[slice], TileField]
    count: int
    group: int
    most_bytes: int = MOST_BYTES
    _kept: OrderedDict[int, TileField] = field(default_factory=OrderedDict)
    _bytes: int = 0

    @classmethod
    def of(cls, tiles: TileField) -> EncodedTiles:
        """Return tiles that are encoded already."""
        return cls(lambda _: tiles, len(tiles), max(len(tiles), 1))

    def parts(self, tile_of: Ints) -> Iterator[tuple[Ints, TileField, Ints]]:
        """Yield the groups that rows lie in.

        Args:
            tile_of: (N,) in [0, T).

        Yields:
            The rows of a group, its tiles, and which of these each row lies in.
        """
        groups = tile_of // self.group
        for number in np.unique(groups).tolist():
            rows = np.flatnonzero(groups == number)
            yield rows, self._field(number), tile_of[rows] - number * self.group

    def _field(self, number: int) -> TileField:
        found = self._kept.pop(number, None)
        if found is None:
            start = number * self.group
            found = self.encode(slice(start, min(start + self.group, self.count)))
            self._bytes += found.nbytes
        self._kept[number] = found  # the last that was used goes last
        while self._bytes > self.most_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
        return found
