"""Open the cutter of one scene and one layout of tiles."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gair_cli import _rust
from gair_cli.errors import DataError, InputError
from gair_cli.geo.inputs.remote import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.scene import Scene


def scene_cutter(
    scene: Scene,
    layout: Layout,
    *,
    tile_ids: Sequence[str],
    max_nodata: float = 1.0,
    max_cloud: float = 1.0,
    level: int | None = 1,
    first: int = 0,
    jobs: int | None = None,
    memory: int | None = None,
) -> _rust.SceneCutter:
    """Open a scene and plan how its tiles are cut; no pixel is read yet.

    Args:
        scene: What to cut.
        layout: The tiles.
        tile_ids: Their ids, in the layout's order.
        max_nodata: Greatest share of pixels that are valid in no band; tiles of which no pixel is
            valid are left out whatever it is.
        max_cloud: Greatest share of cloudy pixels.
        level: ZSTD's level; None leaves tiles uncompressed.
        first: Position of the first tile to cut, in the cutter's own order.
        jobs: Threads; None is all cores.
        memory: Most bytes of decoded blocks; None takes what decoding each block once needs,
            within reason.

    Raises:
        InputError: If a file cannot be opened.
        DataError: If bands do not fit together, or one tile needs more than `memory`.
    """
    with opening_errors_named(scene):
        return _rust.SceneCutter(
            scene,
            layout,
            names=[f"{tile_id}.tif" for tile_id in tile_ids],
            nodata_text=nodata_text(scene.nodata, scene.dtype),
            max_nodata=max_nodata,
            max_cloud=max_cloud,
            level=level,
            first=first,
            threads=thread_count(jobs),
            memory=memory,
        )


def thread_count(jobs: int | None) -> int:
    """Return how many threads work: those asked for, or one for each core that we may use."""
    return jobs or len(os.sched_getaffinity(0))


@contextmanager
def opening_errors_named(scene: Scene) -> Iterator[None]:
    """Name the scene in what is raised while its files are opened and its cut is planned.

    Raises:
        InputError: If a file cannot be opened.
        DataError: If bands do not fit together, or more memory is needed than allowed.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{scene.name} cannot be read: {error}") from error
    except ValueError as error:
        hint = "raise --memory" if "are allowed" in str(error) else "check --nodata and the bands"
        raise DataError(f"{scene.name}: {error}", hint=hint) from error


@contextmanager
def pixel_errors_named(scene: Scene) -> Iterator[None]:
    """Name the scene in what the cutter raises while it decodes and cuts.

    Raises:
        InputError: If the scene cannot be decoded.
        DataError: If a pixel is invalid and there is no value for it.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # of the shard that is written, not of the scene
            raise
        raise undecodable(scene, error) from error
    except ValueError as error:
        raise DataError(f"{scene.name}: {error}", hint="pass --nodata VALUE") from error


def undecodable(scene: Scene, error: OSError) -> InputError:
    """Return the error of a scene whose pixels could not be had, and what to do about it."""
    if any(is_remote(file) for file in scene.files):
        return InputError(
            f"{scene.name} could not be fetched to its end, or cannot be decoded: {error}",
            hint="check the network and the server, then run the same again",
        )
    return InputError(f"{scene.name} cannot be decoded: {error}")


def nodata_text(nodata: float | None, dtype: str) -> str | None:
    """Return how a GeoTIFF spells a nodata value of a pixel type.

    Whole numbers have no fraction. The greatest 64-bit integers are rounded up as floats, beyond
    their type: they are brought back into it.
    """
    if nodata is None:
        return None
    if abs(nodata) == float("inf") or nodata != nodata // 1:
        return repr(nodata)
    whole = int(nodata)
    if not dtype.startswith("float"):
        whole = min(whole, int(np.iinfo(dtype).max))
    return str(whole)
