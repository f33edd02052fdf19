#!/usr/bin/env python
"""Measure the towers of a preset: samples a second beside the straightforward form, and on a GPU.

On a CPU every tower runs beside the form that a first draft would have, written below: attention
by einsum and softmax with the bias added, NILI by four corners over an unfolded grid, timm without
fused attention. Both have the same weights and answers. On a GPU: forward, and forward with
backward, eager and compiled, under bfloat16, for several batches, with peak memory and the share
of the card's peak arithmetic (MFU) by counted operations.

    python scripts/bench_model.py --json docs/benchmarks_model.json
    python scripts/bench_model.py --device cuda --json docs/benchmarks_model_gpu.json
    python scripts/bench_model.py --json docs/benchmarks_model.json --docs
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from gair_cli.data.batch import Batch
from gair_cli.data.transforms import BandStatistics
from gair_cli.models.config import preset_config
from gair_cli.models.gair import GairModel, new_model
from gair_cli.models.rs_encoder import Attention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

BATCHES: Final = (256, 512, 1024, 1536)
BANDS: Final = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")


def model_of(preset: str) -> GairModel:
    """Return a preset's model over ten bands, with random weights."""
    bands = BandStatistics(BANDS, (0.0,) * len(BANDS), (1.0,) * len(BANDS))
    return new_model(preset_config(preset, bands=bands), seed=0)


def batch_of(model: GairModel, count: int, device: str) -> Batch:
    """Return made pairs, each with a tile of its own: what costs most."""
    generator = torch.Generator().manual_seed(0)
    rs, sv = model.config.rs, model.config.sv
    if rs is None or sv is None:
        raise ValueError("a preset without satellite and photo towers")
    lonlat = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    radius = torch.rand(count, generator=generator) * 50
    size = torch.full((count, 2), 960.0)
    shape = (count, len(rs.input.bands), rs.input.size, rs.input.size)
    photo = (count, 3, sv.input.height, sv.input.width)
    return Batch(
        lonlat * torch.tensor([360.0, 180.0]) - torch.tensor([180.0, 90.0]),
        [str(row) for row in range(count)],
        rs=torch.randn(shape, generator=generator),
        sv=torch.randn(photo, generator=generator),
        xy=torch.rand(count, 2, generator=generator) * 2 - 1,
        radius_m=radius if model.config.query == "nili-fine" else None,
        tile_of=torch.arange(count),
        size_m=size,
    ).to(device)


def _einsum_attention(self: Attention, tokens: Tensor, bias: Tensor | None) -> Tensor:
    """Attention as it is written on paper."""
    tiles, count, width = tokens.shape
    qkv = self.qkv(self.norm(tokens)).view(tiles, count, 3, self.heads, -1)
    query, key, value = qkv.unbind(2)
    scores = torch.einsum("tihd,tjhd->thij", query, key) / query.shape[-1] ** 0.5
    weights = (scores if bias is None else scores + bias).softmax(dim=-1)
    read = torch.einsum("thij,tjhd->tihd", weights, value)
    merged: Tensor = self.out(read.reshape(tiles, count, width))
    return merged


@contextmanager
def straightforward(model: GairModel) -> Iterator[None]:
    """Run a model in the form of a first draft."""
    ours = Attention.forward
    fused = [part for part in model.modules() if hasattr(part, "fused_attn")]
    before = [part.fused_attn for part in fused]
    Attention.forward = _einsum_attention  # type: ignore[method-assign]
    for part in fused:
        part.fused_attn = False  # type: ignore[assignment]
    try:
        yield
    finally:
        Attention.forward = ours  # type: ignore[method-assign]
        for part, was in zip(fused, before, strict=True):
            part.fused_attn = was


def parts(model: GairModel, batch: Batch) -> dict[str, tuple[Callable[[], Tensor], bool]]:
    """Return what is measured on a CPU: a call, and whether NILI's definition takes its place."""
    rs, sv, xy, tile_of = batch.rs, batch.sv, batch.xy, batch.tile_of
    if rs is None or sv is None or xy is None or tile_of is None:
        raise ValueError("a whole batch is wanted")
    with torch.no_grad():
        tiles = model.encode_tiles(rs, size_m=batch.size_m)

    def localize() -> Tensor:
        return model.localize(tiles, xy, tile_of=tile_of)

    return {
        "satellite tower": (lambda: model.encode_rs(rs), False),
        "photo tower": (lambda: model.encode_sv(sv), False),
        "location tower": (lambda: model.encode_location(batch.lonlat), False),
        "query": (localize, True),
    }


