"""`gair pack`: what people and scripts see."""

import hashlib
import json
import signal
import subprocess
import sys
import tarfile

import numpy as np
import polars as pl
import pytest
from PIL import Image
from small_world import make_world

from gair_cli.geo.shards import ShardReader

PHOTOS = 60


@pytest.fixture(scope="module")
def photo_folder(tmp_path_factory):
    """Sixty photos around Stuttgart, of which each has another colour."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(PHOTOS):
        pixels = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:03d}.jpg", quality=80)
        lon, lat = 9.0 + 0.01 * number, 48.7 + 0.003 * number
        rows.append((f"{number:03d}", f"images/{number:03d}.jpg", lat, lon, 3.0 * number))
    columns = ["id", "image_path", "latitude", "longitude", "heading"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / "photos.csv")
    return folder


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_photos_alone_become_shards_that_webdataset_and_the_index_agree_on(
    gair, photo_folder, tmp_path
):
    done = gair("pack", photo_folder / "photos.csv", "-o", tmp_path / "train", "-j", 2)
    assert done.exit_code == 0
    assert "60 samples (0 tiles, 60 photos) in 1 shards" in done.stderr
    with (
        ShardReader(tmp_path / "train") as reader,
        tarfile.open(tmp_path / "train" / "shards" / "train-000000.tar") as tar,
    ):
        assert reader.index["photo_id"].to_list()[:3] == ["000", "001", "002"]
        assert reader.index["cell"][0] == "487_90"
        assert set(reader.index["split"]) <= {"train", "val", "test"}
        assert reader.tile_bytes(5) is None
        original = (photo_folder / "images" / "005.jpg").read_bytes()
        key = reader.index["sample_id"][5]
        assert reader.photo_bytes(5) == original
        assert tar.extractfile(f"{key}.000.jpg").read() == original
        described = json.load(tar.extractfile(f"{key}.json"))["samples"][0]
        assert described["heading"] == 15.0
        assert described["photo_id"] == "005"
        assert all(reader.verify(row) for row in range(PHOTOS))
        assert "path" not in reader.index.columns


def test_same_command_again_has_nothing_to_do_and_another_is_refused(gair, photo_folder, tmp_path):
    words = ["pack", photo_folder / "photos.csv", "-o", tmp_path / "train"]
    assert gair(*words).exit_code == 0
    again = gair(*words)
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    other = gair(*words, "--short-side", 32)
    assert other.exit_code == 2
    assert "--overwrite" in other.stderr
    assert gair(*words, "--short-side", 32, "--overwrite").exit_code == 0
    with ShardReader(tmp_path / "train") as reader:
        assert reader.info.short_side == 32


def test_killed_work_goes_on_after_its_last_shard_and_ends_in_the_same_bytes(
    gair, photo_folder, tmp_path
):
    words = ["pack", photo_folder / "photos.csv", "--shard-size", "20KB"]
    assert gair(*words, "-o", tmp_path / "whole", "-j", 1).exit_code == 0
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, photo_folder / "photos.csv", tmp_path / "train"],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "train").exists()
    done = gair(*words, "-o", tmp_path / "train", "-j", 2)
    assert done.exit_code == 0
    assert "kept 3 shards" in done.stderr
    assert digests(tmp_path / "train") == digests(tmp_path / "whole")
    assert len(list((tmp_path / "whole" / "shards").iterdir())) >= 5


KILLED = """
import os, signal, sys
from pathlib import Path
from gair_cli.geo.packing import PackJob, PackOptions, pack

folder = Path(sys.argv[2])

def progress(count):
    if (folder.with_name("train.partial") / "parts" / "000002.json").exists():
        os.kill(os.getpid(), signal.SIGKILL)

