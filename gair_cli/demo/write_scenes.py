"""Write the satellite scenes and their classification, block by block."""

from __future__ import annotations

from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.demo.acquisition import Acquisition, plan_acquisition
from gair_cli.demo.city import City
from gair_cli.demo.place import Place, place_of
from gair_cli.demo.scene import BLOCK_PIXELS, render_block
from gair_cli.demo.shots import MADE_DATA
from gair_cli.geo.rasters import RasterWriter
from gair_cli.records import SENTINEL2_L2A_BANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from gair_cli.demo.noise import Codes
    from gair_cli.demo.options import CityOptions
    from gair_cli.demo.parallel import Workers
    from gair_cli.geo.outputs import Workspace

_DESCRIPTION: Final = f"{MADE_DATA}: a Sentinel-2-like scene of a city that does not exist"


@lru_cache(maxsize=2)
def city_of(seed: int, extent_m: float) -> City:
    """Return the city of a seed, planned once a process."""
    return City(seed, extent_m)


def scene_name(number: int) -> str:
    """Return the stem of a scene's files: `scene`, then `scene-2` and so on."""
    return "scene" if number == 0 else f"scene-{number + 1}"


def acquisition_of(options: CityOptions, place: Place, number: int) -> Acquisition:
    """Return a scene's pass of the satellite."""
    middle = options.extent_m / 2
    lon, lat = place.lonlat(np.array([middle]), np.array([middle]))[0]
    return plan_acquisition(options.seed, number, lon=float(lon), lat=float(lat))


def write_scene(
    workspace: Workspace,
    options: CityOptions,
    number: int,
    *,
    workers: Workers,
    progress: Callable[[int], None],
) -> None:
    """Write one scene and its SCL as parts of a workspace, unless they are there.

    Args:
        workspace: Where to.
        options: The city.
        number: Which scene.
        workers: Who does the work.
        progress: Called with 1 for each finished block.

    Raises:
        MissingPackageError: In a build without GDAL.
    """
    name = scene_name(number)
    if workspace.has(f"{name}.tif") and workspace.has(f"{name}_SCL.tif"):
        progress(block_count(options))
        return
    place = place_of(options.seed)
    acquisition = acquisition_of(options, place, number)
    tasks = ((options, acquisition, *block) for block in _blocks(options.pixels))
    with ExitStack() as stack:
        bands = _writer(stack, workspace, f"{name}.tif", options, place, acquisition)
        classes = _writer(stack, workspace, f"{name}_SCL.tif", options, place, acquisition)
        for pixels, scl, column, row in workers.in_order(_block, tasks):
            bands.write(pixels, column, row)
            classes.write(scl[None], column, row)
            progress(1)


def block_count(options: CityOptions) -> int:
    """Return how many blocks a scene has."""
    return len(list(_blocks(options.pixels)))


def _blocks(pixels: int) -> Iterator[tuple[int, int]]:
    for row in range(0, pixels, BLOCK_PIXELS):
        for column in range(0, pixels, BLOCK_PIXELS):
            yield column, row


def _block(
    options: CityOptions, acquisition: Acquisition, column: int, row: int
) -> tuple[NDArray[np.uint16], Codes, int, int]:
    city = city_of(options.seed, options.extent_m)
    width = min(BLOCK_PIXELS, options.pixels - column)
    height = min(BLOCK_PIXELS, options.pixels - row)
    pixels, scl = render_block(
        city, acquisition, column=column, row=row, width=width, height=height
    )
    return pixels, scl, column, row


def _writer(
    stack: ExitStack,
    workspace: Workspace,
    name: str,
    options: CityOptions,
    place: Place,
    acquisition: Acquisition,
) -> RasterWriter:
    classes = name.endswith("_SCL.tif")
    path = stack.enter_context(workspace.part(name))
    settings: dict[str, Any] = {"count": 1, "dtype": "uint8", "band_names": ["SCL"]}
    if not classes:
        settings = {
            "count": len(SENTINEL2_L2A_BANDS),
            "dtype": "uint16",
            "band_names": SENTINEL2_L2A_BANDS,
        }
    return stack.enter_context(
        RasterWriter(
            path,
            width=options.pixels,
            height=options.pixels,
            crs=place.crs,
            transform=place.transform(options.pixels),
            nodata=0,
            tags=_tags(acquisition),
            **settings,
        )
    )


def _tags(acquisition: Acquisition) -> dict[str, str]:
    return {
        "TIFFTAG_IMAGEDESCRIPTION": _DESCRIPTION,
        "TIFFTAG_DATETIME": acquisition.moment.strftime("%Y:%m:%d %H:%M:%S"),
        "TIFFTAG_COPYRIGHT": "CC0-1.0",
        "TIFFTAG_SOFTWARE": "gair demo",
        "source": MADE_DATA,
    }
