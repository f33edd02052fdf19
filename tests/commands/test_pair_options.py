"""`gair pair`: margins, dates, filters, caps, groups, blocks by column, chosen columns."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from made_tiles import at_metres, grid, index_of, tile_row, write_tile_set

DAY = dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def tiles(tmp_path):
    """8 x 8 tiles of 960 m from (385,920, 5,820,480) to the right and down."""
    return write_tile_set(tmp_path / "tiles", grid(8, 8))


@pytest.fixture
def pair(gair, tmp_path):
    """Run `gair pair` on photos; return the pairs, the rejected photos by id, and the result."""

    def run(photos, tiles, *words, code=0):
        table, output = tmp_path / "photos.parquet", tmp_path / "pairs.parquet"
        photos.write_parquet(table)
        result = gair("pair", table, "--tiles", tiles, "-o", output, "--overwrite", *words)
        assert result.exit_code == code, result.stderr
        if code not in {0, 5}:
            return None, None, result
        aside = tmp_path / "pairs.rejected.parquet"
        rejected = {}
        if aside.exists():
            rejected = dict(pl.read_parquet(aside).select("photo_id", "reason").rows())
        return pl.read_parquet(output), rejected, result

    return run


def photos_at(metres, **columns):
    """Photos at (x, y) metres from the tiles' upper left corner."""
    x, y = np.asarray(metres, float).T
    lonlat = at_metres(385_920.0 + x, 5_820_480.0 - y)
    ids = [f"p{number}" for number in range(len(lonlat))]
    return pl.DataFrame({"photo_id": ids, "lon": lonlat[:, 0], "lat": lonlat[:, 1], **columns})


def test_photos_within_the_margin_are_left_out(pair, tiles):
    photos = photos_at([(480, 480), (30, 480), (480, 955), (1000, 480)])
    pairs, rejected, _ = pair(photos, tiles, "--margin", "35")
    assert pairs["photo_id"].to_list() == ["p0", "p3"]
    assert set(rejected.values()) == {"closer to the tile's edge than the margin"}
    assert set(rejected) == {"p1", "p2"}


def test_a_margin_is_kept_by_another_tile_where_tiles_overlap(pair, tmp_path):
    tiles = write_tile_set(tmp_path / "overlapping", grid(1, 2, stride=48))
    photos = photos_at([(930, 480)])  # 30 m from the first tile's edge, 450 m into the second
    pairs, _, _ = pair(photos, tiles, "--margin", "100", "--buffer", "0")
    assert pairs["tile_id"].to_list() == ["made-0-1"]


def test_photos_get_as_many_tiles_as_asked_for(pair, tmp_path):
    tiles = write_tile_set(tmp_path / "overlapping", grid(3, 3, stride=48))
    photos = photos_at([(700, 700), (100, 100)])
    for count, wanted in [("1", 2), ("2", 3), ("4", 5), ("9", 5)]:
        pairs, _, _ = pair(photos, tiles, "--tiles-per-photo", count, "--buffer", "0")
        assert pairs.height == wanted
        assert pairs["sample_id"].n_unique() == wanted
        assert pairs.row(0, named=True)["tile_id"] == "made-0-0"  # (480, 480) is nearest


def dated_tiles(folder):
    """The same place at three dates."""
    transform = (10.0, 0.0, 385_920.0, 0.0, -10.0, 5_820_480.0)
    rows = [
        {**tile_row(transform, (96, 96), scene=name), "datetime": DAY + dt.timedelta(days=days)}
        for name, days in [("early", 0), ("late", 30)]
    ]
    rows.append(tile_row(transform, (96, 96), scene="undated"))
    return write_tile_set(folder, index_of(rows))


