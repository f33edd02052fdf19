#!/usr/bin/env python
"""Measure how long the headers of photos take, beside Pillow: CPU a photo, one thread.

Makes 2,000 JPEG photos of 1024 x 768 with EXIF (made data: seeded rectangles and places), then
reads position, heading, date, orientation and size of each by Pillow and by gair, as processes of
their own that take turns. Positions must agree. `gair photos` is timed as a whole command, too.

    python scripts/bench_photos.py --quick
    python scripts/bench_photos.py --json docs/benchmarks_photos.json
    python scripts/bench_photos.py --json docs/benchmarks_photos.json --docs    # rewrite the page
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from bench_harness import Job, Run, interleaved
from bench_machine import machine
from bench_text import PAGE, Marks, machine_table, number, spread, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    Positions = list[tuple[float, float]]

MARKS: Final = Marks("photos")
RESULTS: Final = "docs/benchmarks_photos.json"
PHOTOS: Final = 2000
PICTURES: Final = 20
REPEATS: Final = 7
MUST_US: Final = 20.0
SAME_DEG: Final = 1e-9
PACKAGES: Final = ("numpy", "pillow", "polars")
LABELS: Final = {
    "pillow": "Pillow: `Image.open`, EXIF and GPS",
    "gair-list": "gair, one object a photo",
    "gair": "gair, a table of all photos",
    "command-headers": "`gair photos --no-pixels`, whole command",
    "command": "`gair photos`, whole command, pixels decoded",
}


def make_photos(folder: Path, count: int) -> None:
    """Write photos with EXIF, if they are not there yet."""
    if folder.is_dir() and sum(1 for _ in folder.glob("*.jpg")) == count:
        return
    from PIL import ExifTags, Image  # noqa: PLC0415 - not in the processes that are measured
    from PIL.TiffImagePlugin import IFDRational  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(11)
    pictures = [_picture(random) for _ in range(PICTURES)]
    print(f"made data: {count} photos", file=sys.stderr, flush=True)

    def angle(degrees: float) -> tuple[Any, Any, Any]:
        parts = round(degrees * 3600 * 1000)
        return (IFDRational(parts // 3_600_000, 1), IFDRational(parts // 60_000 % 60, 1),
                IFDRational(parts % 60_000, 1000))  # fmt: skip

    for row in range(count):
        exif = Image.Exif()
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[1], gps[2] = "N", angle(random.uniform(0, 80))
        gps[3], gps[4] = "E", angle(random.uniform(0, 170))
        gps[16], gps[17] = "T", IFDRational(int(random.integers(0, 36_000)), 100)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        details[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
        details[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
        exif[ExifTags.Base.Orientation] = 1
        exif[ExifTags.Base.Make] = "made data"
        picture = Image.fromarray(pictures[row % PICTURES])
        picture.save(folder / f"{row:05d}.jpg", "JPEG", quality=85, exif=exif.tobytes())


def _picture(random: np.random.Generator) -> np.ndarray:
    pixels = np.full((768, 1024, 3), 120, np.uint8)
    for _ in range(200):
        x, y = random.integers(0, 1024), random.integers(0, 768)
        width, height = random.integers(10, 160, 2)
        pixels[y : y + height, x : x + width] = random.integers(0, 256, 3)
    return pixels


def read_pillow(paths: Sequence[Path]) -> Positions:
    """Read by Pillow what `gair.geo.photos.read_headers` reads."""
    from PIL import ExifTags, Image  # noqa: PLC0415

    found = []
    for path in paths:
        with Image.open(path) as image:
            exif = image.getexif()
            gps, details = exif.get_ifd(ExifTags.IFD.GPSInfo), exif.get_ifd(ExifTags.IFD.Exif)
            _ = image.size, exif.get(ExifTags.Base.Orientation), gps.get(17)
            _ = details.get(ExifTags.Base.DateTimeOriginal)
        lon, lat = (sum(float(part) / 60**power for power, part in enumerate(gps[tag]))
                    for tag in (4, 2))  # fmt: skip
        found.append((lon if gps[3] == "E" else -lon, lat if gps[1] == "N" else -lat))
    return found


def read_list(paths: Sequence[Path]) -> Positions:
    """Read by gair's extension."""
    from gair_cli import _rust  # noqa: PLC0415, TID251 - what the table is made of

    headers = _rust.read_photo_headers([str(path) for path in paths])
    return [(header.lon or 0.0, header.lat or 0.0) for header in headers]


def read_table(paths: Sequence[Path]) -> Positions:
    """Read by gair."""
    from gair_cli.geo.photos import read_headers  # noqa: PLC0415

    return [(lon, lat) for lon, lat in read_headers(paths).select("lon", "lat").rows()]


