"""Write what `bench_model.py` measured, on a CPU and on a GPU, as tables for people."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any, Final

from bench_text import PAGE, Marks, machine_table, number, spread, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARKS: Final = Marks("model")
CPU: Final = "benchmarks_model.json"
GPU: Final = "benchmarks_model_gpu*.json"
PEAK_TFLOPS: Final = {"H100": 989.0, "H200": 989.0, "A100": 312.0}
"""Dense bfloat16 arithmetic of the data sheets."""


def cpu_report(results: Mapping[str, Any]) -> str:
    """Write samples a second of each part in both forms."""
    rows = []
    for name, found in results["parts"].items():
        ratio = statistics.median(found["gair"]) / statistics.median(found["straightforward"])
        rows.append((
            name, spread(found["gair"]), spread(found["straightforward"]), number(ratio),
            f"{found['gap']:.1e}",
        ))  # fmt: skip
    header = ("part", "gair, samples/s", "straightforward, samples/s", "ratio", "largest gap")
    words = (
        f"Preset `{results['preset']}` on a CPU, {results['threads']} threads, batch "
        f"{results['batch']}, float32, forward; medians of {results['repeats']} turns."
    )
    facts = machine_table({**results["machine"], "date": results["date"]})
    return "\n\n".join([words, table(header, rows), facts])


def gpu_report(results: Mapping[str, Any]) -> str:
    """Write samples a second, MFU and memory of each batch."""
    peak = next((v for key, v in PEAK_TFLOPS.items() if key in results["card"]), None)
    rows = []
    for line in results["lines"]:
        each = results["flops"]["both" if line["backward"] else "forward"]
        what = ("compiled" if line["compiled"] else "eager",
                "forward and backward" if line["backward"] else "forward",
                f"{line['batch']:,}")  # fmt: skip
        if "samples_s" not in line:
            rows.append((*what, line["memory"], "", ""))
            continue
        mfu = "" if peak is None else f"{line['samples_s'] * each / peak / 1e12:.1%}"
        rows.append((*what, number(line["samples_s"]), mfu, number(line["peak_gb"])))
    header = ("form", "pass", "batch", "samples/s", "MFU", "peak GB")
    share = "" if peak is None else f" MFU is of {peak:g} TFLOP/s."
    words = (
        f"Preset `{results['preset']}` on one {results['card']}, bfloat16 autocast, made data on "
        f"the card, a tile for each photo, torch {results['torch']}, {results['date']}; medians of "
        f"{results['repeats']} steps. One sample is {results['flops']['forward'] / 1e9:.1f} GFLOP "
        f"forward and {results['flops']['both'] / 1e9:.1f} with backward.{share}"
    )
    return "\n\n".join([words, table(header, rows)])


def write_docs(folder: Path) -> None:
    """Rewrite the page from the files of a folder."""
    parts = []
    if (folder / CPU).is_file():
        parts.append(cpu_report(json.loads((folder / CPU).read_text("utf-8"))))
    parts += [gpu_report(json.loads(p.read_text("utf-8"))) for p in sorted(folder.glob(GPU))]
    PAGE.write_text(MARKS.rewritten(PAGE.read_text("utf-8"), "\n\n".join(parts)), "utf-8")
