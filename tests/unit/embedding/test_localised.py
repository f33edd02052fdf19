"""Tiles, and the satellite image read at points of a tile set."""

import numpy as np
import polars as pl
import pytest
import torch

from gair_cli.embedding.extract import embed_tiles
from gair_cli.embedding.localised import embed_at
from gair_cli.errors import UsageError
from gair_cli.geo.coordinates import to_lonlat
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import TilingOptions, tile_scenes


@pytest.fixture(scope="session")
def tiles(scene_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tileset") / "tiles"
    tile_scenes([scene_file], folder, options=TilingOptions(size=32, stride=24))
    return TileSet.open(folder)


def lonlat(east, south):
    """Return the place at metres from the scene's north-west corner."""
    return to_lonlat(np.array([[400_000.0 + east, 5_800_000.0 - south]]), "EPSG:32633")[0]


def test_a_tile_is_the_mean_of_its_tokens(net, tiles):
    found = embed_tiles(net, tiles, [5, 2], space="encoder", batch_size=1)
    arrays = tiles.read([5, 2], bands=["B2", "B8"])
    with torch.inference_mode():
        tokens = net.encode_rs(net.config.rs.input.prepare_many(arrays))
    np.testing.assert_allclose(found.vectors, tokens.mean(dim=(2, 3)).numpy(), atol=1e-5)


def test_a_point_is_read_from_the_tile_whose_centre_is_nearest(net, tiles):
    place = lonlat(1030, 1090)
    centres = tiles.index.select("centre_lon", "centre_lat").to_numpy()
    nearest = int(np.argmin(((centres - place) * [0.6, 1]) ** 2 @ np.ones(2)))
    found = embed_at(net, tiles, place[None], space="encoder")
    array = tiles.read([nearest], bands=["B2", "B8"])
    a, _, c, _, e, f = tiles.index["transform"][nearest]
    xy = (np.array([(401_030 - c) / a, (5_798_910 - f) / e]) / 16 - 1)[None]
    with torch.inference_mode():
        tokens = net.encode_rs(net.config.rs.input.prepare_many(array))
        expected = net.localize(tokens, torch.tensor(xy, dtype=torch.float32))
    np.testing.assert_allclose(found.vectors, expected.numpy(), atol=1e-4)


def test_points_outside_and_on_nodata_have_a_status_and_no_vector(net, tiles):
    places = np.stack([lonlat(1000, 1000), lonlat(-500, 100), lonlat(280, 390), lonlat(330, 420)])
    found = embed_at(net, tiles, places)
    assert found.status.tolist() == ["ok", "outside", "nodata", "ok"]
    assert np.isnan(found.vectors).all(axis=1).tolist() == [False, True, True, False]


def test_order_and_batches_of_points_do_not_matter(net, tiles):
    rng = np.random.default_rng(1)
    places = np.stack([lonlat(*rng.uniform(0, 1500, 2)) for _ in range(60)])
    one = embed_at(net, tiles, places, batch_size=1)
    order = rng.permutation(60)
    other = embed_at(net, tiles, places[order], batch_size=16)
    np.testing.assert_allclose(other.vectors, one.vectors[order], atol=1e-5)


def test_a_negative_radius_is_refused(net, tiles):
    with pytest.raises(UsageError, match="radius"):
        embed_at(net, tiles, lonlat(100, 100)[None], radius_m=-1.0)


def test_the_command_embeds_tiles_with_footprints_and_points_in_tiles(
    gair, tiles, tiny_model, tmp_path
):
    import geopandas

    out = tmp_path / "tiles.parquet"
    result = gair("embed", "--tiles", tiles.path, "--model", tiny_model, "-o", out)
    assert result.exit_code == 0, result.stderr
    frame = geopandas.read_parquet(out)
    assert frame["id"].tolist() == tiles.index["tile_id"].to_list()
    assert (frame.geom_type == "Polygon").all()
    assert set(frame["modality"]) == {"rs"}
    places = [lonlat(1000, 1000), lonlat(-500, 100), lonlat(100, 100)]
    csv = tmp_path / "pts.csv"
    pl.DataFrame(np.stack(places), schema=["lon", "lat"]).write_csv(csv)
    out = tmp_path / "at.csv"
    result = gair("embed", "--points", csv, "--tiles", tiles.path, "--model", tiny_model,
                  "-o", out)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    rows = pl.read_csv(out)
    assert rows["status"].to_list() == ["ok", "outside", "nodata"]
    assert rows["modality"].to_list() == ["rs_at"] * 3
    assert rows["e0"].null_count() == 2


def test_swapped_columns_are_named(gair, tiles, tiny_model, tmp_path):
    csv = tmp_path / "pts.csv"
    places = [lonlat(x, 700) for x in (500, 700, 900)]
    pl.DataFrame(np.stack(places), schema=["lat", "lon"]).write_csv(csv)
    result = gair("embed", "--points", csv, "--tiles", tiles.path, "--model", tiny_model)
    assert result.exit_code == 4
    assert "swapped" in result.stderr


def test_info_describes_a_tile_set(gair, tiles):
    result = gair("info", tiles.path)
    assert "tile set" in result.stdout
    assert "B2, B8" in result.stdout