def test_dates_choose_the_tile_and_leave_out_photos(pair, tmp_path):
    tiles = dated_tiles(tmp_path / "dated")
    after = [1, 29, 15.5, 400, None]
    times = [None if days is None else DAY + dt.timedelta(days=days) for days in after]
    time = pl.Series(times, dtype=pl.Datetime("ms", "UTC"))
    photos = photos_at([(480, 480)] * 5, captured_at=time)
    pairs, rejected, _ = pair(photos, tiles, "--nearest-date", "--days", "20", "--buffer", "0")
    assert pairs["tile_id"].to_list() == ["early-0-0", "late-0-0", "late-0-0"]
    assert pairs["days_apart"].to_list() == pytest.approx([1, 1, 14.5])
    assert rejected == {"p3": "too many days from its tile", "p4": "no date to compare"}


def test_dates_of_any_zone_are_one_time(gair, tmp_path):
    tiles = dated_tiles(tmp_path / "dated")
    times = ["2024-06-01T23:30:00-05:00", "2024-06-02 04:30", "2024-06-02T10:00:00+05:30"]
    photos = photos_at([(480, 480)] * 3, captured_at=times)
    photos.write_csv(tmp_path / "photos.csv")
    output = tmp_path / "pairs.parquet"
    words = ("--tiles", tiles, "-o", output, "--nearest-date", "--buffer", "0")
    assert gair("pair", tmp_path / "photos.csv", *words).exit_code == 0
    pairs = pl.read_parquet(output)
    moment = dt.datetime(2024, 6, 2, 4, 30, tzinfo=dt.UTC)
    assert pairs["captured_at"].to_list() == [moment] * 3
    assert pairs["days_apart"].to_list() == pytest.approx([16.5 / 24] * 3)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [("known", ["p0", "p1", "p2"]), ("315,45", ["p0", "p2"]), ("80,100", ["p1"])],
)
def test_headings_are_filtered(pair, tiles, asked, kept):
    photos = photos_at([(480, 480)] * 4, heading=[350.0, 90.0, 45.0, None])
    pairs, rejected, _ = pair(photos, tiles, "--heading", asked)
    assert pairs["photo_id"].to_list() == kept
    assert rejected["p3"] == "no heading"
    others = set(rejected) - {"p3"}
    assert {rejected[name] for name in others} <= {"heading outside the range"}


def test_inaccurate_positions_are_left_out_and_unknown_ones_kept(pair, tiles):
    photos = photos_at([(480, 480)] * 3, h_accuracy_m=[5.0, 12.0, None])
    pairs, rejected, _ = pair(photos, tiles, "--max-accuracy", "10")
    assert pairs["photo_id"].to_list() == ["p0", "p2"]
    assert rejected == {"p1": "position not accurate enough"}


def test_photos_of_a_sequence_keep_their_distance(pair, tiles):
    places = [(100, 100), (103, 100), (106, 100), (100, 100), (101, 100), (101, 100)]
    photos = photos_at(places, sequence_id=["a", "a", "a", "b", "a", None])
    pairs, rejected, _ = pair(photos, tiles, "--min-distance", "5")
    assert pairs["photo_id"].to_list() == ["p0", "p2", "p3", "p5"]
    assert set(rejected.values()) == {"close to another photo of its sequence"}


def crowd(count=4000, seed=0):
    """Photos mostly in the upper left corner of their tiles."""
    random = np.random.default_rng(seed)
    tile = random.integers(0, 8, (count, 2)) * 960
    return photos_at(tile + random.beta(0.4, 2, (count, 2)) * 960)


def test_a_cap_is_kept_spread_over_the_tile_and_does_not_depend_on_the_order(pair, tiles):
    photos = crowd()
    pairs, rejected, result = pair(photos, tiles, "--max-photos", "9", "--buffer", "0")
    assert pairs.group_by("tile_id").len()["len"].to_list() == [9] * 64
    assert set(rejected.values()) == {"its tile has enough photos"}
    assert "576 of 4000 photos" in result.stderr
    everything, _, _ = pair(photos, tiles, "--buffer", "0")
    # quarters of tiles in use: a plain draw would leave most photos in one corner
    corner = (pl.col("x") < 0) & (pl.col("y") < 0)
    share = pairs.filter(corner).height / pairs.height
    assert share < 0.62 < everything.filter(corner).height / everything.height
    shuffled, _, _ = pair(photos.sample(fraction=1, shuffle=True, seed=4), tiles,
                          "--max-photos", "9", "--buffer", "0")  # fmt: skip
    assert set(shuffled["photo_id"]) == set(pairs["photo_id"])
    other, _, _ = pair(photos, tiles, "--max-photos", "9", "--buffer", "0", "--seed", "1")
    assert set(other["photo_id"]) != set(pairs["photo_id"])


