"""`gair pair`: tables and folders in, pairs and rejected photos out, exit codes."""

from __future__ import annotations

import io
import json

import numpy as np
import polars as pl
import pytest
from made_tiles import at_metres, grid, index_of, tile_row, write_tile_set
from PIL import ExifTags, Image


@pytest.fixture
def tiles(tmp_path):
    return write_tile_set(tmp_path / "tiles", grid(8, 8))


def photos(count=300, *, outside=0, seed=0):
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, 7680, (2, count))
    x[:outside] -= 50_000
    lonlat = at_metres(385_920.0 + x, 5_820_480.0 - y)
    return pl.DataFrame(
        {
            "photo_id": [f"{number:04d}" for number in range(count)],
            "path": [f"images/{number}.jpg" for number in range(count)],
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )


def write(frame, path):
    frame.write_csv(path)
    return path


def test_csv_gives_pairs_rejected_photos_and_a_summary(gair, tmp_path, tiles):
    table = write(photos(outside=7), tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "pairs.parquet")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "293 of 300 photos" in result.stderr
    assert "next: gair check" in result.stderr
    pairs = pl.read_parquet(tmp_path / "pairs.parquet")
    assert pairs.height == 293
    assert pairs["photo_id"][0] == "0007"
    rejected = pl.read_parquet(tmp_path / "pairs.rejected.parquet")
    assert rejected["reason"].unique().to_list() == ["outside every tile"]
    assert rejected["path"][0] == "images/0.jpg"


def test_paths_are_written_relative_to_the_new_table(gair, tmp_path, tiles):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    table = write(photos(10), tmp_path / "in" / "photos.csv")
    output = tmp_path / "out" / "pairs.parquet"
    assert gair("pair", table, "--tiles", tiles, "-o", output).exit_code == 0
    assert pl.read_parquet(output)["path"][0] == "../in/images/0.jpg"
    absolute = gair("pair", table, "--tiles", tiles, "-f", "csv")
    path = pl.read_csv(absolute.stdout_bytes)["path"][0]
    assert path == str(tmp_path / "in" / "images" / "0.jpg")


def test_pair_table_is_geoparquet(gair, tmp_path, tiles):
    geopandas = pytest.importorskip("geopandas")
    table = write(photos(20), tmp_path / "photos.csv")
    output = tmp_path / "pairs.parquet"
    assert gair("pair", table, "--tiles", tiles, "-o", output).exit_code == 0
    frame = geopandas.read_parquet(output)
    assert frame.crs.equals("OGC:CRS84") or frame.crs.to_epsg() == 4326
    assert np.allclose(frame.geometry.x, frame["lon"])
    assert len(geopandas.read_parquet(output, bbox=(13.30, 52.45, 13.36, 52.50))) < 20


def test_same_inputs_give_the_same_bytes_and_nothing_to_do(gair, tmp_path, tiles):
    table = write(photos(), tmp_path / "photos.csv")
    words = ("pair", table, "--tiles", tiles, "-o")
    gair(*words, tmp_path / "a.parquet")
    gair(*words, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    again = gair(*words, tmp_path / "a.parquet")
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr


def test_other_options_are_refused_unless_overwritten(gair, tmp_path, tiles):
    table = write(photos(), tmp_path / "photos.csv")
    words = ("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet")
    assert gair(*words).exit_code == 0
    refused = gair(*words, "--seed", "5")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert gair(*words, "--seed", "5", "--overwrite").exit_code == 0


def test_the_users_split_is_kept_only_if_named(gair, tmp_path, tiles):
    own = photos().with_columns(pl.lit("train").alias("split"))
    table = write(own, tmp_path / "photos.csv")
    words = ("pair", table, "--tiles", tiles, "-o")
    assert gair(*words, tmp_path / "a.parquet").exit_code == 0
    assert pl.read_parquet(tmp_path / "a.parquet")["split"].n_unique() > 1
    assert gair(*words, tmp_path / "b.parquet", "--split-column", "split").exit_code == 0
    assert pl.read_parquet(tmp_path / "b.parquet")["split"].unique().to_list() == ["train"]


def test_shared_tiles_are_counted_for_the_users_split(gair, tmp_path, tiles):
    own = photos().with_columns(fold=pl.Series(["train", "test"] * 150))
    table = write(own, tmp_path / "photos.csv")
    output = tmp_path / "a.parquet"
    result = gair("pair", table, "--tiles", tiles, "-o", output, "--split-column", "fold")
    assert "shared" in result.stderr
    assert "--buffer" in result.stderr


def test_bad_rows_are_set_aside_and_end_in_exit_5(gair, tmp_path, tiles):
    frame = photos().with_columns(pl.col("lat").cast(pl.String))
    frame[3, "lat"] = "north"
    frame[4, "lat"] = "91"
    table = write(frame, tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet")
    assert result.exit_code == 5
    assert result.stderr.count("gair: error: ") == 1
    assert pl.read_parquet(tmp_path / "a.parquet").height == 298
    rejected = pl.read_parquet(tmp_path / "a.rejected.parquet")
    assert rejected.select("photo_id", "path", "reason").rows() == [
        ("0003", "images/3.jpg", "no coordinates"),
        ("0004", "images/4.jpg", "latitude beyond 90"),
    ]


def test_too_many_bad_rows_stop_before_anything_is_written(gair, tmp_path, tiles):
    frame = photos().with_columns(pl.col("lat").cast(pl.String))
    for row in range(20):
        frame[row, "lat"] = "x"
    table = write(frame, tmp_path / "photos.csv")
    words = ("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet")
    assert gair(*words).exit_code == 5
    assert not list(tmp_path.glob("a.*"))
    assert gair(*words, "--max-bad", "0.1").exit_code == 5
    assert pl.read_parquet(tmp_path / "a.parquet").height == 280


def test_swapped_columns_are_refused_with_exit_4(gair, tmp_path, tiles):
    table = write(photos().rename({"lon": "lat", "lat": "lon"}), tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet")
    assert result.exit_code == 4
    assert "swapped" in result.stderr
    assert not list(tmp_path.glob("a.*"))


def test_equal_rows_count_once_and_different_ones_are_refused(gair, tmp_path, tiles):
    frame = photos(10)
    table = write(pl.concat([frame, frame[:2]]), tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet")
    assert result.exit_code == 0
    assert "2 rows repeated" in result.stderr
    moved = frame[:1].with_columns(pl.col("lat") + 0.001)
    table = write(pl.concat([frame, moved]), tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "b.parquet")
    assert result.exit_code == 4
    assert "0000" in result.stderr


def test_photos_outside_every_tile_end_in_exit_0(gair, tmp_path, tiles):
    table = write(photos(20, outside=20), tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet")
    assert result.exit_code == 0
    assert "no photo lies in any tile" in result.stderr
    assert pl.read_parquet(tmp_path / "a.parquet").height == 0
    assert pl.read_parquet(tmp_path / "a.rejected.parquet").height == 20


def test_stdin_and_stdout_are_pipes(gair, tiles):
    data = photos(50).write_csv().encode()
    result = gair("pair", "-", "--tiles", tiles, "-f", "csv", stdin=data)
    assert result.exit_code == 0, result.stderr
    assert pl.read_csv(result.stdout_bytes).height == 50
    arrow = gair("pair", "-", "--tiles", tiles, stdin=data)
    assert pl.read_ipc_stream(io.BytesIO(arrow.stdout_bytes)).height == 50


@pytest.mark.parametrize("ending", ["parquet", "geojsonl", "csv", "arrow"])
def test_every_table_format_is_read_and_written(gair, tmp_path, tiles, ending):
    first = tmp_path / f"first.{ending}"
    table = write(photos(30), tmp_path / "photos.csv")
    assert gair("pair", table, "--tiles", tiles, "-o", first).exit_code == 0
    second = tmp_path / "second.parquet"
    result = gair("pair", first, "--tiles", tiles, "-o", second, "--id-column", "photo_id")
    assert result.exit_code == 0, result.stderr
    again = pl.read_parquet(second)
    assert again.height == 30
    assert again["photo_id"].to_list()[:2] == ["0000", "0001"]


def test_missing_inputs_are_exit_3(gair, tmp_path, tiles):
    table = write(photos(5), tmp_path / "photos.csv")
    output = tmp_path / "a.parquet"
    assert gair("pair", tmp_path / "none.csv", "--tiles", tiles, "-o", output).exit_code == 3
    assert gair("pair", table, "--tiles", tmp_path / "none", "-o", output).exit_code == 3
    (tmp_path / "empty").mkdir()
    assert gair("pair", tmp_path / "empty", "--tiles", tiles, "-o", output).exit_code == 3


def test_a_block_that_is_no_size_is_exit_2(gair, tmp_path, tiles):
    table = write(photos(5), tmp_path / "photos.csv")
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet", "--block", "2 mi")
    assert result.exit_code == 2
    assert "0.5deg" in result.stderr


def exif_jpeg(lon, lat):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (lat, 0.0, 0.0),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (lon, 0.0, 0.0),
            ExifTags.GPS.GPSImgDirectionRef: "T",
            ExifTags.GPS.GPSImgDirection: 90.0,
        }
    )
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def test_a_folder_with_exif_is_a_photo_table(gair, tmp_path, tiles):
    folder = tmp_path / "photos"
    (folder / "day").mkdir(parents=True)
    lonlat = at_metres(386_400.0, 5_820_000.0)[0]
    (folder / "day" / "a.jpg").write_bytes(exif_jpeg(*lonlat))
    (folder / "b.jpg").write_bytes(exif_jpeg(20.0, 50.0))
    result = gair("pair", folder, "--tiles", tiles, "-o", tmp_path / "pairs.parquet")
    assert result.exit_code == 0, result.stderr
    pair = pl.read_parquet(tmp_path / "pairs.parquet").row(0, named=True)
    assert pair["photo_id"] == "day/a.jpg"
    assert pair["path"] == "photos/day/a.jpg"
    assert (pair["x"], pair["y"]) == pytest.approx((0, 0), abs=1e-5)
    assert pair["heading"] == 90.0


def test_real_photo_table_works_as_it_is(gair, tmp_path, shared_data):
    # One degree around Stuttgart's photos, so that some are inside and most are not.
    tile = tile_row((1e-3, 0, 9.0, 0, -1e-3, 49.0), (500, 500), crs="EPSG:4326", scene="deg")
    tiles = write_tile_set(tmp_path / "tiles", index_of([tile]))
    table = shared_data / "photos" / "photos.csv"
    result = gair("pair", table, "--tiles", tiles, "-o", tmp_path / "pairs.parquet")
    assert result.exit_code == 0, result.stderr
    pairs = pl.read_parquet(tmp_path / "pairs.parquet")
    rejected = pl.read_parquet(tmp_path / "pairs.rejected.parquet")
    assert pairs.height + rejected.height == 63
    first = pairs.row(0, named=True)
    assert first["photo_id"].endswith("06129dab-7e25-4900-bc50-3afc5cafa321.jpg")
    assert (first["lon"], first["lat"]) == (9.1744745, 48.7723306)
    assert first["heading"] == pytest.approx(24.9)
    assert first["extra"].startswith("spherical;heading=24.9")
    assert (tmp_path / first["path"]).resolve().is_file()


def test_manifest_says_what_was_done_and_the_table_no_times(gair, tmp_path, tiles):
    table = write(photos(20), tmp_path / "photos.csv")
    assert gair("pair", table, "--tiles", tiles, "-o", tmp_path / "a.parquet").exit_code == 0
    manifest = json.loads((tmp_path / "a.parquet.gair.json").read_text())
    assert manifest["report"]["pairs"] == 20
    assert "argv" in manifest
    assert b"argv" not in (tmp_path / "a.parquet").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_the_three_triples_lie_where_their_bounds_say(gair, tmp_path, shared_data):
    folder = shared_data / "triples"
    scenes = sorted((folder / "rs").glob("*.tif"))
    tiles = tmp_path / "tiles"
    done = gair("tile", *scenes, "-o", tiles, "--size", "full")
    assert done.exit_code == 0, done.stderr
    output = tmp_path / "pairs.parquet"
    words = ("--tiles", tiles, "-o", output, "--path-column", "photo")
    assert gair("pair", folder / "triples.csv", *words).exit_code == 0
    triples = pl.read_csv(folder / "triples.csv")
    joined = pl.read_parquet(output).join(triples, left_on="photo_id", right_on="id")
    assert joined.height == 3
    for row in joined.to_dicts():
        x = 2 * (row["lon"] - row["west"]) / (row["east"] - row["west"]) - 1
        y = 2 * (row["north"] - row["lat"]) / (row["north"] - row["south"]) - 1
        assert (row["x"], row["y"]) == pytest.approx((x, y), abs=1e-6)
        assert (tmp_path / row["path"]).resolve().is_file()
