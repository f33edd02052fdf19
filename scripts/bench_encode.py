#!/usr/bin/env python
"""Measure coordinate encodings against their peers: Equal Earth, Fourier features, harmonics.

Every job is a process of its own with one thread, and says how many CPU seconds its loop took and
its peak memory. Jobs take turns, peers and ours interleaved; the table has medians of all turns.
Errors are greatest differences from float64 references on 2,000 other points.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Encode = Callable[[np.ndarray], Any]

SIGMAS: Final = (1.0, 256.0, 32768.0)
FREQUENCIES: Final = 256
ORDERS: Final = 40
BEGIN: Final = "<!-- gair encode: begin of what scripts/bench_encode.py --docs writes -->"
END: Final = "<!-- gair encode: end of what scripts/bench_encode.py --docs writes -->"
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
SEEDED: Final = 7


def points_of(count: int, seed: int = 0) -> np.ndarray:
    """Return (N, 2) degrees, evenly drawn from the square of all longitudes and latitudes."""
    return np.random.default_rng(seed).uniform([-180, -90], [180, 90], (count, 2))


def matrices() -> np.ndarray:
    """Return the (3, 256, 2) directions that all Fourier jobs share."""
    from gair_cli.geo.encodings import fourier_directions  # noqa: PLC0415 - in its own process

    return fourier_directions(SIGMAS, FREQUENCIES, seed=SEEDED)


def equal_earth_pyproj() -> Encode:
    """pyproj, on a sphere."""
    import pyproj  # noqa: PLC0415

    project = pyproj.Proj(proj="eqearth", R=1)
    return lambda points: np.stack(project(points[:, 0], points[:, 1]), axis=1)


def equal_earth_ours() -> Encode:
    """gair, a new array each time."""
    from gair_cli.geo.encodings import equal_earth  # noqa: PLC0415

    return equal_earth


def equal_earth_out() -> Encode:
    """gair, into one array."""
    from gair_cli.geo.encodings import equal_earth  # noqa: PLC0415

    return into(equal_earth, 2, np.float64)


def into(encode: Callable[..., Any], width: int, dtype: Any) -> Encode:
    """Return an encoding that fills the same array again and again."""
    room: dict[int, np.ndarray] = {}

    def filled(points: np.ndarray) -> Any:
        out = room.setdefault(len(points), np.empty((len(points), width), dtype))
        return encode(points, out=out)

    return filled


def fourier_torch() -> Encode:
    """torch, arguments in float64."""
    import torch  # noqa: PLC0415

    from gair_cli.models.location_encoder import equal_earth  # noqa: PLC0415

    torch.set_num_threads(1)
    directions = [torch.from_numpy(matrix).T for matrix in matrices()]

    def encode(points: np.ndarray) -> Any:
        plane = equal_earth(torch.from_numpy(points))
        angles = [2 * math.pi * (plane @ matrix) for matrix in directions]
        parts = [wave(angle).float() for angle in angles for wave in (torch.cos, torch.sin)]
        return torch.cat(parts, dim=1)

    return encode


def fourier_ours() -> Encode:
    """gair, a new array each time."""
    from gair_cli.geo.encodings import random_fourier_features  # noqa: PLC0415

    directions = matrices()
    return lambda points: random_fourier_features(points, directions)


def fourier_out() -> Encode:
    """gair, into one array."""
    from gair_cli.geo.encodings import random_fourier_features  # noqa: PLC0415

    directions = matrices()
    return into(
        lambda points, out: random_fourier_features(points, directions, out=out),
        len(SIGMAS) * 2 * FREQUENCIES,
        np.float32,
    )


def harmonics_torch() -> Encode:
    """torch, one recurrence over normalised Legendre functions."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    return lambda points: torch_harmonics(torch.from_numpy(points))