job = PackJob(Path(sys.argv[1]), options=PackOptions(shard_bytes=20 * 1024, jobs=2))
pack(job, folder, progress=progress)
"""


def test_corrupt_photos_are_listed_and_the_rest_is_packed(gair, photo_folder, tmp_path):
    table = pl.read_csv(photo_folder / "photos.csv", schema_overrides={"id": pl.String})
    (tmp_path / "cut.jpg").write_bytes((photo_folder / "images" / "003.jpg").read_bytes()[:700])
    paths = [str(photo_folder / path) for path in table["image_path"]]
    paths[3], paths[59] = str(tmp_path / "cut.jpg"), str(tmp_path / "gone.jpg")
    table.with_columns(pl.Series("image_path", paths)).write_csv(tmp_path / "photos.csv")
    done = gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "train")
    assert done.exit_code == 5
    assert "2 photos could not be used" in done.stderr
    rejected = pl.read_parquet(tmp_path / "train.rejected.parquet")
    assert dict(rejected.select("photo_id", "reason").iter_rows()) == {
        "003": "corrupt image",
        "059": "file missing",
    }
    with ShardReader(tmp_path / "train") as reader:
        assert len(reader) == 58
    strict = gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "strict", "--max-bad", 1)
    assert strict.exit_code == 5
    assert [path.name for path in tmp_path.iterdir() if "strict" in path.name] == []


def test_own_split_is_kept_only_if_named(gair, photo_folder, tmp_path):
    table = pl.read_csv(photo_folder / "photos.csv").with_columns(pl.lit("mine").alias("split"))
    paths = [str(photo_folder / path) for path in table["image_path"]]
    table.with_columns(pl.Series("image_path", paths)).write_csv(tmp_path / "photos.csv")
    gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "drawn")
    gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "own", "--split-column", "split")
    with ShardReader(tmp_path / "drawn") as drawn, ShardReader(tmp_path / "own") as own:
        assert "mine" not in set(drawn.index["split"])
        assert set(own.index["split"]) == {"mine"}


def test_own_columns_named_like_those_of_tiles_do_not_place_a_photo(gair, photo_folder, tmp_path):
    table = pl.read_csv(photo_folder / "photos.csv", schema_overrides={"id": pl.String})
    paths = [str(photo_folder / path) for path in table["image_path"]]
    own = {"x": "left", "y": 0.25, "tile_id": 7, "shard": "s", "cell": 3.5, "tile_offset": "far",
           "sha256": 1, "sample_id": "s", "_tile_row": "a", "_key": 1, "note": "kept"}  # fmt: skip
    literals = [pl.lit(value).alias(name) for name, value in own.items()]
    table = table.with_columns(pl.Series("image_path", paths), *literals)
    table.write_csv(tmp_path / "photos.csv")
    done = gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "train")
    assert done.exit_code == 0, done.stderr
    with ShardReader(tmp_path / "train") as reader:
        for name in ("x", "y", "tile_id", "tile_offset"):
            assert reader.index[name].null_count() == PHOTOS
        assert set(reader.index["note"]) == {"kept"}
        assert all(reader.verify(row) for row in range(PHOTOS))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "nothing to pack"),
        (("nowhere.csv",), 3, "nowhere.csv"),
        (("--tiles", "nowhere"), 3, "nowhere"),
    ],
)
def test_missing_inputs_are_named(gair, tmp_path, monkeypatch, words, code, says):
    monkeypatch.chdir(tmp_path)
    done = gair("pack", *words, "-o", "train")
    assert done.exit_code == code
    assert says in done.stderr
    assert "hint:" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_same_id_with_different_rows_is_an_error_naming_both(gair, photo_folder, tmp_path):
    table = pl.read_csv(photo_folder / "photos.csv", schema_overrides={"id": pl.String}).head(3)
    table = table.with_columns(pl.Series("id", ["a", "b", "a"]))
    table.write_csv(tmp_path / "photos.csv")
    done = gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "train")
    assert done.exit_code == 4
    assert "0 and 2" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos.csv"]


def test_dry_run_writes_nothing(gair, photo_folder, tmp_path):
    done = gair("pack", photo_folder / "photos.csv", "-o", tmp_path / "train", "-n")
    assert done.exit_code == 0
    assert "60 samples" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from gair_cli.commands.main import main

    return make_world(tmp_path_factory.mktemp("world"), main)


def test_pairs_need_their_tiles_and_photos_need_pairing(gair, world, tmp_path):
    alone = gair("pack", world / "pairs.parquet", "-o", tmp_path / "train")
    assert alone.exit_code == 2
    assert "--tiles" in alone.stderr
    photos = gair("pack", world / "photos.csv", "--tiles", world / "tiles", "-o", tmp_path / "t")
    assert photos.exit_code == 2
    assert "gair pair" in photos.stderr
    assert list(tmp_path.iterdir()) == []


def test_pairs_of_another_tile_set_are_refused(gair, world, tmp_path):
    gair("tile", world / "scene.tif", "-o", tmp_path / "other", "--size", 24, "-q")
    done = gair(
        "pack", world / "pairs.parquet", "--tiles", tmp_path / "other", "-o", tmp_path / "train"
    )
    assert done.exit_code == 4
    assert "71 of 71 pairs lie in tiles that --tiles lacks" in done.stderr
    assert not (tmp_path / "train.partial").exists()


def test_dates_of_pairs_may_be_texts_of_any_kind(gair, world, tmp_path):
    pairs = pl.read_parquet(world / "pairs.parquet").drop("captured_at", strict=False)
    dates = ["2024-05-01", "2024-05-01 12:30:00", "2024-05-01T14:30:00+02:00", "soon"]
    texts = pl.Series("captured_at", [dates[row % 4] for row in range(pairs.height)])
    pairs.with_columns(texts).write_parquet(tmp_path / "pairs.parquet")
    done = gair(
        "pack", tmp_path / "pairs.parquet", "--tiles", world / "tiles", "-o", tmp_path / "train",
        "--photos-root", world,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    with ShardReader(tmp_path / "train") as reader:
        found = reader.index["captured_at"].drop_nulls()
        assert set(found.dt.strftime("%dT%H:%M")) == {"01T00:00", "01T12:30"}
        assert len(found) == sum(row % 4 < 3 for row in range(pairs.height))


def test_a_sample_is_a_tile_with_all_of_its_photos(world):
    with (
        ShardReader(world / "train") as reader,
        tarfile.open(world / "train" / "shards" / "train-000000.tar") as tar,
    ):
        names = tar.getnames()
        tile = reader.index["tile_id"][0]
        photos = reader.index["tile_id"].to_list().count(tile)
        members = [f"{tile}.tif", *(f"{tile}.{n:03d}.jpg" for n in range(photos)), f"{tile}.json"]
        assert names[: len(members)] == members
        assert len({name.split(".")[0] for name in names}) == 9


def test_a_tile_whose_photos_are_all_bad_is_left_out(gair, world, tmp_path):
    pairs = pl.read_parquet(world / "pairs.parquet")
    tile = pairs["tile_id"][0]
    gone = pl.when(pl.col("tile_id") == tile).then(pl.lit("gone.jpg")).otherwise("path")
    pairs.with_columns(gone.alias("path")).write_parquet(tmp_path / "pairs.parquet")
    done = gair(
        "pack", tmp_path / "pairs.parquet", "--tiles", world / "tiles", "-o", tmp_path / "train",
        "--photos-root", world, "--max-bad", 40,
    )  # fmt: skip
    assert done.exit_code == 5
    with ShardReader(tmp_path / "train") as reader:
        assert tile not in reader.tiles["tile_id"].to_list()
        assert reader.tiles.height == 8
    rejected = pl.read_parquet(tmp_path / "train.rejected.parquet")
    assert set(rejected["tile_id"]) == {tile}
    assert set(rejected["reason"]) == {"file missing"}


def test_tiles_alone_are_split_by_the_block_of_their_centre(gair, world, tmp_path):
    tiles, out = world / "tiles", tmp_path / "train"
    assert gair("pack", "--tiles", tiles, "-o", out, "--block", "160m", "--seed", 3).exit_code == 0
    from gair_cli.geo.pairing import block_splits

    with ShardReader(out) as reader:
        lonlat = reader.index.select("lon", "lat").to_numpy()
        assert reader.index["split"].to_list() == block_splits(lonlat, block="160m", seed=3)
        assert reader.index["photo_id"].null_count() == 9
        assert reader.index["x"].null_count() == 9
        assert not reader.has_photos
        assert reader.photo_bytes(0) is None


def test_other_programs_open_the_tiles_table_and_the_members(world):
    import geopandas
    import rasterio

    table = geopandas.read_parquet(world / "train" / "tiles.parquet")
    assert table.crs.to_string() == "OGC:CRS84"
    assert len(table) == 9
    name = f"/vsitar/{world}/train/{table['shard'][0]}/{table['tile_id'][0]}.tif"
    with rasterio.open(name) as tile:
        assert tile.count == 2
        assert tile.read(1).min() == table["band_min"][0][0]


def test_a_tile_keeps_some_of_its_photos_whatever_their_order(gair, tmp_path_factory, tmp_path):
    from gair_cli.commands.main import main

    world = make_world(tmp_path_factory.mktemp("world"), main)
    pairs = pl.read_parquet(world / "pairs.parquet")
    turned = world / "turned.parquet"
    pairs.reverse().write_parquet(turned)
    found = []
    for number, table in enumerate((world / "pairs.parquet", turned)):
        output = tmp_path / str(number)
        done = gair("pack", table, "--tiles", world / "tiles", "-o", output, "--per-tile", 3,
                    "--photos-root", world)  # fmt: skip
        assert done.exit_code == 0, done.stderr
        with ShardReader(output) as reader:
            counts = reader.index.group_by("tile_id").len()["len"]
            found.append(sorted(reader.index["sample_id"]))
        assert counts.max() == 3
    assert found[0] == found[1]
    wanted = pairs.group_by("tile_id").len()["len"].clip(upper_bound=3).sum()
    assert len(found[0]) == wanted
