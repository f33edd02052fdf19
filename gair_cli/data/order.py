"""Which rows a step sees, and every random number of training: pure functions, no state.

The order of an epoch is a keyed permutation of the row numbers: a Feistel network of six rounds on
the smallest even number of bits that holds them, walked until the value is a row number (Black and
Rogaway 2002, "Ciphers with arbitrary finite domains"). Random numbers come from a counter through
the finaliser of SplitMix64 (Steele, Lea and Flood 2014), keyed by what they are for. So a row's
place needs O(1) memory at any number of rows, a resumed run needs one integer, and the same holds
for another number of processes. None of this is cryptographic.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 6


def key_of(*parts: int | str) -> int:
    """Make a 64-bit key of a purpose, a seed, an epoch, an id...

    Args:
        parts: Numbers and texts; (1, "a") and ("1", "a") give different keys.

    Returns:
        A number in [0, 2**64), equal on every machine.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def random_bits(key: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64 random bits for each counter: the same for the same key, always.

    Args:
        key: From `key_of`.
        counters: Any shape, uint64.

    Returns:
        uint64 of the same shape.
    """
    with np.errstate(over="ignore"):
        bits = counters * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def random_uniform(key: int, n: int) -> NDArray[np.float64]:
    """Return n numbers in [0, 1) of a key, the first of them independent of n.

    Args:
        key: From `key_of`.
        n: How many.

    Returns:
        (n,) float64 with 53 random bits each.
    """
    bits = random_bits(key, np.arange(n, dtype=np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permute(
    positions: NDArray[np.int64], n: int, *, key: int, inverse: bool = False
) -> NDArray[np.int64]:
    """Send positions of [0, n) to their places under a keyed permutation of [0, n).

    Args:
        positions: Any shape, int64 in [0, n).
        n: The size of the permuted range, 1 to 2**62.
        key: From `key_of`.
        inverse: Send places back to positions instead.

    Returns:
        int64 of the same shape; distinct positions have distinct places.
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    rounds = [key_of(key, number) for number in range(ROUNDS)]
    walk = _unfeistel if inverse else _feistel
    values = walk(positions.astype(np.uint64), half, rounds)
    outside = values >= n
    while outside.any():  # cycle walking: at most four rounds in the mean
        values[outside] = walk(values[outside], half, rounds)
        outside = values >= n
    return values.astype(np.int64)


def block_permute(
    positions: NDArray[np.int64],
    n: int,
    *,
    key: int,
    block: int,
    blocks_at_once: int,
    inverse: bool = False,
) -> NDArray[np.int64]:
    """Send positions of [0, n) to places under a shuffle that reads a few whole blocks at a time.

    Blocks of neighbouring places are permuted, and `blocks_at_once` of them are then shuffled
    among each other: what is read from a far store in blocks is read once an epoch, and memory
    holds a window. Still a function of the position alone, in O(1) memory.

    Args:
        positions: Any shape, int64 in [0, n).
        n: The size of the permuted range.
        key: From `key_of`.
        block: Places of a block; the last one is shorter where it must be.
        blocks_at_once: Blocks of a window.
        inverse: Send places back to positions instead.

    Returns:
        int64 of the same shape; distinct positions have distinct places.
    """
    n_blocks = -(-n // block)
    missing = n_blocks * block - n
    last = np.array([n_blocks - 1], dtype=np.int64)
    short = int(permute(last, n_blocks, key=key, inverse=True)[0])  # turn of the short block
    if inverse:
        turns = permute(positions // block, n_blocks, key=key, inverse=True)
    else:
        after_short = positions >= (short + 1) * block - missing
        turns = (positions + np.where(after_short, missing, 0)) // block
    windows = turns // blocks_at_once
    found = np.empty_like(positions)
    for number in np.unique(windows).tolist():
        mine = windows == number
        its_turns = np.arange(number * blocks_at_once,
                              min((number + 1) * blocks_at_once, n_blocks))  # fmt: skip
        starts = permute(its_turns, n_blocks, key=key) * block  # first place of each block
        lengths = np.where(its_turns == short, block - missing, block)
        ends = np.cumsum(lengths)
        first = int(its_turns[0]) * block - (missing if short < its_turns[0] else 0)
        window_key, size = key_of("window", key, number), int(ends[-1])
        if inverse:
            which = turns[mine] - its_turns[0]
            within = (ends - lengths)[which] + positions[mine] - starts[which]
            found[mine] = first + permute(within, size, key=window_key, inverse=True)
        else:
            within = permute(positions[mine] - first, size, key=window_key)
            which = np.searchsorted(ends, within, side="right")
            found[mine] = starts[which] + within - (ends - lengths)[which]
    return found


@dataclass(frozen=True, slots=True)
class Blocks:
    """How rows are shuffled that are read in blocks.

    Attributes:
        rows: Neighbouring rows of a block.
        at_once: Blocks that are shuffled among each other.
    """

    rows: int
    at_once: int

    def __post_init__(self) -> None:
        """Refuse blocks of nothing."""
        if self.rows < 1 or self.at_once < 1:
            raise DataError(f"blocks of {self.rows} rows, {self.at_once} at once: wanted 1 or more")


def _feistel(values: NDArray[np.uint64], half: int, rounds: list[int]) -> NDArray[np.uint64]:
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for key in rounds:
        left, right = right, left ^ (random_bits(key, right) & mask)
    return (left << np.uint64(half)) | right


def _unfeistel(values: NDArray[np.uint64], half: int, rounds: list[int]) -> NDArray[np.uint64]:
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for key in reversed(rounds):
        left, right = right ^ (random_bits(key, left) & mask), left
    return (left << np.uint64(half)) | right


@dataclass(frozen=True, slots=True)
class Order:
    """The rows of every step of a run, as a function of (seed, epoch, step, rank).

    Attributes:
        n_rows: Number of rows to visit in an epoch.
        batch_size: Rows of a step over all ranks; the last n_rows % batch_size places of an epoch
            are left out, others in each epoch. More than there are rows means all rows.
        seed: Of the run.
        group: Neighbouring rows of the table that stay together in a step: with a table sorted by
            tile, `group` photos share a tile, which is read and encoded once. The groups shift
            from epoch to epoch. 1 is a plain shuffle.
        blocks: Shuffle within windows of blocks instead of globally; None is global.
        name: Two orders of different names are independent.
    """

    n_rows: int
    batch_size: int
    seed: int
    group: int = 1
    blocks: Blocks | None = None
    name: str = "order"

    def __post_init__(self) -> None:
        """Refuse an empty table and sizes below 1."""
        if self.n_rows < 1:
            raise DataError("there are no training rows", hint="check the split column")
        if self.batch_size < 1 or self.group < 1:
            raise DataError(f"batch size {self.batch_size} and group {self.group} must be >= 1")

    @property
    def rows_per_step(self) -> int:
        """Rows of a step over all ranks."""
        return min(self.batch_size, self.n_rows)

    @property
    def steps_per_epoch(self) -> int:
        """Full steps that an epoch holds, at least 1."""
        return self.n_rows // self.rows_per_step

    def epoch_of(self, step: int) -> int:
        """Return the epoch, from 0, that a step (from 0) belongs to."""
        return step // self.steps_per_epoch

    def rows(self, step: int, *, rank: int = 0, ranks: int = 1) -> NDArray[np.int64]:
        """Return the row numbers of a step.

        Args:
            step: From 0, counted over the whole run.
            rank: Of this process.
            ranks: Number of processes; their slices make up the step that one process would see.

        Returns:
            (rows_per_step / ranks,) int64; the remainder goes to the first ranks.
        """
        epoch, within = divmod(step, self.steps_per_epoch)
        first = within * self.rows_per_step
        places = np.arange(first, first + self.rows_per_step, dtype=np.int64)
        return self.at(np.array_split(places, ranks)[rank], epoch=epoch)

    def at(self, places: NDArray[np.int64], *, epoch: int) -> NDArray[np.int64]:
        """Return the row numbers of places [0, n_rows) of an epoch."""
        key = key_of(self.name, self.seed, epoch)
        if self.group == 1:
            return self._permute(places, self.n_rows, key)
        return self._grouped(places, key)

    def displacement(self, *, epoch: int = 0, sample: int = 10_000) -> float:
        """Return how well an epoch is mixed: about 1 for a global shuffle, near 0 for none.

        The mean distance between the rows of successive groups, over a third of all rows, which is
        what it is in a random order.

        Args:
            epoch: From 0.
            sample: Places looked at, evenly spread.
        """
        steps = self.n_rows - self.group
        if steps < 1:
            return 1.0
        places = np.linspace(0, steps - 1, min(sample, steps)).astype(np.int64)
        after = self.at(places + self.group, epoch=epoch)
        return float(np.abs(after - self.at(places, epoch=epoch)).mean() / (self.n_rows / 3))

    def _grouped(self, places: NDArray[np.int64], key: int) -> NDArray[np.int64]:
        n_groups = -(-self.n_rows // self.group)
        missing = n_groups * self.group - self.n_rows
        last = np.array([n_groups - 1], dtype=np.int64)
        short = int(self._permute(last, n_groups, key, inverse=True)[0])  # where the short group is
        padded = places + np.where(places >= (short + 1) * self.group - missing, missing, 0)
        groups = self._permute(padded // self.group, n_groups, key)
        rows = groups * self.group + padded % self.group
        return (rows + key % self.n_rows) % self.n_rows

    def _permute(
        self, places: NDArray[np.int64], n: int, key: int, *, inverse: bool = False
    ) -> NDArray[np.int64]:
        """Permute n rows, or n groups of rows."""
        if self.blocks is None:
            return permute(places, n, key=key, inverse=inverse)
        block = max(1, self.blocks.rows * n // self.n_rows)
        return block_permute(
            places, n, key=key, block=block, blocks_at_once=self.blocks.at_once, inverse=inverse
        )