def test_photos_of_a_tile_are_dealt_into_groups(pair, tiles):
    pairs, _, _ = pair(crowd(), tiles, "--per-tile", "10", "--buffer", "0")
    sizes = pairs.group_by("tile_id", "group").len()
    photos = pairs.group_by("tile_id").len()
    groups = sizes.group_by("tile_id").agg(pl.col("group").n_unique(), pl.col("len").max())
    joined = photos.join(groups, on="tile_id", suffix="_most")
    assert (joined["group"] == (joined["len"] + 9) // 10).all()
    assert joined["len_most"].max() <= 10
    first = pairs.filter(pl.col("tile_id") == pairs["tile_id"][0])["group"]
    assert first[0] != first[1]  # neighbours in the table go into different groups


def test_caps_and_groups_work_together(pair, tiles):
    words = ("--max-photos", "12", "--per-tile", "5", "--buffer", "0")
    pairs, _, _ = pair(crowd(), tiles, *words)
    assert sorted(pairs["group"].unique()) == [0, 1, 2]
    assert pairs.group_by("tile_id", "group").len()["len"].to_list() == [4] * 192


def test_blocks_by_a_column_keep_its_values_together(pair, tiles):
    cities = [f"city {number % 40}" for number in range(4000)]
    photos = crowd().with_columns(city=pl.Series(cities))
    pairs, _, result = pair(photos, tiles, "--block", "column:city", "--buffer", "0")
    assert pairs["block"].to_list() == pairs["city"].to_list()
    assert pairs.group_by("city").agg(pl.col("split").n_unique())["split"].max() == 1
    assert pairs["split"].n_unique() == 3
    assert "40 blocks of column city" in result.stderr
    fewer, _, _ = pair(photos.filter(pl.col("city") < "city 2"), tiles,
                       "--block", "column:city", "--buffer", "0")  # fmt: skip
    both = fewer.join(pairs, on="photo_id")
    assert (both["split"] == both["split_right"]).all()  # a block's split depends on no other


def test_photos_without_a_block_or_split_are_rejected(pair, tiles):
    photos = photos_at([(100, 100), (200, 200)], city=["a", None])
    _, rejected, _ = pair(photos, tiles, "--block", "column:city")
    assert rejected == {"p1": "no block in the block column"}
    _, rejected, _ = pair(photos, tiles, "--split-column", "city")
    assert rejected == {"p1": "no split in the split column"}


def test_only_the_columns_asked_for_are_written_in_that_order(pair, tiles):
    photos = photos_at([(100, 100)], mood=["calm"])
    pairs, _, _ = pair(photos, tiles, "--columns", "x,photo_id,mood")
    assert pairs.columns == ["x", "photo_id", "mood"]
    _, _, result = pair(photos, tiles, "--columns", "x,speed", code=4)
    assert "'speed'" in result.stderr
    assert "edge_distance_m" in result.stderr


@pytest.mark.parametrize(
    ("words", "column"),
    [
        (("--days", "3"), "captured_at"),
        (("--nearest-date",), "captured_at"),
        (("--heading", "known"), "heading"),
        (("--max-accuracy", "9"), "h_accuracy_m"),
        (("--min-distance", "9"), "sequence_id"),
        (("--block", "column:city"), "city"),
    ],
)
def test_options_name_the_column_that_they_need(pair, tiles, words, column):
    _, _, result = pair(photos_at([(100, 100)]), tiles, *words, code=4)
    assert words[0] in result.stderr
    assert f"a column {column}" in result.stderr


def test_a_heading_that_is_no_range_is_exit_2(pair, tiles):
    photos = photos_at([(100, 100)], heading=[0.0])
    _, _, result = pair(photos, tiles, "--heading", "north", code=2)
    assert "315,45" in result.stderr


def test_tables_read_by_the_engine_and_batch_by_batch_give_the_same_pairs(gair, tmp_path, tiles):
    photos = crowd().with_columns(
        path=pl.format("images/{}.jpg", "photo_id"),
        heading=pl.int_range(pl.len()) % 360,
        captured_at=pl.lit("2024-06-01T10:00:00Z"),
        mood=pl.lit("calm"),
        rank=pl.int_range(pl.len()),
    )
    photos.write_csv(tmp_path / "photos.csv")
    time = pl.col("captured_at").str.to_datetime("%+", time_zone="UTC")
    photos.with_columns(time).write_parquet(tmp_path / "photos.parquet")
    words = ("--tiles", tiles, "--max-photos", "20", "--margin", "10", "-o")
    for name in ("csv", "parquet"):
        result = gair("pair", tmp_path / f"photos.{name}", *words, tmp_path / f"{name}.parquet")
        assert result.exit_code == 0, result.stderr
    first, second = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("csv", "parquet"))
    assert first.equals(second)
    assert first["captured_at"][0] == dt.datetime(2024, 6, 1, 10, tzinfo=dt.UTC)
    assert first["path"][0].startswith("images/")


