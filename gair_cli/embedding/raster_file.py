"""An embedding raster as an output: its plan, its tags, its components beside it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gair_cli import __version__
from gair_cli.embedding.grid import NorthUpGrid
from gair_cli.embedding.raster import (
    RasterOptions,
    RasterPlan,
    Working,
    embed_raster,
    plan_raster,
    write_components,
)
from gair_cli.embedding.scenes import Scene, open_scene
from gair_cli.embedding.towers import rs_config
from gair_cli.errors import DataError, OutputExistsError
from gair_cli.geo.outputs import Workspace, manifest_path, open_workspace
from gair_cli.geo.rasters import raster_info
from gair_cli.geo.scenes import input_fingerprints

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gair_cli.embedding.extract import Progress
    from gair_cli.embedding.schema import ModelFacts
    from gair_cli.models.gair import GairModel

_PART = "embedding.tif"


@dataclass(frozen=True, slots=True)
class RasterRequest:
    """What `gair raster` is asked for.

    Attributes:
        scene: What `gair tile` takes as one scene: a file, folder or address.
        options: Resolution, space, components, box.
        like: A raster whose grid is taken.
        band_names: Names for the scene's bands, in its order.
        nodata: The value of a pixel that is none, where the scene does not say.
        assume_crs: The CRS, where the scene has none.
    """

    scene: str | Path
    options: RasterOptions
    like: Path | None = None
    band_names: tuple[str, ...] | None = None
    nodata: float | None = None
    assume_crs: str | None = None


@dataclass(frozen=True, slots=True)
class PreparedRaster:
    """A request, ready to run.

    Attributes:
        scene: The scene, opened for the model's bands.
        plan: Grid, lattice and size.
        options: What is wanted.
        identity: Hashes of the inputs, and the options.
        tags: Texts that the file carries.
    """

    scene: Scene
    plan: RasterPlan
    options: RasterOptions
    identity: dict[str, Any]
    tags: dict[str, str]


def prepare_raster(model: GairModel, facts: ModelFacts, request: RasterRequest) -> PreparedRaster:
    """Open the scene and decide the grid.

    Raises:
        ModelError: When the model has no satellite tower.
        InputError: When a raster is missing or unreadable.
        DataError: When the scene has no CRS or lacks a band, or the box lies outside it.
    """
    config = rs_config(model)
    scene = open_scene(
        request.scene,
        config.input,
        band_names=request.band_names,
        nodata=request.nodata,
        assume_crs=request.assume_crs,
    )
    like = None if request.like is None else grid_of(request.like)
    plan = plan_raster(model, scene, request.options, like=like)
    options = request.options
    identity = {
        "command": "raster",
        "scene": input_fingerprints(scene.files),
        "model": facts.sha256,
        "config": facts.config_hash,
        "options": options.to_dict(),
        "grid": [plan.whole.crs, list(plan.whole.transform), plan.whole.width, plan.whole.height],
        "bands": [number for _, number in scene.sources],
        "nodata": scene.nodata,
    }
    tags = {"gair": json.dumps(_own(facts, plan, options), sort_keys=True)}
    return PreparedRaster(scene, plan, options, identity, tags)


def _own(facts: ModelFacts, plan: RasterPlan, options: RasterOptions) -> dict[str, Any]:
    columns = plan.lattice.columns
    return {
        "version": __version__,
        "model": facts.name,
        "model_sha256": facts.sha256,
        "config_hash": facts.config_hash,
        "licence": facts.licence,
        "modality": "rs_at",
        "space": options.space,
        "normalised": options.space == "joint" and options.pca is None,
        "pca": options.pca,
        "tile_size": columns.size,
        "stride": columns.stride,
        "radius_m": plan.radius_m,
    }


def grid_of(path: Path) -> NorthUpGrid:
    """Return the grid of a north-up raster.

    Raises:
        InputError: When it is missing or unreadable.
        DataError: When it has no CRS or is not north-up.
    """
    info = raster_info(path)
    a, b, _, d, e, _ = info.transform
    if info.crs is None or b or d or a <= 0 or e >= 0:
        raise DataError(f"{path} is no north-up raster with a CRS", hint="warp it first")
    return NorthUpGrid(info.crs, info.transform, info.width, info.height)


def write_raster(
    model: GairModel,
    prepared: PreparedRaster,
    output: Path,
    *,
    working: Working,
    overwrite: bool = False,
    manifest: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> bool:
    """Write an embedding raster; with `pca`, its components as `<output>.pca.json`.

    Args:
        model: The model.
        prepared: From `prepare_raster`.
        output: The file.
        working: Windows, batches and memory.
        overwrite: Replace what is there.
        manifest: More entries for the side manifest.
        progress: Called with the number of pixels done.

    Returns:
        Whether something was written; False when the same raster was there already.

    Raises:
        OutputExistsError: When something else is there.
        DataError: When no pixel of the scene is valid.
    """
    space = _open(prepared, output, overwrite=overwrite)
    if space.status == "finished":
        return False
    try:
        components = embed_raster(
            model,
            prepared.scene,
            space.folder / _PART,
            options=prepared.options,
            plan=prepared.plan,
            working=working,
            tags=prepared.tags,
            progress=progress,
        )
    except BaseException:
        shutil.rmtree(space.folder, ignore_errors=True)
        raise
    if overwrite or components is not None:
        components_path(output).unlink(missing_ok=True)  # those of the raster that goes
    space.finish_file(_PART, manifest or {})
    if components is not None:
        write_components(components, components_path(output))
    return True


def _open(prepared: PreparedRaster, output: Path, *, overwrite: bool) -> Workspace:
    """Open the workspace; a raster whose components are missing counts as unfinished.

    Raises:
        OutputExistsError: When something else is there, or where the components go.
    """
    beside = components_path(output)
    wanted = prepared.options.pca is not None
    if wanted and beside.exists() and not (overwrite or output.exists()):
        raise OutputExistsError(
            f"{beside} exists already", hint="choose another output, or pass --overwrite"
        )
    space = open_workspace(output, prepared.identity, overwrite=overwrite)
    if space.status != "finished" or not wanted or beside.exists():
        return space
    manifest_path(output).unlink()
    return open_workspace(output, prepared.identity, overwrite=True)


def components_path(output: Path) -> Path:
    """Return where the principal components of a raster lie."""
    return output.with_name(output.name + ".pca.json")