READERS: Final = {"pillow": read_pillow, "gair-list": read_list, "gair": read_table}


def work(name: str, folder: Path) -> None:
    """Read all photos once unmeasured, once measured, and print what the second round took."""
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    paths = sorted(folder.glob("*.jpg"))
    READERS[name](paths)
    wall, cpu = time.perf_counter(), time.process_time()
    found = READERS[name](paths)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    apart = 0.0
    if name != "pillow":
        apart = float(np.abs(np.array(found) - np.array(read_pillow(paths))).max())
    if apart > SAME_DEG:
        raise SystemExit(f"positions are {apart} degrees from Pillow's")
    print(json.dumps({"count": len(paths), "wall": wall, "cpu": cpu}))


def jobs_of(folder: Path) -> list[Job]:
    """Return the jobs in the order in which they take turns."""
    photos = tuple(sorted(folder.glob("*.jpg")))
    here = str(Path(__file__).resolve())
    jobs = [
        Job(name, LABELS[name], ((sys.executable, here, "--worker", name, "--work", str(folder)),),
            photos, ours=name != "pillow")
        for name in READERS
    ]  # fmt: skip
    output = folder.parent / "output"
    for name, words in (("command-headers", ("--no-pixels",)), ("command", ("--keep-duplicates",))):
        command = (sys.executable, "-m", "gair_cli", "photos", str(folder), "-j", "1", "-q",
                   "-o", str(output / "photos.parquet"), *words)  # fmt: skip
        jobs.append(Job(name, LABELS[name], (command,), photos, output=output, ours=True))
    return jobs


def report(measured: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    count = measured["photos"]
    rows = []
    runs = {name: [Run(**run) for run in found] for name, found in measured["runs"].items()}
    base = _micros(runs.get("pillow", []), count)
    for name, label in LABELS.items():
        found = runs.get(name, [])
        if not found:
            rows.append([label, measured["absent"].get(name, "not measured"), "", "", ""])
            continue
        micros = _micros(found, count)
        ratio = f"{np.median(base) / np.median(micros):.2f}" if base else ""
        walls = [run.loop_wall or run.wall for run in found]
        peak = max(run.peak for run in found) / 1e6
        shown = f"**{label}**" if name != "pillow" else label
        rows.append([shown, spread(micros), ratio, spread(walls), number(peak)])
    ours = float(np.median(_micros(runs["gair"], count))) if "gair" in runs else float("nan")
    verdict = "met" if ours <= MUST_US else "**missed**"
    how = f"{count:,} photos (made data), {measured['repeats']} turns, one thread"
    lines = [
        f"{how}; readers without start-up, files in the page cache; commands as whole processes.",
        table(("EXIF", "must", "measured", "verdict"),
              [("CPU a photo", f"<= {MUST_US:g} us", f"{ours:.1f} us", verdict)]),
        table(("job", "CPU us a photo", "times as fast as Pillow", "wall s", "peak MB"), rows),
        machine_table({**measured["machine"], "date": measured["date"]}),
        "Repeat it with `python scripts/bench_photos.py`.",
    ]  # fmt: skip
    return "\n\n".join(lines)


def _micros(runs: Sequence[Run], count: int) -> list[float]:
    return [(run.cpu if run.loop_cpu is None else run.loop_cpu) / count * 1e6 for run in runs]


def main() -> int:
    """Measure, print, store; or rewrite the page from what is stored."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/bench-photos/photos"))
    parser.add_argument("--worker", choices=list(READERS), help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--quick", action="store_true", help="few photos, once")
    parser.add_argument("--json", type=Path, help="file to store results in, or read with --docs")
    parser.add_argument("--docs", action="store_true", help="rewrite docs/benchmarks.md, no run")
    given = parser.parse_args()
    if given.worker:
        work(given.worker, given.work)
        return 0
    if given.docs:
        if given.json is None:
            parser.error(f"--docs needs --json {RESULTS}")
        page = PAGE.read_text("utf-8")
        measured = json.loads(given.json.read_text("utf-8"))
        PAGE.write_text(MARKS.rewritten(page, report(measured)), encoding="utf-8")
        return 0
    count = 60 if given.quick else PHOTOS
    folder = given.work.with_name(f"{given.work.name}-{count}")
    make_photos(folder, count)
    repeats = 1 if given.quick else given.repeats
    runs, absent = interleaved(jobs_of(folder), repeats)
    measured = {
        "date": datetime.now(UTC).date().isoformat(), "photos": count, "repeats": repeats,
        "machine": machine(PACKAGES), "absent": absent,
        "runs": {name: [asdict(run) for run in found] for name, found in runs.items()},
    }  # fmt: skip
    print(report(measured))
    if given.json is not None:
        given.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