def test_a_table_of_many_batches_is_paired_like_one_of_few(gair, tmp_path, tiles):
    photos = crowd(150_000)
    photos.write_parquet(tmp_path / "one.parquet", row_group_size=200_000)
    photos.write_parquet(tmp_path / "many.parquet", row_group_size=1000)
    for name in ("one", "many"):
        output = tmp_path / f"{name}-pairs.parquet"
        words = ("--tiles", tiles, "-o", output, "--per-tile", "7")
        assert gair("pair", tmp_path / f"{name}.parquet", *words).exit_code == 0
    one, many = (tmp_path / f"{name}-pairs.parquet" for name in ("one", "many"))
    assert one.read_bytes() == many.read_bytes()


def test_ids_that_come_twice_are_found_in_any_order(pair, tiles):
    photos = crowd(3000)
    twice = pl.concat([photos, photos[17:19]]).sample(fraction=1, shuffle=True, seed=2)
    pairs, _, result = pair(twice, tiles)
    assert "2 rows repeated an earlier one" in result.stderr
    assert pairs["photo_id"].n_unique() == pairs.height
    moved = photos[17:18].with_columns(pl.col("lon") + 1e-4)
    _, _, result = pair(pl.concat([photos, moved]), tiles, code=4)
    assert "'p17' stands for different rows: 17 and 3000" in result.stderr


def test_geoparquet_points_are_read_by_their_geometry(gair, tmp_path, tiles):
    geopandas = pytest.importorskip("geopandas")
    photos = crowd(200)
    points = geopandas.points_from_xy(photos["lon"], photos["lat"], crs="OGC:CRS84")
    frame = geopandas.GeoDataFrame({"id": photos["photo_id"].to_list()}, geometry=points)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_crs("EPSG:32633").to_parquet(tmp_path / "b.parquet")
    for name in ("a", "b"):
        output = tmp_path / f"{name}-pairs.parquet"
        result = gair("pair", tmp_path / f"{name}.parquet", "--tiles", tiles, "-o", output)
        assert result.exit_code == 0, result.stderr
    one, other = (pl.read_parquet(tmp_path / f"{name}-pairs.parquet") for name in ("a", "b"))
    assert one["photo_id"].to_list() == other["photo_id"].to_list()
    assert np.abs(one.select("x", "y").to_numpy() - other.select("x", "y").to_numpy()).max() < 1e-8
