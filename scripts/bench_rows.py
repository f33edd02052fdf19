"""What `bench_tile.py` runs: the scenes, and the jobs of each row of the table of targets."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench_harness import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE: Final = Path(__file__).resolve().parent
PYTHON: Final = sys.executable
GAIR: Final = (PYTHON, "-m", "gair_cli")
PEER: Final = (PYTHON, str(HERE / "bench_peers.py"))
OURS: Final = (PYTHON, str(HERE / "bench_ours.py"))
MEMORY_ENTRY: Final = "gair_cli.geo.tile_stream"
TILE: Final = 256
SCALING: Final = "scaling"

ROWS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "1": (
        "Cut, compress, write, statistics",
        ("gair", "gair-start", "deflate", "deflate-bare", "retile"),
    ),
    "2": (
        "The same, against the same codec",
        ("gair", "gair-start", "zstd", "zstd-bare", "zstd-sync"),
    ),
    "3": ("Cut to memory", ("memory", "memory-2", "rows", "torchgeo")),
    "4": (
        "Overlap and random order",
        ("memory", "stride", "random", "stride-written", "rows-pass", "rows-stride",
         "rows-stride-256", "rows-random", "rows-random-256"),
    ),
    "5": (
        "Peak memory",
        ("gair", "stride-written", "jp2-written", "mixed-written", "deflate", "retile", "rows",
         "torchgeo"),
    ),
    "6": ("JPEG 2000", ("jp2-1", "jp2-2", "jp2-written", "opj-1", "opj-2")),
    "7": (
        "10 m and 20 m bands",
        ("mixed", "mixed-written", "warped", "warped-pass", "warped-zstd"),
    ),
    SCALING: ("Scaling", ()),
}  # fmt: skip
"""Title and jobs of each row; those of `scaling` follow from the scenes."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """The scenes of one benchmark, by their rows and columns, in a folder.

    Attributes:
        folder: Where they are, and where outputs go.
        plain: Of scene A: ten bands, deflate.
        jp2: Of the JPEG 2000 scene: one band.
        mixed: Of the scene with bands at 10 m and 20 m.
        scaling: Of the scenes like A that show how speed and memory grow.
    """

    folder: Path
    plain: int = 5490
    jp2: int = 10980
    mixed: int = 5490
    scaling: tuple[int, ...] = (1024, 5490, 10980, 20480)

    @classmethod
    def quick(cls, folder: Path) -> Scenes:
        """Return small ones, to see that everything works."""
        return cls(folder, plain=1100, jp2=2048, mixed=1024, scaling=(512, 1100))

    def tif(self, side: int) -> Path:
        """Return the path of a scene like A."""
        return self.folder / f"scene-{side}.tif"

    @property
    def jp2_file(self) -> Path:
        """Path of the JPEG 2000 scene."""
        return self.folder / f"scene-{self.jp2}.jp2"

    @property
    def mixed_folder(self) -> Path:
        """Folder of the scene with two resolutions."""
        return self.folder / f"mixed-{self.mixed}"

    @property
    def pair(self) -> tuple[Path, Path]:
        """Its bands as two files, finest first."""
        return self.mixed_folder / "pair" / "fine.tif", self.mixed_folder / "pair" / "coarse.tif"

    def made_for(self, rows: Iterable[str]) -> list[tuple[Path, str, int]]:
        """Return path, kind and side of the scenes that some rows need."""
        wanted = set(rows)
        sides = {self.plain} if wanted & {"1", "2", "3", "4", "5"} else set()
        if SCALING in wanted:
            sides |= set(self.scaling)
        scenes = [(self.tif(side), "tif", side) for side in sorted(sides)]
        if wanted & {"5", "6"}:
            scenes.append((self.jp2_file, "jp2", self.jp2))
        if wanted & {"5", "7"}:
            scenes.append((self.mixed_folder, "mixed", self.mixed))
        return scenes


def jobs_of(scenes: Scenes, rows: Sequence[str]) -> list[Job]:
    """Return the jobs of some rows, each once, in the order in which they take turns."""
    parts = (_written, _memory, _overlapping, _jp2, _mixed)
    known = {job.name: job for part in parts for job in part(scenes)}
    names = [name for row in rows for name in ROWS[row][1]]
    jobs = [known[name] for name in dict.fromkeys(names)]
    return jobs + (scaling_jobs(scenes) if SCALING in rows else [])


def scaling_jobs(scenes: Scenes) -> list[Job]:
    """Return `gair tile` on scenes of several sizes, with one job and with two."""

    def job(side: int, jobs: int) -> Job:
        label = f"{side:,} px, {jobs} job{'s'[: jobs - 1]}"
        scene = scenes.tif(side)
        return _tile(scenes, f"{SCALING}-{side}-{jobs}", label, scene, "-j", str(jobs))

    return [job(side, jobs) for side in scenes.scaling for jobs in (1, 2)]


def _tile(scenes: Scenes, name: str, label: str, scene: Path, *options: str) -> Job:
    """Return a run of `gair tile` as people start it."""
    output = scenes.folder / "output"
    command = (*GAIR, "tile", str(scene), "-o", str(output / "tiles"), "--size", str(TILE))
    files = tuple(sorted(scene.iterdir())) if scene.is_dir() else (scene,)
    return Job(name, label, ((*command, "-q", *options),), files, output=output, ours=True)


def _ours(name: str, label: str, files: tuple[Path, ...], *options: str) -> Job:
    """Return a run of our cutter to memory."""
    command = (*OURS, *map(str, files), "--size", str(TILE), *options)
    return Job(name, label, (command,), files, needs=(MEMORY_ENTRY,), ours=True)


def _peer(name: str, label: str, files: tuple[Path, ...], job: str, *options: str) -> Job:
    needs = ("rasterio", "torchgeo") if job == "torchgeo" else ("rasterio",)
    command = (*PEER, job, *map(str, files), "--size", str(TILE), *options)
    return Job(name, label, (command,), files, needs=needs)


def _writing_peer(
    scenes: Scenes, name: str, label: str, files: tuple[Path, ...], *options: str
) -> Job:
    """Return a peer that writes tiles in two processes, each half of them."""
    output = scenes.folder / "output"
    commands = tuple(
        (*PEER, "write", *map(str, files), "--size", str(TILE), "--part", f"{part}/2",
         "-o", str(output), *options)
        for part in range(2)
    )  # fmt: skip
    return Job(name, label, commands, files, output=output, needs=("rasterio",))


def _written(scenes: Scenes) -> list[Job]:
    scene = scenes.tif(scenes.plain)
    output = scenes.folder / "output"
    retile = ("gdal_retile.py", "-q", "-ps", str(TILE), str(TILE), "-co", "COMPRESS=DEFLATE",
              "-targetDir", str(output), str(scene))  # fmt: skip
    peers = (
        ("deflate", "rasterio to deflate GeoTIFFs, 2 processes", "deflate"),
        ("zstd", "rasterio to ZSTD-1 GeoTIFFs, 2 processes", "zstd"),
    )
    jobs = [
        _tile(scenes, "gair", "gair tile, 2 jobs", scene, "-j", "2"),
        _tile(scenes, "gair-start", "its start-up: the same with --dry-run", scene, "--dry-run"),
        Job("retile", "gdal_retile.py to deflate GeoTIFFs", (retile,), (scene,), output=output,
            needs=("gdal_retile.py",)),
    ]  # fmt: skip
    for name, label, codec in peers:
        bare = f"{label}, without statistics"
        options = ("--codec", codec)
        jobs += [
            _writing_peer(scenes, name, label, (scene,), *options, "--statistics"),
            _writing_peer(scenes, f"{name}-bare", bare, (scene,), *options),
        ]
    synced = "rasterio to ZSTD-1 GeoTIFFs, 2 processes, synced to disk as ours are"
    durable = ("--codec", "zstd", "--statistics", "--sync")
    return [*jobs, _writing_peer(scenes, "zstd-sync", synced, (scene,), *durable)]


def _memory(scenes: Scenes) -> list[Job]:
    files = (scenes.tif(scenes.plain),)
    return [
        _ours("memory", "gair, one pass, 1 job", files, "-j", "1"),
        _ours("memory-2", "gair, one pass, 2 jobs", files, "-j", "2"),
        _peer("rows", "rasterio windows, row by row", files, "read"),
        _peer("torchgeo", "torchgeo GridGeoSampler (float32)", files, "torchgeo"),
    ]


def _overlapping(scenes: Scenes) -> list[Job]:
    scene = scenes.tif(scenes.plain)
    half, files = str(TILE // 2), (scene,)
    peers = (("", "", ()), ("-256", ", 256 MB cache", ("--cache", "256")))
    jobs = [
        _ours("stride", "gair, stride = size / 2", files, "-j", "1", "--stride", half),
        _ours("random", "gair, random order", files, "-j", "1", "--shuffle"),
        _tile(scenes, "stride-written", "gair tile, stride = size / 2, 2 jobs", scene,
              "--stride", half, "-j", "2"),
        _peer("rows-pass", "rasterio, one pass", files, "read", "--statistics"),
    ]  # fmt: skip
    for suffix, words, cache in peers:
        options = ("--statistics", *cache)
        jobs += [
            _peer(f"rows-stride{suffix}", f"rasterio, stride = size / 2{words}", files, "read",
                  *options, "--stride", half),
            _peer(f"rows-random{suffix}", f"rasterio, random order{words}", files, "read",
                  *options, "--shuffle"),
        ]  # fmt: skip
    return jobs


def _jp2(scenes: Scenes) -> list[Job]:
    scene = scenes.jp2_file
    output = scenes.folder / "output"
    decompress = ("opj_decompress", "-quiet", "-i", str(scene), "-o", str(output / "band.tif"))
    opj = [
        Job(f"opj-{threads}", f"opj_decompress, {threads} thread{'s'[: threads - 1]}",
            ((*decompress, "-threads", str(threads)),), (scene,), output=output,
            needs=("opj_decompress",))
        for threads in (1, 2)
    ]  # fmt: skip
    return [
        _ours("jp2-1", "gair to memory, 1 job", (scene,), "-j", "1"),
        _ours("jp2-2", "gair to memory, 2 jobs", (scene,), "-j", "2"),
        _tile(scenes, "jp2-written", "gair tile, 2 jobs", scene, "-j", "2"),
        *opj,
    ]


def _mixed(scenes: Scenes) -> list[Job]:
    files = scenes.pair
    written = ("--codec", "zstd", "--statistics")
    return [
        _ours("mixed", "gair to memory, 1 job", files, "-j", "1"),
        _tile(scenes, "mixed-written", "gair tile --stack, 2 jobs", scenes.mixed_folder / "bands",
              "--stack", "-j", "2"),
        _peer("warped", "rasterio WarpedVRT to memory", files, "read"),
        _peer("warped-pass", "rasterio WarpedVRT to memory, statistics", files, "read",
              "--statistics"),
        _writing_peer(scenes, "warped-zstd", "rasterio WarpedVRT to ZSTD-1 GeoTIFFs, 2 processes",
                      files, *written),
    ]  # fmt: skip
