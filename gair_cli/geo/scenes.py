"""What `gair tile` is given, described as scenes: the door to the modules of `inputs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gair_cli.geo.inputs.describe import describe
from gair_cli.geo.inputs.find import inputs_of
from gair_cli.geo.inputs.fingerprints import input_fingerprints
from gair_cli.geo.inputs.kinds import Kind, kind_of
from gair_cli.geo.inputs.landsat import landsat_draft
from gair_cli.geo.inputs.notes import notes_of
from gair_cli.geo.inputs.options import SceneOptions
from gair_cli.geo.inputs.raster import raster_draft
from gair_cli.geo.inputs.sentinel2 import sentinel2_draft
from gair_cli.geo.inputs.stac import stac_draft
from gair_cli.geo.inputs.stack import stack_draft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.geo.inputs.draft import Draft
    from gair_cli.geo.scene import Scene

__all__ = ["SceneOptions", "input_fingerprints", "inputs_of", "notes_of", "open_scene"]


def open_scene(name: str, files: Sequence[str | Path], *, options: SceneOptions) -> Scene:
    """Describe one scene; no pixel is read.

    Args:
        name: What messages call it.
        files: From `inputs_of`: a raster, product or item, or the one-band files of a stack.
        options: How it is read.

    Raises:
        InputError: If something is missing, unreadable, or made to deceive.
        DataError: If there is no CRS or transform, bands do not fit their names or each other, or
            an asked band or cloud source is not there.
        UsageError: If the options make no sense.
    """
    return describe(_draft(name, [str(file) for file in files], options), options)


def _draft(name: str, files: Sequence[str], options: SceneOptions) -> Draft:
    path = files[0]
    kind = kind_of(path)
    if kind is Kind.SAFE:
        return sentinel2_draft(name, Path(path), options)
    if kind is Kind.STAC:
        return stac_draft(name, path)
    if kind is Kind.LANDSAT:
        folder = Path(path)
        return landsat_draft(name, folder if folder.is_dir() else folder.parent)
    if options.stack:
        return stack_draft(name, files, options)
    return raster_draft(name, path, options)