def on_cpu(preset: str, batch_size: int, repeats: int, threads: int) -> dict[str, Any]:
    """Return samples a second of every part in both forms, and how far the answers differ."""
    torch.set_num_threads(threads)
    model = model_of(preset).eval()
    batch = batch_of(model, batch_size, "cpu")
    found: dict[str, Any] = {}
    for name, (call, is_query) in parts(model, batch).items():
        times: dict[str, list[float]] = {"gair": [], "straightforward": []}
        answers: dict[str, Tensor] = {}
        for turn in range(repeats + 1):  # the first turn warms up
            for form, spent in times.items():
                context = straightforward(model) if form != "gair" else nullcontext()
                with torch.no_grad(), context:
                    if is_query and form != "gair" and model.nili is not None:
                        model.nili.forward = model.nili.corners  # type: ignore[method-assign]
                    start = time.perf_counter()
                    answers[form] = call()
                    took = time.perf_counter() - start
                    if is_query and model.nili is not None:
                        model.nili.__dict__.pop("forward", None)
                if turn:
                    spent.append(took)
        gap = (answers["gair"] - answers["straightforward"]).abs().max().item()
        found[name] = {"gap": gap} | {
            form: [batch_size / took for took in spent] for form, spent in times.items()
        }
    return found


def on_gpu(
    preset: str, batches: tuple[int, ...], forms: tuple[str, ...], repeats: int
) -> list[dict[str, Any]]:
    """Return samples a second, MFU and peak memory for each batch, pass and form."""
    torch.set_float32_matmul_precision("high")
    lines: list[dict[str, Any]] = []
    for compiled in (form == "compiled" for form in forms):
        model = model_of(preset).cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        run: Callable[[Batch], Any] = model
        if compiled:
            for tower in (model.rs, model.sv, model.fine, model.nili):
                if tower is not None:
                    tower.compile()
        for count in batches:
            batch = batch_of(model, count, "cuda")
            for backward in (False, True):
                line = {"compiled": compiled, "batch": count, "backward": backward}
                try:
                    lines.append(line | _timed(run, batch, backward=backward, repeats=repeats))
                except torch.cuda.OutOfMemoryError:
                    lines.append(line | {"memory": "does not fit"})
                    model.zero_grad(set_to_none=True)
                    torch.cuda.empty_cache()
                print(lines[-1], file=sys.stderr, flush=True)
            del batch
    return lines


def _timed(
    run: Callable[[Batch], Any], batch: Batch, *, backward: bool, repeats: int
) -> dict[str, Any]:
    count = len(batch)

    def step() -> None:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            found = run(batch)
        if backward:
            (found.sv.sum() + found.rs_at.sum() + found.location.sum()).backward()

    def guarded() -> None:
        with nullcontext() if backward else torch.inference_mode():
            step()

    for _ in range(3):
        guarded()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        guarded()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    took = statistics.median(times)
    return {
        "samples_s": count / took,
        "seconds": times,
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
    }


def flops_a_sample(preset: str) -> dict[str, float]:
    """Count the operations of one sample, forward, and forward with backward."""
    model = model_of(preset)
    batch = batch_of(model, 2, "cpu")
    found = {}
    for name, backward in (("forward", False), ("both", True)):
        counter = FlopCounterMode(display=False)
        with straightforward(model), counter:  # fused attention would not be counted on a CPU
            made = model(batch)
            if backward:
                (made.sv.sum() + made.rs_at.sum() + made.location.sum()).backward()
        found[name] = counter.get_total_flops() / len(batch)
    return found


def main() -> None:
    """Measure, print, store; or rewrite the page from what is stored."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=8, help="on a CPU")
    parser.add_argument("--batches", default=",".join(map(str, BATCHES)), help="on a GPU")
    parser.add_argument("--forms", default="eager,compiled", help="on a GPU")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", action="store_true", help="rewrite docs/benchmarks.md, no run")
    given = parser.parse_args()
    if given.docs:
        from bench_model_page import write_docs  # noqa: PLC0415 - needs no torch

        write_docs(given.json.parent)
        return
    results: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(), "preset": given.preset,
        "device": given.device, "repeats": given.repeats, "torch": torch.__version__,
    }  # fmt: skip
    if given.device == "cpu":
        from bench_machine import machine  # noqa: PLC0415

        results |= {
            "machine": machine(("torch", "timm")), "batch": given.batch, "threads": given.threads,
            "parts": on_cpu(given.preset, given.batch, given.repeats, given.threads),
        }  # fmt: skip
    else:
        batches = tuple(int(part) for part in given.batches.split(","))
        results |= {
            "card": torch.cuda.get_device_name(), "flops": flops_a_sample(given.preset),
            "lines": on_gpu(given.preset, batches, tuple(given.forms.split(",")), given.repeats),
        }  # fmt: skip
    text = json.dumps(results, indent=1)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
