"""Write photos with their table, and the labelled points, in chunks that survive a kill."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.exif import save_photo
from gair_cli.demo.labels import label_points
from gair_cli.demo.picture import draw_photo
from gair_cli.demo.place import place_of
from gair_cli.demo.plan import LandUse
from gair_cli.demo.shots import MADE_DATA, PhotoPlan, Shot, plan_shots
from gair_cli.demo.write_scenes import city_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gair_cli.demo.options import CityOptions
    from gair_cli.demo.parallel import Workers
    from gair_cli.geo.outputs import Workspace

CHUNK_PHOTOS: Final = 50
_CHUNK_POINTS: Final = 2000
_ROWS: Final = "rows"
_PHOTO_COLUMNS: Final = "photo_id,path,lon,lat,heading,fov,captured_at,source,licence\n"
_POINT_COLUMNS: Final = (
    "point_id,lon,lat,land_use,building_density,mean_height,water_distance,income,source\n"
)


def write_photos(
    workspace: Workspace,
    options: CityOptions,
    *,
    workers: Workers,
    progress: Callable[[int], None],
) -> None:
    """Draw all photos; chunks whose rows are there already are kept.

    Args:
        workspace: Where to.
        options: The city.
        workers: Who does the work; the bytes do not depend on it.
        progress: Called with the number of finished photos.
    """
    missing = []
    for start in range(0, options.photos, CHUNK_PHOTOS):
        if workspace.has(_rows_name(start)):
            progress(_chunk_size(options, start))
        else:
            missing.append(start)
    tasks = ((workspace.folder, options, start) for start in missing)
    for start, rows in workers.in_order(_draw_chunk, tasks):
        with workspace.part(_rows_name(start)) as path:
            path.write_text(rows, encoding="utf-8")
        progress(_chunk_size(options, start))


def gather_photo_rows(workspace: Workspace, options: CityOptions) -> None:
    """Join the rows of all chunks into `photos.csv`, and remove them."""
    if not workspace.has("photos.csv"):
        with workspace.part("photos.csv") as path, path.open("w", encoding="utf-8") as table:
            table.write(_PHOTO_COLUMNS)
            for start in range(0, options.photos, CHUNK_PHOTOS):
                rows = workspace.folder / _rows_name(start)
                table.write(rows.read_text(encoding="utf-8"))
    shutil.rmtree(workspace.folder / _ROWS, ignore_errors=True)


def write_points(workspace: Workspace, options: CityOptions) -> None:
    """Write `points.csv`, unless it is there."""
    if workspace.has("points.csv"):
        return
    with workspace.part("points.csv") as path, path.open("w", encoding="utf-8") as table:
        table.write(_POINT_COLUMNS)
        for start in range(0, options.points, _CHUNK_POINTS):
            stop = min(start + _CHUNK_POINTS, options.points)
            table.writelines(_point_rows(options, range(start, stop)))


def _rows_name(start: int) -> str:
    return f"{_ROWS}/{start:08d}.csv"


def _chunk_size(options: CityOptions, start: int) -> int:
    return min(CHUNK_PHOTOS, options.photos - start)


def _draw_chunk(folder: Path, options: CityOptions, start: int) -> tuple[int, str]:
    """Draw and save one chunk of photos; return its first number and its rows."""
    city = city_of(options.seed, options.extent_m)
    plan = PhotoPlan(options.seed, options.photo_width, options.photo_height, options.panorama)
    numbers = range(start, start + _chunk_size(options, start))
    rows = []
    for shot in plan_shots(city, place_of(options.seed), plan, numbers):
        generator = np.random.default_rng([options.seed, 14, shot.index])
        pixels = draw_photo(city, shot.camera(plan), shot.weather(), generator)
        path = folder / shot.path
        path.parent.mkdir(parents=True, exist_ok=True)
        save_photo(pixels, path, shot, plan)
        rows.append(_photo_row(shot, plan))
    return start, "".join(rows)


def _photo_row(shot: Shot, plan: PhotoPlan) -> str:
    taken = shot.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"{shot.photo_id},{shot.path},{shot.lon:.7f},{shot.lat:.7f},{shot.heading_deg:.1f},"
        f"{plan.fov_deg:.0f},{taken},{MADE_DATA},CC0-1.0\n"
    )


def _point_rows(options: CityOptions, numbers: range) -> Iterator[str]:
    city = city_of(options.seed, options.extent_m)
    points = label_points(city, place_of(options.seed), numbers)
    for row, number in enumerate(numbers):
        lon, lat = points.lonlat[row]
        use = LandUse(int(points.land_use[row])).name.lower()
        yield (
            f"{number:06d},{lon:.7f},{lat:.7f},{use},{points.building_density[row]:.4f},"
            f"{points.mean_height[row]:.2f},{points.water_distance[row]:.0f},"
            f"{points.income[row]:.2f},{MADE_DATA}\n"
        )
