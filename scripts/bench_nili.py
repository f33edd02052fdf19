#!/usr/bin/env python
"""Measure NILI's forms beside its definition, four corners over an unfolded grid, on a CPU.

One query a tile is what training asks; ten queries a token and axis is what dense maps ask. Forms
take turns in one process with a number of threads; the numbers are medians of all turns. The fine
path is measured beside the coarse reading that it is added to.

    python scripts/bench_nili.py --json docs/benchmarks_nili.json
    python scripts/bench_nili.py --json docs/benchmarks_nili.json --docs
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench_machine import machine
from bench_text import PAGE, Marks, machine_table, number, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Reading = Callable[[], Tensor]

MARKS: Final = Marks("nili")
WIDTH: Final = 768
CELLS: Final = 12
TILES: Final = 64
UPSAMPLING: Final = 10
TARGETS: Final = {"one query a tile": ("gather", 5.0), "dense, 10 times finer": ("convolve", 20.0)}


def cases() -> dict[str, dict[str, Reading]]:
    """Return what is measured: for each question the forms that answer it."""
    import torch  # noqa: PLC0415 - heavy

    from gair_cli.models.config import FineConfig  # noqa: PLC0415
    from gair_cli.models.fine import FinePath  # noqa: PLC0415
    from gair_cli.models.nili import Nili  # noqa: PLC0415

    torch.manual_seed(0)
    nili, hidden = Nili(WIDTH, identity=False), Nili(WIDTH, identity=False, hidden=256)
    grid = torch.randn(TILES, WIDTH, CELLS, CELLS)
    xy, each = torch.rand(TILES, 2) * 2 - 1, torch.arange(TILES)
    side = CELLS * UPSAMPLING
    line = (2 * torch.arange(side) + 1) / side - 1
    dense = torch.cartesian_prod(line, line).flip(1)
    one, nowhere = grid[:1], torch.zeros(len(dense), dtype=torch.long)
    fine = FinePath(10, WIDTH, FineConfig())
    maps = tuple(one.detach() for one in fine.encode(torch.randn(TILES, 10, 96, 96)))
    discs = (xy[:, None] + 0.05 * fine.spiral).flatten(0, 1)
    pixels = torch.zeros(TILES)

    def finely() -> Tensor:
        coarse = nili.gather(grid, xy, each)
        return coarse + fine(coarse, fine.read(maps, xy, each), pixels)

    def over_discs() -> Tensor:
        many = each.repeat_interleave(len(fine.spiral))
        shape = (TILES, len(fine.spiral), -1)
        coarse = nili(grid, discs, many).view(shape).mean(dim=1)
        return coarse + fine(coarse, fine.read(maps, discs, many).view(shape).mean(dim=1), pixels)

    return {
        "one query a tile": {
            "corners": lambda: nili.corners(grid, xy, each),
            "gather": lambda: nili.gather(grid, xy, each),
            "convolve": lambda: nili.convolve(grid, xy, each),
        },
        "dense, 10 times finer": {
            "corners": lambda: nili.corners(one, dense, nowhere),
            "gather": lambda: nili.gather(one, dense, nowhere),
            "convolve": lambda: nili.convolve(one, dense, nowhere),
        },
        "one query a tile, hidden layer": {
            "corners": lambda: hidden.corners(grid, xy, each),
            "gather": lambda: hidden.gather(grid, xy, each),
        },
        "dense, hidden layer": {
            "corners": lambda: hidden.corners(one, dense, nowhere),
            "convolve": lambda: hidden.convolve(one, dense, nowhere),
        },
        "one query a tile, fine path": {
            "coarse alone (gather)": lambda: nili.gather(grid, xy, each),
            "nili-fine, a point": finely,
            "nili-fine, a disc of 12 points": over_discs,
        },
    }


def measured(repeats: int, threads: int) -> dict[str, dict[str, list[float]]]:
    """Return the seconds of every form, forward and backward, in every turn."""
    import torch  # noqa: PLC0415 - heavy

    torch.set_num_threads(threads)
    found: dict[str, dict[str, list[float]]] = {}
    for name, forms in cases().items():
        times: dict[str, list[float]] = {form: [] for form in forms}
        for turn in range(repeats + 1):  # the first turn warms up
            for form, read in forms.items():
                start = time.perf_counter()
                with torch.no_grad():
                    read()
                if turn:
                    times[form].append(time.perf_counter() - start)
        found[name] = times
    return found


def report(results: dict[str, Any]) -> str:
    """Write the results as Markdown."""
    rows = []
    for name, forms in results["seconds"].items():
        first = statistics.median(next(iter(forms.values())))
        for form, times in forms.items():
            took = statistics.median(times)
            target = TARGETS.get(name)
            wanted = f">= {target[1]:g}" if target and target[0] == form else ""
            verdict = "" if not wanted else "met" if first / took >= target[1] else "**missed**"  # type: ignore[index]
            rows.append((name, form, number(took * 1e3), number(first / took), wanted, verdict))
    header = ("question", "form", "ms", "times as fast as the first", "must", "verdict")
    words = (
        f"{TILES} tiles of {CELLS}x{CELLS} tokens of {WIDTH} numbers; dense is one tile at "
        f"{UPSAMPLING * CELLS}x{UPSAMPLING * CELLS} positions. {results['threads']} threads, "
        f"float32, forward, medians of {results['repeats']} turns."
    )
    facts = machine_table({**results["machine"], "date": results["date"]})
    return "\n\n".join([words, table(header, rows), facts])


def main() -> None:
    """Measure, print, store; or rewrite the page from what is stored."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true", help="rewrite docs/benchmarks.md, no run")
    given = parser.parse_args()
    if given.docs:
        results = json.loads(given.json.read_text("utf-8"))
        PAGE.write_text(MARKS.rewritten(PAGE.read_text("utf-8"), report(results)), "utf-8")
        return
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(("torch", "numpy")),
        "threads": given.threads,
        "repeats": given.repeats,
        "seconds": measured(given.repeats, given.threads),
    }
    print(report(results))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
