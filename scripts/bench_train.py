#!/usr/bin/env python
"""Measure training: our steps beside a plain loop of the same model, and our loader beside others.

On a CPU: samples a second of presets on synthetic batches, the engine beside the shortest loop
that trains the same model with the same loss; then fed from shards; then triples (tile, photo,
position) a second and core of our loader, of WebDataset on the same shards, and of loose files.
Forms take turns in one process. On a GPU: samples a second by batch size, and MFU, synthetic and
fed.

    python scripts/bench_train.py train --json docs/benchmarks_train.json
    python scripts/bench_train.py train --device cuda --presets base,paper \
        --batches 512,1024,1536 --set recipe.precision=bf16 --set recipe.compile=true \
        --json docs/benchmarks_train_gpu.json
    python scripts/bench_train.py --json docs/benchmarks_train.json --docs   # rewrite the page
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from bench_machine import machine
from bench_text import PAGE, Marks, machine_table, number, spread, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from gair_cli.data.batch import Batch
    from gair_cli.data.dataset import TrainingData
    from gair_cli.training.loop import Loop

MARKS: Final = Marks("train")
CPU_BATCHES: Final = {"tiny": 128, "paper": 8, "base": 8, "small": 32}
ROWS: Final = 512
MUST_GPU: Final = 2000.0
MUST_FED: Final = 0.95


def make_loop(train: Path, preset: str, settings: list[str], device: str) -> Loop:
    """Return a loop on shards that saves and logs nothing."""
    import torch  # noqa: PLC0415 - heavy

    from gair_cli.geo.shards import ShardReader  # noqa: PLC0415
    from gair_cli.training.find_batch import loop_on  # noqa: PLC0415
    from gair_cli.training.settings import read_settings  # noqa: PLC0415

    torch.manual_seed(0)
    model, recipe = read_settings(preset, None, settings)
    if preset == "paper":  # whatever the shards hold, its ten bands are made of them
        bands = ShardReader(train).bands
        model["rs"]["input"]["bands"] = [bands[i % len(bands)] for i in range(10)]
    return loop_on(ShardReader(train), model, recipe, device)


def plain_step(loop: Loop) -> Callable[[Batch, Tensor | None], None]:
    """Return the shortest loop that trains the same model: forward, loss, backward, AdamW."""
    import torch  # noqa: PLC0415

    from gair_cli.losses.contrastive import Bank, gair_loss  # noqa: PLC0415

    model, recipe = loop.learner.model, loop.inputs.recipe
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-6, fused=True if loop.inputs.device != "cpu" else None
    )
    cast = (
        torch.autocast(loop.inputs.device.partition(":")[0], torch.bfloat16)
        if recipe.precision == "bf16"
        else nullcontext()
    )

    def step(batch: Batch, lonlat: Tensor | None) -> None:
        with cast:
            found = model(batch)
        bank = None
        if lonlat is not None:
            bank = Bank(model.project(model.encode_location(lonlat), "location"), lonlat)
        loss = gair_loss(found, recipe.loss, lonlat=batch.lonlat, bank=bank)["total"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def measure_steps(train: Path, preset: str, settings: list[str], device: str, repeats: int) -> Any:
    """Time our step and the plain one on the same batches, and ours fed from shards.

    Returns:
        Samples of each form, seconds a step; FLOP a step.
    """
    import torch  # noqa: PLC0415

    from gair_cli.training.profiling import synchronize  # noqa: PLC0415

    loop = make_loop(train, preset, settings, device)
    works = [loop.prepare(number) for number in range(2)]
    step = plain_step(loop)
    batches = []
    for work in works:
        raws = [view for part in work.raw for view in part]
        batches.append(([loop.inputs.data.finish(raw.to(device)) for raw in raws], work.bank))

    def ours(number: int) -> None:
        loop.update(works[number % 2])

    def plain(number: int) -> None:
        parts, bank = batches[number % 2]
        for batch in parts:  # as one batch where it is one part
            step(batch, None if bank is None else bank.to(device))

    forms = {"engine": ours, "plain": plain}
    times: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(repeats + 1):
        for name, run in forms.items():
            synchronize(device)
            began = time.perf_counter()
            run(turn)
            synchronize(device)
            if turn:
                times[name].append(time.perf_counter() - began)
    fed = measure_fed(loop, repeats * 2)
    rows = len(works[0].seen.rows)
    tiles = sum(0 if part[0].tiles is None else len(part[0].tiles) for part in works[0].raw)
    from gair_cli.training.flops import count_flops, peak_flops  # noqa: PLC0415

    found = {"rows": rows, "tiles": tiles, "seconds": {**times, "fed": fed}}
    if not loop.inputs.recipe.compile:
        found["flops"] = count_flops(loop.learner.model).of(tiles, rows)
    found["peak"] = peak_flops(device)
    if device != "cpu":
        found["memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def measure_fed(loop: Loop, steps: int) -> list[float]:
    """Return seconds of each step when batches come from the loader's threads."""
    from gair_cli.data.prefetch import prefetch  # noqa: PLC0415
    from gair_cli.training.profiling import synchronize  # noqa: PLC0415

    threads = max(1, min(loop.inputs.recipe.loader_threads, os.cpu_count() or 1))
    times = []
    works = prefetch(loop.prepare, range(10, 10 + steps + 2), threads=threads)
    for step in range(steps + 1):
        began = time.perf_counter()
        loop.update(next(works))
        synchronize(loop.inputs.device)
        if step:
            times.append(time.perf_counter() - began)
    works.close()
    return times


