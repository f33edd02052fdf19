"""Make a city as a folder: scenes, photos, points and a page that says what they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gair_cli.demo.parallel import Workers
from gair_cli.demo.place import place_of
from gair_cli.demo.write_scenes import acquisition_of, block_count, scene_name, write_scene
from gair_cli.demo.write_tables import gather_photo_rows, write_photos, write_points
from gair_cli.geo.build import require_gdal
from gair_cli.geo.outputs import open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Literal

    from gair_cli.demo.options import CityOptions
    from gair_cli.geo.outputs import Workspace

_STEPS_A_PROCESS = 60
"""Less work than this is not worth another process."""
_README = """\
This folder is made data: a city that does not exist, drawn by `gair demo`.
Nothing in it was measured. Seed {seed}, {extent:g} x {extent:g} km, {crs}. Licence: CC0-1.0.

{scenes}
photos.csv       {photos} street photos: photo_id, path, lon, lat, heading (degrees clockwise from
                 north), fov (horizontal field of view, degrees), captured_at (UTC)
photos/          the photos, JPEG with position, direction and date in EXIF
points.csv       {points} points with labels: land_use, building_density and mean_height (within
                 100 m; share and metres), water_distance (metres, at most 1000), income (a smooth
                 field without meaning)

Scenes have 12 bands like Sentinel-2 at 10 m: reflectance times 10,000, 0 is nodata. SCL codes:
0 nodata, 3 cloud shadow, 4 vegetation, 5 not vegetated, 6 water, 8 and 9 cloud.
"""


def make_city(
    output: Path,
    options: CityOptions,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> Literal["new", "resumed", "finished"]:
    """Make a city, or go on with one that was interrupted.

    Args:
        output: The folder; it appears whole or not at all.
        options: What city.
        jobs: Processes; the bytes do not depend on it.
        overwrite: Replace a folder made with other options.
        progress: Called with the number of finished steps, `count_steps` in all.
        manifest: What to note beside the folder.

    Returns:
        `new`, `resumed` when work was kept, `finished` when there was nothing to do.

    Raises:
        OutputExistsError: If something else is at `output`.
        MissingPackageError: In a build without GDAL.
    """
    require_gdal("making a scene")
    workspace = open_workspace(output, options.plan(), overwrite=overwrite)
    if workspace.status == "finished":
        return "finished"
    advance = progress or (lambda _count: None)
    with Workers(min(jobs, 1 + count_steps(options) // _STEPS_A_PROCESS)) as workers:
        for number in range(options.scenes):
            write_scene(workspace, options, number, workers=workers, progress=advance)
        write_points(workspace, options)
        write_photos(workspace, options, workers=workers, progress=advance)
    gather_photo_rows(workspace, options)
    _write_readme(workspace, options)
    os.sync()  # the photos were not flushed one by one
    workspace.finish_folder({**(manifest or {}), "plan": options.plan()})
    return workspace.status


def count_steps(options: CityOptions) -> int:
    """Return how many steps `progress` will count: photos and blocks of scenes."""
    return options.photos + options.scenes * block_count(options)


def _write_readme(workspace: Workspace, options: CityOptions) -> None:
    place = place_of(options.seed)
    lines = []
    for number in range(options.scenes):
        name, moment = scene_name(number), acquisition_of(options, place, number).moment
        lines.append(f"{name + '.tif':<16} scene of {moment:%Y-%m-%d}; {name}_SCL.tif its classes")
    text = _README.format(
        seed=options.seed,
        extent=options.extent_m / 1000,
        crs=place.crs,
        scenes="\n".join(lines),
        photos=options.photos,
        points=options.points,
    )
    with workspace.part("README.txt") as path:
        path.write_text(text, encoding="utf-8")
