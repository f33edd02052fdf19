"""Pairs held against shapely in the tiles' own CRSs, and projections held against PROJ."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from made_tiles import index_of, tile_row

from gair_cli.geo.coordinates import from_lonlat, to_lonlat
from gair_cli.geo.locator import TileLocator, position_in_tiles
from gair_cli.geo.pairing import PairingOptions, pair_photos

SYSTEMS = {
    "EPSG:32633": ([5e5, 5.5e6], 2e4, 10.0),
    "EPSG:32733": ([5e5, 6.5e6], 2e4, 10.0),
    "EPSG:32660": ([8.3e5, 7e6], 2e4, 10.0),  # beyond the antimeridian
    "EPSG:32601": ([1.7e5, 7e6], 2e4, 10.0),  # and what meets it from the other side
    "EPSG:4326": ([15.0, 49.6], 0.2, 1e-4),
    "EPSG:3857": ([1.67e6, 6.4e6], 3e4, 10.0),
    "EPSG:3035": ([4.6e6, 2.97e6], 2e4, 10.0),
    "EPSG:3995": ([0.0, 0.0], 2e4, 10.0),  # around the north pole
    "EPSG:3031": ([0.0, 0.0], 2e4, 10.0),  # and the south pole
}
MANY = PairingOptions(tiles_a_photo=200, buffer_m=0)


def random_tiles(seed, count=60):
    """Rotated, mirrored, tiny and overlapping tiles of one lattice and of none, in many CRSs."""
    random = np.random.default_rng(seed)
    rows = []
    for crs, (centre, spread, res) in SYSTEMS.items():
        for number in range(count):
            size = random.choice([1, 7, 96, 256], 2)
            turn = random.choice([0.0, random.uniform(0, 2 * np.pi)])
            mirror = random.choice([-1.0, 1.0], 2)
            scale = res * random.choice([1.0, 0.5, 3.0])
            a, d = scale * mirror[0] * np.cos(turn), scale * mirror[0] * np.sin(turn)
            b, e = -scale * mirror[1] * np.sin(turn), scale * mirror[1] * np.cos(turn)
            c, f = np.asarray(centre) + random.uniform(-spread, spread, 2)
            cell = (number, 0)
            rows.append(tile_row((a, b, c, d, e, f), size.tolist(), crs=crs, scene=crs, cell=cell))
    return index_of(rows)


def random_points(index, seed, count):
    """Points in and around the tiles, some on their corners and edges."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, index.height, count)
    unit = random.choice([0.0, 0.5, 1.0, np.nan], (count, 2), p=[0.02, 0.02, 0.02, 0.94])
    unit = np.where(np.isnan(unit), random.normal(0.5, 0.5, (count, 2)), unit)
    lonlat = np.empty((count, 2))
    chosen = index[rows]
    a, b, c, d, e, f = np.asarray(chosen["transform"].to_list()).T
    size = chosen.select("width", "height").to_numpy()
    col, row = (unit * size).T
    xy = np.stack([a * col + b * row + c, d * col + e * row + f], axis=1)
    systems = chosen["crs"].to_numpy()
    for crs in SYSTEMS:
        here = systems == crs
        lonlat[here] = to_lonlat(xy[here], crs)
    return lonlat


def oracle(index, lonlat):
    """(point, tile) of all containments by shapely, and those too close to an edge to tell."""
    pyproj = pytest.importorskip("pyproj")
    shapely = pytest.importorskip("shapely")
    inside, unsure = set(), set()
    numbered = index.with_row_index("number")
    for (crs,), tiles in numbered.group_by("crs", maintain_order=True):
        project = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        x, y = project.transform(lonlat[:, 0], lonlat[:, 1])
        points = shapely.points(x, y)
        tree = shapely.STRtree(points)
        unit_m = 111e3 if crs == "EPSG:4326" else 1.0
        for number, transform, width, height in tiles.select(
            "number", "transform", "width", "height"
        ).rows():
            a, b, c, d, e, f = transform
            ring = [(0, 0), (width, 0), (width, height), (0, height)]
            tile = shapely.Polygon([(a * u + b * v + c, d * u + e * v + f) for u, v in ring])
            near = tree.query(tile, predicate="intersects")
            inside |= {(int(point), number) for point in near}
            edge = tree.query(tile.exterior, predicate="dwithin", distance=1e-6 / unit_m)
            unsure |= {(int(point), number) for point in edge}
    return inside, unsure


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_thousand_points_are_in_the_tiles_that_shapely_says(seed):
    index = random_tiles(seed)
    lonlat = random_points(index, seed, 25_000)
    ids = [str(number) for number in range(len(lonlat))]
    photos = pl.DataFrame({"photo_id": ids, "lon": lonlat[:, 0], "lat": lonlat[:, 1]})
    pairs = pair_photos(photos, index, options=MANY).pairs
    number = {tile: row for row, tile in enumerate(index["tile_id"])}
    found = {
        (int(photo), number[tile]) for photo, tile in pairs.select("photo_id", "tile_id").rows()
    }
    inside, unsure = oracle(index, lonlat)
    assert len(inside) > 10_000
    assert found - unsure == inside - unsure
    # on an edge: one tile at least holds what shapely calls covered
    on_edges = {point for point, _ in inside & unsure}
    assert on_edges <= {point for point, _ in found}