def triples_ours(data: TrainingData, rows: np.ndarray) -> int:
    """Make batches of 64 as training does, without what was read before."""
    count = 0
    for first in range(0, len(rows), 64):
        count += len(data.batch(rows[first : first + 64], epoch=0))
    return count


def triples_of_webdataset(train: Path, data: TrainingData) -> Iterator[int]:
    """Read the same shards with WebDataset, decode and prepare the same way."""
    import torch  # noqa: PLC0415
    import webdataset  # noqa: PLC0415

    shards = sorted(str(path) for path in (train / "shards").glob("*.tar"))
    tiles, photos = [], []
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        tiles.append(prepared_tile(sample["tif"], data))
        for name, content in sample.items():
            if name.endswith("jpg"):
                photos.append(prepared_photo(content, data))
        if len(photos) >= 64:  # noqa: PLR2004 - as ours
            torch.stack(tiles)
            torch.stack(photos)
            yield len(photos)
            tiles, photos = [], []


def triples_of_files(folder: Path, names: list[tuple[str, str]], data: TrainingData) -> int:
    """Read loose GeoTIFFs and JPEGs, one pair a row."""
    import torch  # noqa: PLC0415

    count = 0
    for first in range(0, len(names), 64):
        batch = names[first : first + 64]
        tiles = {tile: prepared_tile((folder / tile).read_bytes(), data) for tile, _ in batch}
        photos = [prepared_photo((folder / photo).read_bytes(), data) for _, photo in batch]
        torch.stack(list(tiles.values()))
        count += len(torch.stack(photos))
    return count


def prepared_tile(content: bytes, data: TrainingData) -> Tensor:
    """Decode a tile with rasterio and prepare it for the tower."""
    from rasterio.io import MemoryFile  # noqa: PLC0415

    with MemoryFile(content) as memory, memory.open() as source:
        bands = [band + 1 for band in data._bands]  # noqa: SLF001 - the same bands
        array = source.read(bands)
    return data.rs.prepare(array)  # type: ignore[union-attr]


def prepared_photo(content: bytes, data: TrainingData) -> Tensor:
    """Decode a photo with Pillow and prepare it for the tower."""
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(content)) as image:
        return data.sv.prepare(np.asarray(image.convert("RGB")))  # type: ignore[union-attr]


def measure_loaders(train: Path, repeats: int) -> dict[str, Any]:
    """Time our loader, WebDataset and loose files; one thread, CPU seconds."""
    import torch  # noqa: PLC0415

    from gair_cli.data.dataset import TrainingData  # noqa: PLC0415

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    loop = make_loop(train, "tiny", [], "cpu")
    whole = loop.inputs.data
    rows = whole.mixed_by_tile()[:ROWS]
    reader = whole.reader
    times: dict[str, list[float]] = {"gair": [], "webdataset": [], "files": []}
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for row in rows.tolist():
            tile, photo = f"{reader.index['tile_id'][row]}.tif", f"{row}.jpg"
            Path(folder, tile).write_bytes(reader.tile_bytes(row) or b"")
            Path(folder, photo).write_bytes(reader.photo_bytes(row) or b"")
            names.append((tile, photo))
        for _ in range(repeats):
            fresh = TrainingData(reader, rs=whole.rs, sv=whole.sv, seed=0, cache_mb=64)
            began = time.process_time()
            done = triples_ours(fresh, rows)
            times["gair"].append((time.process_time() - began) / done)
            began, done = time.process_time(), 0
            for count in triples_of_webdataset(train, whole):
                done += count
                if done >= ROWS:
                    break
            times["webdataset"].append((time.process_time() - began) / done)
            began = time.process_time()
            done = triples_of_files(Path(folder), names, whole)
            times["files"].append((time.process_time() - began) / done)
    torch.set_num_threads(threads)
    return {"cpu_seconds_a_triple": times, "rows": ROWS}


