"""What is to be cut: scenes that fit together, and where the tiles of each lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.errors import DataError, InputError
from gair_cli.geo.build import require_gdal
from gair_cli.geo.grid_layouts import layouts_of, scene_layout
from gair_cli.geo.inputs.remote import is_remote
from gair_cli.geo.regions import Region, region_of
from gair_cli.geo.scenes import input_fingerprints, inputs_of, open_scene
from gair_cli.geo.tile_options import TilingOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.scene import Scene

__all__ = [
    "BadScene",
    "PlannedScene",
    "TilingOptions",
    "TilingPlan",
    "plan_tiles",
    "scene_layout",
]


@dataclass(frozen=True, slots=True)
class BadScene:
    """A scene that could not be read, and why.

    Attributes:
        name: What messages call it.
        reason: Why.
        scene_id: Its id, if it got that far.
    """

    name: str
    reason: str
    scene_id: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene and where its tiles lie.

    Attributes:
        scene: The scene.
        layouts: Its tiles by target grid: several where it reaches over several UTM zones.
    """

    scene: Scene
    layouts: tuple[Layout, ...]

    @property
    def tiles(self) -> int:
        """Number of tiles, before nodata is looked at."""
        return sum(len(layout) for layout in self.layouts)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of these tiles, uncompressed."""
        value = np.dtype(self.scene.dtype).itemsize * len(self.scene.bands)
        return sum(len(one) * one.size[0] * one.size[1] * value for one in self.layouts)


@dataclass(frozen=True, slots=True)
class TilingPlan:
    """What is to be cut.

    Attributes:
        scenes: Those that could be opened, in order.
        bad: The others.
        undated: Names of scenes left out because they have no date and a period was asked for.
        outside: Number of scenes left out because they were taken outside of it.
        digests: Fingerprints of all inputs, and of the files behind virtual ones.
        region: Hash of the polygons that limit it, or None.
    """

    scenes: tuple[PlannedScene, ...]
    bad: tuple[BadScene, ...]
    undated: tuple[str, ...]
    outside: int
    digests: tuple[str, ...]
    region: str | None

    @property
    def tiles(self) -> int:
        """Number of tiles, before nodata is looked at."""
        return sum(one.tiles for one in self.scenes)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of these tiles, uncompressed."""
        return sum(one.pixel_bytes for one in self.scenes)


def plan_tiles(paths: Sequence[str | Path], options: TilingOptions) -> TilingPlan:
    """Open every scene and lay out its tiles; no pixel is read.

    Raises:
        InputError: If a scene or the region is missing, or none can be read.
        DataError: If a scene has no CRS, scenes differ in bands or type, or the period or the
            region leaves nothing.
        UsageError: If the options make no sense.
    """
    require_gdal("cutting tiles")
    options.check()
    region = region_of(options.bbox, options.region)
    opened, bad, digests = _opened(paths, options)
    scenes, undated = _in_period(opened, options)
    _check_alike(scenes)
    _check_padding(scenes[0], options)
    _check_clouds(scenes, options)
    planned = tuple(PlannedScene(one, _layouts(one, options, region)) for one in scenes)
    if region is not None and not any(one.tiles for one in planned):
        raise DataError(
            f"no tile of {_number_of(scenes)} shares area with {region.name}",
            hint="--bbox is west,south,east,north in degrees; compare with gdalinfo",
        )
    outside = len(opened) - len(scenes) - len(undated)
    return TilingPlan(
        planned, tuple(bad), tuple(undated), outside, tuple(digests),
        None if region is None else region.digest,
    )  # fmt: skip


