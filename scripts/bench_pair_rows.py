"""What `bench_pair.py` runs: the data, and the jobs of each row."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench_harness import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).resolve().parent
GAIR: Final = (sys.executable, "-m", "gair_cli")
JOINS: Final = (sys.executable, str(HERE / "bench_pair_joins.py"))
LEAN: Final = "photo_id,tile_id,x,y"
MEMORY: Final = "memory"
FILES: Final = "files"
STREAM: Final = "stream"
ROWS: Final = {
    MEMORY: "In memory",
    FILES: "Parquet to Parquet",
    STREAM: "A stream of any length",
}
PEERS: Final = {
    "geopandas": ("geopandas sjoin", ("geopandas",)),
    "strtree": ("shapely STRtree", ("shapely",)),
    "polars-st": ("polars-st sjoin", ("polars_st",)),
    "duckdb": ("DuckDB spatial, 2 threads", ("duckdb", "duckdb_extension_spatial")),
    "sedonadb": ("SedonaDB", ("sedonadb",)),
}
"""Label and modules of each."""


@dataclass(frozen=True, slots=True)
class World:
    """Tiles and tables of points in a folder.

    Attributes:
        folder: Where they are, and where outputs go.
        counts: Points of the tables.
        streamed: Points of the streams.
    """

    folder: Path
    counts: tuple[int, ...] = (1_000_000, 10_000_000)
    streamed: tuple[int, ...] = (10_000_000, 30_000_000, 100_000_000)

    @classmethod
    def quick(cls, folder: Path) -> World:
        """Return a small one, to see that everything works."""
        return cls(folder, counts=(100_000,), streamed=(100_000, 300_000))

    @property
    def tiles(self) -> Path:
        """The tile set."""
        return self.folder / "tiles"

    @property
    def index(self) -> Path:
        """Its index."""
        return self.tiles / "index.parquet"

    @property
    def answers(self) -> Path:
        """The exact numbers of pairs."""
        return self.folder / "exact.json"

    def points(self, count: int) -> Path:
        """Return the table of so many points."""
        return self.folder / f"points-{count}.parquet"

    def counts_of(self, rows: Sequence[str]) -> list[int]:
        """Return the numbers of points that some rows have."""
        tables = set(self.counts) if {MEMORY, FILES} & set(rows) else set()
        return sorted(tables | (set(self.streamed) if STREAM in rows else set()))

    def tile_count(self) -> int:
        """Return the number of tiles."""
        from json import loads  # noqa: PLC0415 - needed once

        return int(loads((self.tiles / "dataset.json").read_text("utf-8"))["counts"]["tiles"])


def jobs_of(world: World, rows: Sequence[str]) -> list[Job]:
    """Return the jobs of some rows, in the order in which they take turns."""
    jobs = []
    for count in world.counts:
        jobs += _memory(world, count) if MEMORY in rows else []
        jobs += _files(world, count) if FILES in rows else []
    return jobs


def _memory(world: World, count: int) -> list[Job]:
    files = (world.points(count), world.index)
    words = tuple(map(str, files))
    ours = Job(f"{MEMORY}-{count}-gair", "gair", ((*JOINS, "gair", *words),), files, ours=True)
    return [ours] + [
        Job(f"{MEMORY}-{count}-{name}", label, ((*JOINS, name, *words),), files, needs=needs)
        for name, (label, needs) in PEERS.items()
    ]


def _files(world: World, count: int) -> list[Job]:
    files = (world.points(count), world.index)
    output = world.folder / "output"
    pairs = str(output / "pairs.parquet")
    command = (*GAIR, "pair", str(files[0]), "--tiles", str(world.tiles), "-o", pairs, "-q")
    jobs = [
        Job(f"{FILES}-{count}-gair", f"gair pair --columns {LEAN}",
            ((*command, "--columns", LEAN),), files, output=output, ours=True),
        Job(f"{FILES}-{count}-gair-all", "gair pair, all columns", (command,), files,
            output=output, ours=True),
    ]  # fmt: skip
    for name in ("duckdb", "sedonadb"):
        label, needs = PEERS[name]
        words = (*JOINS, name, *map(str, files), "-o", pairs)
        label = f"{label}: photo_id, tile_id, lon, lat"
        jobs.append(
            Job(f"{FILES}-{count}-{name}", label, (words,), files, output=output, needs=needs)
        )
    return jobs