def report(results: dict[str, Any]) -> str:
    """Write the tables."""
    rows = []
    on_gpu = results["device"] != "cpu"
    for one in results["steps"]:
        seconds, count = one["seconds"], one["rows"]
        speed = {name: [count / value for value in values] for name, values in seconds.items()}
        medians = {name: statistics.median(values) for name, values in speed.items()}
        ratio = medians["engine"] / medians["plain"]
        fed = medians["fed"] / medians["engine"]
        row = [one["preset"], str(count), spread(speed["engine"]), spread(speed["plain"]),
               f"{ratio:.2f}", f"{fed:.2f}"]  # fmt: skip
        if on_gpu:
            used = (one.get("flops") or 0) * medians["engine"] / count
            row += [f"{used / one['peak']:.2f}" if one.get("peak") and used else "",
                    number(one["memory_gb"])]  # fmt: skip
        rows.append(row)
    header = ["preset", "batch", "samples/s", "plain loop", "ours / plain", "fed / synthetic"]
    header += ["MFU", "memory, GB"] if on_gpu else []
    words = (
        f"Training steps, {results['device']}, {results['threads']} threads; medians of "
        f"{results['repeats']} turns with the least and the greatest."
    )
    parts = [words, table(header, rows)]
    if "loaders" in results:
        times = results["loaders"]["cpu_seconds_a_triple"]
        ours = statistics.median(times["gair"])
        lines = [
            (LOADERS[name], spread([1 / value for value in values]),
             f"{statistics.median(values) / ours:.1f}")
            for name, values in times.items()
        ]  # fmt: skip
        words = (
            f"Loaders, one core: {results['loaders']['rows']} triples of {results['data']}, read, "
            "decoded, prepared for preset `tiny` and stacked in batches of 64."
        )
        parts += [words, table(("loader", "triples/s and core", "CPU time over ours"), lines)]
    parts.append(machine_table({**results["machine"], "date": results["date"]}))
    return "\n\n".join(parts)


LOADERS: Final = {
    "gair": "gair, from shards by offset",
    "webdataset": "WebDataset on the same shards, rasterio and Pillow",
    "files": "loose GeoTIFFs and JPEGs, rasterio and Pillow",
}


def main() -> None:
    """Measure, print, store; or rewrite the page from what is stored."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train", type=Path, nargs="?", help="shards of gair pack")
    parser.add_argument("--data", default="the frozen made city", help="what the shards are")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--presets", default="tiny,paper")
    parser.add_argument("--batches", help="sizes for each preset; default: by the preset")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-loaders", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true", help="rewrite docs/benchmarks.md, no run")
    given = parser.parse_args()
    if given.docs:
        results = json.loads(given.json.read_text("utf-8"))
        content = report(results)
        gpu = given.json.with_name(f"{given.json.stem}_gpu.json")
        if gpu.exists():
            content += "\n\n" + report(json.loads(gpu.read_text("utf-8")))
        PAGE.write_text(MARKS.rewritten(PAGE.read_text("utf-8"), content), "utf-8")
        return
    if given.train is None:
        parser.error("give the shards that gair pack wrote")
    results = measure(given)
    print(report(results))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure all that is asked for."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(given.threads)
    steps = []
    for preset in given.presets.split(","):
        sizes = given.batches.split(",") if given.batches else [CPU_BATCHES[preset]]
        for size in sizes:
            print(f"{preset}, batch {size}", file=sys.stderr, flush=True)
            settings = [f"recipe.batch_size={size}", "recipe.chunks=1", *given.settings]
            found = measure_steps(given.train, preset, settings, given.device, given.repeats)
            steps.append({"preset": preset, **found})
    results = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(("torch", "timm", "numpy")),
        "device": given.device if given.device == "cpu" else torch.cuda.get_device_name(),
        "threads": given.threads,
        "repeats": given.repeats,
        "settings": given.settings,
        "data": given.data,
        "steps": steps,
    }
    if given.device == "cpu" and not given.no_loaders:
        results["loaders"] = measure_loaders(given.train, given.repeats)
    return results


if __name__ == "__main__":
    main()