def test_of_overlapping_tiles_the_nearest_centre_is_taken():
    index = random_tiles(11)
    lonlat = random_points(index, 11, 5000)
    located = TileLocator(index).locate(lonlat)
    inside, unsure = oracle(index, lonlat)
    middle = index.select("centre_lon", "centre_lat").to_numpy()
    pyproj = pytest.importorskip("pyproj")
    geod = pyproj.Geod(ellps="WGS84")
    skip = {point for point, _ in unsure}
    holding = {}
    for point, tile in inside:
        holding.setdefault(point, []).append(tile)
    compared = 0
    for point, tiles in holding.items():
        if point in skip or len(tiles) == 1:
            continue
        far = [geod.inv(*lonlat[point], *middle[tile])[2] for tile in tiles]
        mine = far[tiles.index(int(located.row[point]))]
        assert mine <= min(far) * 1.01 + 0.01  # a plane is not quite the ellipsoid
        compared += 1
    assert compared > 200


@pytest.mark.parametrize("seed", range(3))
def test_position_leads_back_to_the_photo_within_a_micrometre(seed):
    index = random_tiles(20 + seed)
    lonlat = random_points(index, seed, 20_000)
    located = TileLocator(index).locate(lonlat)
    rows = located.row[located.inside]
    chosen = index[rows]
    a, b, c, d, e, f = np.asarray(chosen["transform"].to_list()).T
    size = chosen.select("width", "height").to_numpy()
    col, row = ((located.xy[located.inside] + 1) / 2 * size).T
    xy = np.stack([a * col + b * row + c, d * col + e * row + f], axis=1)
    systems = chosen["crs"].to_numpy()
    for crs in SYSTEMS:
        here = systems == crs
        wanted = from_lonlat(lonlat[located.inside][here], crs)
        unit_m = 111e3 if crs == "EPSG:4326" else 1.0
        # within a tile's own plane, so that the poles need no longitude
        assert np.abs(xy[here] - wanted).max() * unit_m < 1e-6
    again = position_in_tiles(index, np.asarray(rows), lonlat[located.inside])
    assert np.abs(again - located.xy[located.inside]).max() < 1e-6


def meridian_of(zone):
    return zone * 6 - 183


@pytest.mark.parametrize("zone", range(1, 61))
def test_transverse_mercator_is_projs_to_a_thousandth_of_a_millimetre(zone):
    pyproj = pytest.importorskip("pyproj")
    random = np.random.default_rng(zone)
    count = 4000
    offset = np.concatenate([random.uniform(-15, 15, count), [-15, 15, 0, 0, -3, 3]])
    lat = np.concatenate([random.uniform(-90, 90, count), [0, 0, 90, -90, 84, -80]])
    lon = (meridian_of(zone) + offset + 180) % 360 - 180
    for code, north in ((f"EPSG:326{zone:02d}", 0), (f"EPSG:327{zone:02d}", 1e7)):
        exact = pyproj.Proj(
            f"+proj=etmerc +lon_0={meridian_of(zone)} +k=0.9996 +x_0=500000 +y_0={north} "
            "+ellps=WGS84"
        )
        wanted = np.stack(exact(lon, lat), axis=1)
        ours = from_lonlat(np.stack([lon, lat], axis=1), code)
        assert np.abs(ours - wanted).max() < 1e-6
        back = to_lonlat(wanted, code)
        turn = (back[:, 0] - lon + 180) % 360 - 180
        metres = np.hypot(turn * np.cos(np.radians(lat)), back[:, 1] - lat) * 111_320
        assert metres.max() < 1e-6
