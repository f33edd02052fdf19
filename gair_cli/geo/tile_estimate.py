"""What a tiling plan will cost, before any pixel is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from gair_cli.errors import InputError
from gair_cli.geo.cutting import scene_cutter, thread_count
from gair_cli.geo.tile_index import SCHEMA

if TYPE_CHECKING:
    from gair_cli.geo.tile_options import TilingOptions
    from gair_cli.geo.tile_plan import PlannedScene, TilingPlan

MB_PER_CORE_S: Final = 200.0
"""Pixels decoded, cut and compressed a second and core, as in the benchmarks; rather too few."""

JP2_MB_PER_CORE_S: Final = 18.0
"""The same for JPEG 2000, whatever reads it."""

_JP2: Final = (".jp2", ".j2k")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Costs of a plan.

    Attributes:
        tiles: Tiles at most, before nodata and clouds are looked at.
        scenes: Scenes that can be opened.
        bad: Scenes that cannot.
        bytes: Bytes of the tiles before compression.
        blocks: Compressed blocks to decode.
        redecoded_blocks: Those of them that the memory allowed forces to be decoded again.
        decoded_bytes: Bytes of all decoded blocks.
        memory_bytes: Bytes of decoded blocks at the same time, at most.
        minutes: Wall time, from `decoded_bytes` and the speeds above.
        jobs: Threads that is for.
    """

    tiles: int
    scenes: int
    bad: int
    bytes: int
    blocks: int
    redecoded_blocks: int
    decoded_bytes: int
    memory_bytes: int
    minutes: float
    jobs: int

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, and the columns of the index with their types."""
        schema = {name: str(dtype) for name, dtype in SCHEMA.items()}
        return {**asdict(self), "schema": schema}


def estimate(plan: TilingPlan, options: TilingOptions) -> Estimate:
    """Add up what all scenes cost; every scene is opened, none is decoded.

    Raises:
        DataError: If one tile alone needs more memory than allowed.
    """
    jobs = thread_count(options.jobs)
    totals = {"blocks": 0, "redecoded_blocks": 0, "decoded_bytes": 0}
    peak, seconds, bad = 0, 0.0, len(plan.bad)
    for planned in plan.scenes:
        try:
            costs = _costs(planned, options)
        except InputError:
            bad += 1
            continue
        for cost in costs:
            for name in totals:
                totals[name] += cost[name]
            peak = max(peak, cost["peak_bytes"])
            seconds += cost["decoded_bytes"] / 1e6 / _speed(planned) / jobs
    return Estimate(
        tiles=plan.tiles,
        scenes=len(plan.scenes) + len(plan.bad) - bad,
        bad=bad,
        bytes=plan.pixel_bytes,
        memory_bytes=peak,
        minutes=seconds / 60,
        jobs=jobs,
        **totals,
    )


def _costs(planned: PlannedScene, options: TilingOptions) -> list[dict[str, int]]:
    found = []
    for layout in planned.layouts:
        if len(layout):
            cutter = scene_cutter(
                planned.scene,
                layout,
                tile_ids=[""] * len(layout),
                level=options.level,
                jobs=options.jobs,
                memory=options.memory,
            )
            found.append({name: int(value) for name, value in cutter.plan.items()})  # type: ignore[call-overload]
    return found


def _speed(planned: PlannedScene) -> float:
    paths = {band.path.lower() for band in planned.scene.bands}
    return JP2_MB_PER_CORE_S if any(path.endswith(_JP2) for path in paths) else MB_PER_CORE_S
