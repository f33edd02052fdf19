"""The report and the map of a pairing: how far its splits are apart, and where they lie."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gair_cli.geo.buffers import least_gaps
from gair_cli.geo.outputs import write_json
from gair_cli.geo.split_files import distances_text
from gair_cli.geo.split_map import MapSample, draw_split_map

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gair_cli.geo.pair_run import PairReport, PairRun


def report_pairs(
    run: PairRun, report: PairReport, *, report_path: Path | None, picture: Path | None
) -> None:
    """Write what is asked for of a pairing that is done.

    Args:
        run: The pairing.
        report: Its counts.
        report_path: Where to write them, and the least distances between tiles, as JSON.
        picture: Where to draw the tiles in use, a PNG.
    """
    index, splits = run.tiles_in_use()
    least = least_gaps(index, splits)
    if report_path is not None:
        write_json(report_path, _as_json(report, splits, least))
    if picture is not None:
        sample = MapSample(run.options.seed)
        centres = index.select("centre_lon", "centre_lat").to_numpy().astype(np.float64)
        sample.add(centres, np.array(splits, dtype=object))
        draw_split_map(
            sample,
            picture,
            counts={name: splits.count(name) for name in report.splits},
            title=f"{report.tiles_used:,} tiles in {report.blocks:,} blocks of {report.block}",
            notes=distances_text(least),
            what="tiles",
        )


def _as_json(
    report: PairReport, splits: list[str], least: Mapping[str, float | None]
) -> dict[str, Any]:
    content = asdict(report)
    pairs = content.pop("splits")
    content["splits"] = {
        name: {
            "pairs": count,
            "share": count / report.pairs if report.pairs else 0.0,
            "tiles": splits.count(name),
        }
        for name, count in pairs.items()
    }
    return {**content, "least_distance_m": dict(least)}
