"""Containment in the tile's CRS, positions, edges and overlaps; shapely is the oracle."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from made_tiles import at_metres, grid, index_of, tile_row

from gair_cli.errors import DataError
from gair_cli.geo.coordinates import from_lonlat
from gair_cli.geo.locator import (
    TileLocator,
    position_in_tiles,
    refuse_swapped,
    tile_metres,
)


def scattered(box, count=3000, seed=0):
    west, south, east, north = box
    return np.random.default_rng(seed).uniform([west, south], [east, north], (count, 2))


def footprint(shapely, tile):
    a, b, c, d, e, f = tile["transform"]
    corners = [(0, 0), (tile["width"], 0), (tile["width"], tile["height"]), (0, tile["height"])]
    return shapely.Polygon([(a * u + b * v + c, d * u + e * v + f) for u, v in corners])


def turned(degrees, res=10.0, origin=(391_000.0, 5_818_000.0)):
    sin, cos = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return (res * cos, res * sin, origin[0], res * sin, -res * cos, origin[1])


def test_containment_agrees_with_shapely_in_each_tiles_crs():
    shapely = pytest.importorskip("shapely")
    index = index_of(
        [
            *grid(4, 5).to_dicts(),
            *grid(2, 2, scene="off", origin=(388_333.3, 5_817_777.7)).to_dicts(),
            tile_row(turned(30), (200, 150), scene="turned"),
            tile_row(turned(-75, res=7.0), (90, 400), scene="turned-2"),
            *grid(3, 3, crs="EPSG:32632", origin=(794_000.0, 5_828_000.0), scene="west").to_dicts(),
            tile_row((1e-4, 0, 13.36, 0, -6e-5, 52.51), (300, 250), crs="EPSG:4326", scene="deg"),
        ]
    )
    lonlat = scattered((13.25, 52.44, 13.45, 52.54))
    located = TileLocator(index).locate(lonlat)
    inside = np.zeros((len(lonlat), index.height), bool)
    for number, tile in enumerate(index.to_dicts()):
        points = shapely.points(from_lonlat(lonlat, tile["crs"]))
        inside[:, number] = shapely.contains(footprint(shapely, tile), points)
    assert np.array_equal(located.row >= 0, inside.any(axis=1))
    held = np.flatnonzero(located.inside)
    assert 200 < len(held) < len(lonlat)
    assert inside[held, located.row[held]].all()


def test_position_is_that_of_the_tiles_own_affine():
    index = index_of([tile_row(turned(30), (200, 150))])
    lonlat = scattered((13.35, 52.48, 13.45, 52.54))
    located = TileLocator(index).locate(lonlat)
    held = located.inside
    assert held.sum() > 20
    wanted = position_in_tiles(index, np.zeros(int(held.sum()), int), lonlat[held])
    assert np.abs(located.xy[held] - wanted).max() < 1e-9


def test_photo_on_shared_edge_belongs_to_one_tile():
    edge_x, edge_y = 385_920.0 + 960.0, 5_820_480.0 - 960.0
    lonlat = at_metres([edge_x, edge_x, 386_000.0], [5_820_000.0, edge_y, edge_y])
    located = TileLocator(grid(2, 2)).locate(lonlat)
    assert located.inside.all()
    assert np.abs(located.edge_distance_m).max() < 1e-6


def test_every_photo_along_the_edges_of_a_lattice_is_found():
    steps = np.arange(0, 2881, 7.0)
    points = [at_metres(385_920.0 + steps, 5_820_480.0 - 960.0 * k) for k in range(4)]
    located = TileLocator(grid(3, 3)).locate(np.concatenate(points))
    assert located.inside.all()


def test_overlapping_tiles_of_two_scenes_give_the_nearest_centre():
    index = index_of(
        [
            *grid(1, 1).to_dicts(),
            *grid(1, 1, scene="late", origin=(386_400.0, 5_820_480.0)).to_dicts(),
        ]
    )
    located = TileLocator(index).locate(at_metres([386_610.0, 386_650.0], [5_820_000.0] * 2))
    assert located.row.tolist() == [0, 1]


def test_overlapping_tiles_of_two_zones_give_the_nearest_centre():
    centre = at_metres(386_400.0, 5_820_000.0)
    x, y = from_lonlat(centre, "EPSG:32632")[0]
    west = grid(1, 1, crs="EPSG:32632", origin=(x - 480 - 300, y + 480), scene="west")
    index = index_of([*grid(1, 1).to_dicts(), *west.to_dicts()])
    located = TileLocator(index).locate(at_metres([386_150.0, 386_350.0], [5_820_000.0] * 2))
    assert located.row.tolist() == [1, 0]


def test_tiles_across_the_antimeridian_hold_photos_on_both_sides():
    index = grid(1, 1, crs="EPSG:32760", size=400, origin=(815_000.0, 8_010_000.0))
    x = np.array([815_500.0, 818_500.0])
    lonlat = at_metres(x, 8_008_000.0, "EPSG:32760")
    assert lonlat[0, 0] > 179.9
    assert lonlat[1, 0] < -179.9
    assert TileLocator(index).locate(lonlat).row.tolist() == [0, 0]


def test_edge_distance_is_metres_on_the_ground_in_any_crs():
    # 0.002 degrees from the west edge at 60 N: 111.6 m; Web Mercator doubles lengths there.
    degrees = index_of([tile_row((1e-3, 0, 10, 0, -1e-3, 60.05), (100, 100), crs="EPSG:4326")])
    located = TileLocator(degrees).locate([[10.002, 60.0]])
    assert located.edge_distance_m[0] == pytest.approx(111.6, abs=0.1)
    x, y = from_lonlat([[10.0, 60.0]], "EPSG:3857")[0]
    web = index_of([tile_row((20, 0, x, 0, -20, y + 1000), (100, 100), crs="EPSG:3857")])
    located = TileLocator(web).locate([[10.002, 60.0]])
    assert located.edge_distance_m[0] == pytest.approx(111.6, abs=0.1)


def test_far_places_and_missing_coordinates_are_outside():
    located = TileLocator(grid(2, 2)).locate([[np.nan, 52], [-170, -52], [13.3, np.inf]])
    assert located.row.tolist() == [-1, -1, -1]
    assert np.isnan(located.xy).all()


def test_an_empty_index_holds_nothing():
    assert TileLocator(grid(1, 1).clear()).locate([[13, 52]]).row.tolist() == [-1]


def test_position_of_a_corner_is_minus_one_minus_one_at_the_top_left():
    located = TileLocator(grid(1, 1)).locate(
        at_metres([385_920.0, 386_400.0], [5_820_480.0, 5_820_240.0])
    )
    assert np.abs(located.xy - [[-1, -1], [0, -0.5]]).max() < 1e-9


def test_tiles_know_their_ground_size():
    # UTM shrinks by 0.9996 to 1.0004; the point scale here is 0.99976.
    assert tile_metres(grid(1, 1))[0] == pytest.approx([960.2, 960.2], abs=0.3)


def test_the_three_triples_lie_where_their_bounds_say(shared_data):
    rasterio = pytest.importorskip("rasterio")
    with (shared_data / "triples/triples.csv").open() as file:
        triples = list(csv.DictReader(file))
    rows = []
    for triple in triples:
        with rasterio.open(shared_data / "triples" / triple["rs_image"]) as raster:
            transform = tuple(raster.transform)[:6]
            rows.append(
                tile_row(transform, raster.shape[::-1], crs="EPSG:4326", scene=triple["id"])
            )
    lonlat = np.array([[float(triple["lon"]), float(triple["lat"])] for triple in triples])
    located = TileLocator(index_of(rows)).locate(lonlat)
    assert located.row.tolist() == [0, 1, 2]
    for triple, (lon, lat), xy in zip(triples, lonlat, located.xy, strict=True):
        west, south, east, north = (
            float(triple[side]) for side in ("west", "south", "east", "north")
        )
        wanted = [2 * (lon - west) / (east - west) - 1, 2 * (north - lat) / (north - south) - 1]
        assert xy == pytest.approx(wanted, abs=1e-6)


def test_swapped_columns_are_refused_with_the_flags_to_use():
    lonlat = at_metres(np.linspace(386_000, 387_000, 50), 5_820_000.0)
    locator = TileLocator(grid(2, 2))
    refuse_swapped(locator, lonlat)
    with pytest.raises(DataError, match="once lon and lat are swapped") as error:
        refuse_swapped(locator, lonlat[:, ::-1])
    assert "--lon-column" in error.value.hint


def test_points_that_are_outside_either_way_are_not_called_swapped():
    refuse_swapped(TileLocator(grid(2, 2)), [[100.0, 10.0], [10.0, 80.0]])