def torch_harmonics(lonlat: Any) -> Any:
    """Return the (N, 1600) harmonics, order by order from the sectoral function upwards."""
    import torch  # noqa: PLC0415

    lon, lat = torch.deg2rad(lonlat).unbind(1)
    z, ring = torch.sin(lat), torch.cos(lat)
    out = torch.empty(ORDERS**2, len(lonlat), dtype=torch.float32)
    sector = torch.full_like(z, math.sqrt(1 / (4 * math.pi)))
    for m in range(ORDERS):
        if m:
            sector = sector * ring * math.sqrt((2 * m + 1) / (2 * m))
        cosine, sine = torch.cos(m * lon), torch.sin(m * lon)
        scale = math.sqrt(2) if m else 1.0
        value, before = sector, torch.zeros_like(z)
        for degree in range(m, ORDERS):
            if degree > m:
                a = math.sqrt((4 * degree**2 - 1) / (degree**2 - m**2))
                b = math.sqrt(((degree - 1) ** 2 - m**2) / (4 * (degree - 1) ** 2 - 1 or 1))
                value, before = a * (z * value - b * before), value
            middle = degree * degree + degree
            out[middle - m] = scale * value * sine
            out[middle + m] = scale * value * cosine
    return out.T.contiguous()


def harmonics_analytic() -> Encode:
    """torch, one closed polynomial a harmonic (SatCLIP's pattern)."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    tables = {(degree, m): closed_form(degree, m) for degree in range(ORDERS)
              for m in range(degree + 1)}  # fmt: skip

    def encode(points: np.ndarray) -> Any:
        lon, lat = torch.deg2rad(torch.from_numpy(points)).unbind(1)
        columns = [analytic(tables[degree, abs(m)], m, lon, lat) for degree in range(ORDERS)
                   for m in range(-degree, degree + 1)]  # fmt: skip
        return torch.stack(columns, dim=1).float()

    return encode


def closed_form(degree: int, m: int) -> list[tuple[float, int]]:
    """Return the terms (factor, power of sin(lat)) of a harmonic, its cos(lat)^m left out."""
    norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * math.factorial(degree - m)
                     / math.factorial(degree + m)) * (math.sqrt(2) if m else 1)  # fmt: skip
    terms = []
    for k in range((degree - m) // 2 + 1):
        power = degree - 2 * k - m
        whole = math.factorial(2 * degree - 2 * k) // math.factorial(power)
        factor = whole / (2**degree * math.factorial(k) * math.factorial(degree - k))
        terms.append(((-1) ** k * factor * norm, power))
    return terms


def analytic(terms: list[tuple[float, int]], m: int, lon: Any, lat: Any) -> Any:
    """Evaluate one closed form."""
    import torch  # noqa: PLC0415

    z, wave = torch.sin(lat), torch.cos(m * lon) if m >= 0 else torch.sin(-m * lon)
    total = terms[0][0] * z ** terms[0][1]
    for factor, power in terms[1:]:
        total = total + factor * z**power
    return torch.cos(lat) ** abs(m) * total * wave


def harmonics_ours() -> Encode:
    """gair, a new array each time."""
    from gair_cli.geo.encodings import spherical_harmonics  # noqa: PLC0415

    return lambda points: spherical_harmonics(points, ORDERS - 1)


def harmonics_out() -> Encode:
    """gair, into one array."""
    from gair_cli.geo.encodings import spherical_harmonics  # noqa: PLC0415

    return into(
        lambda points, out: spherical_harmonics(points, ORDERS - 1, out=out), ORDERS**2, np.float32
    )


ROWS: Final[dict[str, tuple[str, tuple[Callable[[], Encode], ...]]]] = {
    "Equal Earth": ("100,000", (equal_earth_pyproj, equal_earth_ours, equal_earth_out)),
    "Fourier features, 3 x 512": ("4,096", (fourier_torch, fourier_ours, fourier_out)),
    "harmonics, L = 40": (
        "4,096",
        (harmonics_analytic, harmonics_torch, harmonics_ours, harmonics_out),
    ),
}
"""Points a call, and the jobs of each row; peers first."""
NEEDS: Final = {
    "equal_earth_pyproj": "pyproj",
    "fourier_torch": "torch",
    "harmonics_analytic": "torch",
    "harmonics_torch": "torch",
}


def reference(row: str, points: np.ndarray) -> np.ndarray:
    """Return the float64 values that errors are measured from."""
    if row.startswith("Equal"):
        import pyproj  # noqa: PLC0415

        return np.stack(pyproj.Proj(proj="eqearth", R=1)(points[:, 0], points[:, 1]), axis=1)
    if row.startswith("Fourier"):
        from gair_cli.geo.encodings import LOCATION_SCALE, equal_earth  # noqa: PLC0415

        plane = (equal_earth(points) * LOCATION_SCALE).astype(np.longdouble)
        parts = []
        for matrix in matrices():
            turns = plane @ matrix.T.astype(np.longdouble)
            angle = 2 * np.pi * (turns - np.rint(turns)).astype(np.float64)
            parts += [np.cos(angle), np.sin(angle)]
        return np.concatenate(parts, axis=1)
    return scipy_harmonics(points)


def scipy_harmonics(points: np.ndarray) -> np.ndarray:
    """Return the (N, 1600) harmonics by scipy."""
    from scipy.special import sph_harm_y  # noqa: PLC0415

    theta, phi = np.radians(90 - points[:, 1]), np.radians(points[:, 0])
    out = np.empty((len(points), ORDERS**2))
    for degree in range(ORDERS):
        for m in range(degree + 1):
            value = sph_harm_y(degree, m, theta, phi) * (-1.0) ** m * (math.sqrt(2) if m else 1)
            out[:, degree * degree + degree - m] = value.imag
            out[:, degree * degree + degree + m] = value.real
    return out


def run_job(row: str, name: str, seconds: float, *, check: bool) -> dict[str, Any]:
    """Run one job in this process and return what it took."""
    encode: Encode = globals()[name]()
    points = points_of(int(ROWS[row][0].replace(",", "")))
    encode(points)
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        encode(points)
        done += len(points)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    some = points_of(2000, seed=1)
    error = float(np.abs(np.asarray(encode(some)) - reference(row, some)).max()) if check else None
    return {"points_per_cpu_s": done / spent, "peak_mb": peak / 1e6, "error": error}


def measure(row: str, name: str, seconds: float, *, check: bool) -> dict[str, Any] | None:
    """Run one job in a process with one thread; None where its package is missing."""
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        return None
    words = [sys.executable, __file__, "--job", row, name, "--seconds", str(seconds)]
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words + ["--check"] * check, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_all(turns: int, seconds: float) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Run all jobs in turns."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for turn in range(turns):
        for row, (_, jobs) in ROWS.items():
            for job in jobs:
                taken = measure(row, job.__name__, seconds, check=turn == 0)
                if taken is not None:
                    found.setdefault(row, {}).setdefault(job.__name__, []).append(taken)
        print(f"turn {turn + 1} of {turns} is done", file=sys.stderr)
    return found


def table(found: dict[str, dict[str, list[dict[str, Any]]]]) -> str:
    """Return the results as Markdown."""
    titles = ("encoding", "job", "points a CPU second (least - greatest)", "error", "peak MB")
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|---|---|"]
    for row, jobs in found.items():
        for name, runs in jobs.items():
            speeds = sorted(run["points_per_cpu_s"] for run in runs)
            label = (globals()[name].__doc__ or name).splitlines()[0].rstrip(".")
            peak = statistics.median(run["peak_mb"] for run in runs)
            lines.append(
                f"| {row} | {label} | {short(statistics.median(speeds))} ({short(speeds[0])} - "
                f"{short(speeds[-1])}) | {runs[0]['error']:.1e} | {peak:.0f} |"
            )
    return "\n".join(lines)


def short(speed: float) -> str:
    """Return a number of points with three digits: `152 M`, `580 k`."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if speed >= size:
            return f"{speed / size:.3g} {unit}"
    return f"{speed:.3g}"


def write_page(text: str) -> None:
    """Put the results between their marks on the page of benchmarks."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short turn")
    parser.add_argument("--json", type=Path, help="write all runs to this file")
    parser.add_argument("--docs", action="store_true", help="rewrite the table of the page")
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=1.5, help="CPU seconds a run")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps(run_job(*given.job, given.seconds, check=given.check)))
        return 0
    found = measure_all(1 if given.quick else 5, 0.3 if given.quick else given.seconds)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    if given.docs:
        write_page(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