def _opened(
    paths: Sequence[str | Path], options: TilingOptions
) -> tuple[list[Scene], list[BadScene], list[str]]:
    """Return the scenes that can be opened, the others, and the fingerprints of all."""
    scenes: list[Scene] = []
    bad: list[BadScene] = []
    failures: list[InputError] = []
    inputs: list[str] = []
    for name, files in inputs_of(paths, stack=options.scenes.stack):
        try:
            scenes.append(open_scene(name, files, options=options.scenes))
            inputs += scenes[-1].files
        except InputError as error:
            inputs += [file for file in files if not is_remote(file)]
            failures.append(error)
            bad.append(BadScene(name, str(error)))
    if not scenes:
        raise failures[0]
    return scenes, bad, input_fingerprints(inputs)


def _in_period(
    scenes: Sequence[Scene], options: TilingOptions
) -> tuple[Sequence[Scene], list[str]]:
    """Return the scenes taken in the period, and the names of those without a date.

    Raises:
        DataError: If no scene is left.
    """
    if options.period.is_open:
        return scenes, []
    undated = [scene.name for scene in scenes if scene.taken_at is None]
    kept = [
        one for one in scenes if one.taken_at is not None and options.period.holds(one.taken_at)
    ]
    if not kept:
        raise DataError(
            f"none of {_number_of(scenes)} was taken in the period of --datetime"
            + (f"; {len(undated)} have no date, the first is {undated[0]}" if undated else ""),
            hint="dates come from product ids, metadata and tags: gdalinfo shows them",
        )
    return kept, undated


def _layouts(scene: Scene, options: TilingOptions, region: Region | None) -> tuple[Layout, ...]:
    """Return the tiles of a scene that the region wants, by target grid."""
    found = layouts_of(scene, options)
    if region is None:
        return tuple(found)
    return tuple(layout.only(region.shares_area(layout)) for layout in found)


def _number_of(scenes: Sequence[Scene]) -> str:
    return "1 scene" if len(scenes) == 1 else f"{len(scenes)} scenes"


def _check_alike(scenes: Sequence[Scene]) -> None:
    """Refuse scenes that do not fit into one tile set, naming two that differ.

    Raises:
        DataError: If bands, types, nodata values or ids clash.
    """
    first = scenes[0]
    seen: dict[str, str] = {}
    for scene in scenes:
        if scene.band_names != first.band_names:
            raise DataError(
                f"bands differ: {first.name} has {','.join(first.band_names)}, "
                f"{scene.name} has {','.join(scene.band_names)}",
                hint="choose common bands with --bands, or name them with --band-names",
            )
        if scene.dtype != first.dtype:
            raise DataError(
                f"pixel types differ: {first.name} has {first.dtype}, {scene.name} {scene.dtype}",
                hint="tile them into two tile sets, or convert one with gdal_translate -ot",
            )
        if str(scene.nodata) != str(first.nodata):
            raise DataError(
                f"nodata differs: {first.name} has {first.nodata}, {scene.name} {scene.nodata}",
                hint="pass --nodata VALUE",
            )
        if scene.scene_id in seen:
            raise DataError(
                f"{seen[scene.scene_id]} and {scene.name} are the same scene ({scene.scene_id})",
                hint="give each scene once",
            )
        seen[scene.scene_id] = scene.name


def _check_padding(scene: Scene, options: TilingOptions) -> None:
    """Refuse to pad integers without a nodata value, which nobody could tell from pixels.

    Raises:
        DataError: If so.
    """
    if options.partial == "pad" and scene.nodata is None and not scene.dtype.startswith("float"):
        raise DataError(f"{scene.name} has no nodata value to pad with", hint="pass --nodata VALUE")


def _check_clouds(scenes: Sequence[Scene], options: TilingOptions) -> None:
    """Refuse a limit of clouds where nothing says what is cloudy.

    Raises:
        DataError: If a scene has no cloud source.
    """
    clear = next((scene for scene in scenes if scene.cloud_source is None), None)
    if options.max_cloud < 1 and clear is not None:
        raise DataError(
            f"{clear.name} has nothing that says which pixels are cloudy",
            hint="leave --max-cloud and --cloud-source none out, or give products with SCL, QA60 "
            "or BQA",
        )
