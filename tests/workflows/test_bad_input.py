"""Each row of the table of errors: one clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import io
import resource
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image
from processes import run

pytestmark = pytest.mark.slow


def assert_refused(result, code, *words):
    """One error line, no traceback, and the words that a user needs."""
    lines = result.stderr.strip().splitlines()
    assert result.exit_code == code, result.stderr
    assert sum(line.startswith("gair: error: ") for line in lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("tile", "none.tif", "-o", "out"),
        ("pair", "none.csv", "--tiles", "TILES", "-o", "out.parquet"),
        ("pack", "none.parquet", "--tiles", "TILES", "-o", "out"),
        ("pretrain", "none", "-o", "out"),
        ("embed", "--points", "none.csv", "-o", "out.parquet"),
        ("embed", "--tiles", "none", "--model", "MODEL", "-o", "out.parquet"),
        ("raster", "none.tif", "--model", "MODEL", "--res", "40", "-o", "out.tif"),
        ("check", "none"),
        ("info", "none"),
    ],
)
def test_missing_input_is_named_with_exit_3_and_nothing_is_written(
    gair, tmp_path, monkeypatch, tiles, model, words
):
    monkeypatch.chdir(tmp_path)
    given = [{"TILES": str(tiles), "MODEL": str(model)}.get(word, word) for word in words]
    assert_refused(gair(*given), 3, "none")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ("tile", "empty", "-o", "out"),
        ("pair", "empty", "--tiles", "TILES", "-o", "out.parquet"),
        ("embed", "--points", "empty", "-o", "out.parquet"),
    ],
)
def test_input_of_zero_bytes_is_refused_with_exit_3(gair, tmp_path, monkeypatch, tiles, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    assert_refused(gair(*(str(tiles) if word == "TILES" else word for word in words)), 3, "empty")
    assert names(tmp_path) == ["empty"]


def test_raster_without_crs_asks_for_one_with_exit_4(gair, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "a.tif"
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(
            path, "w", driver="GTiff", width=100, height=100, count=1, dtype="uint16"
        ) as file,
    ):
        file.write(np.ones((1, 100, 100), np.uint16))
    assert_refused(gair("tile", path, "-o", tmp_path / "out"), 4, "a.tif", "--assume-crs")
    assert names(tmp_path) == ["a.tif"]


def test_swapped_columns_are_recognised_with_exit_4(gair, tmp_path, tiles, city):
    photos = pl.read_csv(city / "photos.csv")
    swapped = photos.rename({"lon": "lat", "lat": "lon"})
    swapped.write_csv(tmp_path / "photos.csv")
    result = gair("pair", tmp_path / "photos.csv", "--tiles", tiles, "-o", tmp_path / "p.parquet")
    assert_refused(result, 4, "swapped", "--lon-column")
    assert names(tmp_path) == ["photos.csv"]


def test_header_without_rows_is_refused_with_exit_4(gair, tmp_path, tiles):
    (tmp_path / "a.csv").write_text("photo_id,path,lon,lat\n")
    result = gair("pair", tmp_path / "a.csv", "--tiles", tiles, "-o", tmp_path / "p.parquet")
    assert_refused(result, 4, "no rows")
    assert_refused(gair("embed", "--points", tmp_path / "a.csv", "-f", "csv"), 4, "no rows")


def test_one_id_for_two_photos_is_refused_with_exit_4_naming_both(gair, tmp_path, tiles):
    (tmp_path / "a.csv").write_text("photo_id,path,lon,lat\np,a.jpg,13,52\np,b.jpg,13,52\n")
    result = gair("pair", tmp_path / "a.csv", "--tiles", tiles, "-o", tmp_path / "p.parquet")
    assert_refused(result, 4, "'p'", "0 and 1")


def test_corrupt_photo_among_good_ones_is_set_aside_and_the_rest_packed(
    gair, tmp_path, pairs, tiles
):
    folder = tmp_path / "data"
    frame = pl.read_parquet(pairs)
    (folder / "photos").mkdir(parents=True)
    paths = [str((pairs.parent / path).resolve()) for path in frame["path"]]
    bad = folder / "photos" / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff\xe0 this is no photo")
    frame.with_columns(pl.Series("path", [str(bad), *paths[1:]])).write_parquet(
        folder / "p.parquet"
    )
    result = gair("pack", folder / "p.parquet", "--tiles", tiles, "-o", folder / "train")
    assert result.exit_code == 5, result.stderr
    assert "Traceback" not in result.stderr
    index = pl.read_parquet(folder / "train" / "index.parquet")
    assert index.height == frame.height - 1
    assert frame["sample_id"][0] not in index["sample_id"]


def test_more_bad_photos_than_tolerated_stop_the_work_with_exit_5(gair, tmp_path):
    for number in range(12):
        (tmp_path / f"{number}.jpg").write_bytes(b"\xff\xd8 no photo")
    lines = ["photo_id,path,lon,lat", *(f"{n},{n}.jpg,13,52" for n in range(12))]
    (tmp_path / "photos.csv").write_text("\n".join(lines))
    result = gair("pack", tmp_path / "photos.csv", "-o", tmp_path / "train")
    assert_refused(result, 5, "--max-bad")
    assert not (tmp_path / "train").exists()


def test_corrupt_scene_among_good_ones_is_named_and_the_rest_tiled(gair, tmp_path, city):
    shutil.copy(city / "scene.tif", tmp_path / "good.tif")
    data = (city / "scene.tif").read_bytes()
    (tmp_path / "bad.tif").write_bytes(data[: len(data) // 2])
    result = gair("tile", tmp_path / "good.tif", tmp_path / "bad.tif", "-o", tmp_path / "tiles")
    assert result.exit_code == 5, result.stderr
    assert "bad.tif" in result.stderr
    assert pl.read_parquet(tmp_path / "tiles" / "index.parquet").height > 0


def test_full_disk_ends_with_exit_1_and_nothing_half_written(tmp_path, city):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    result = run("tile", city / "scene.tif", "-o", tmp_path / "tiles", preexec_fn=limit)
    assert_refused(result, 1, "full")
    assert not (tmp_path / "tiles").exists()
    assert run("tile", city / "scene.tif", "-o", tmp_path / "tiles").exit_code == 0


def test_foreign_output_is_refused_with_exit_2_and_stays(gair, tmp_path, city, tiles):
    (tmp_path / "out").write_text("mine")
    for words in (
        ("tile", city / "scene.tif", "-o", tmp_path / "out"),
        ("pair", city / "photos.csv", "--tiles", tiles, "-o", tmp_path / "out", "-f", "parquet"),
        ("pack", "--tiles", tiles, "-o", tmp_path / "out"),
        ("embed", "--points", city / "points.csv", "-o", tmp_path / "out", "-f", "parquet"),
    ):
        assert_refused(gair(*words), 2, "out", "--overwrite")
        assert (tmp_path / "out").read_text() == "mine"


def test_foreign_table_of_rejected_rows_is_refused_with_exit_2_and_stays(
    gair, tmp_path, city, tiles
):
    for words, name in (
        (("tile", city / "scene.tif", "-o", tmp_path / "t"), "t.rejected.parquet"),
        (
            ("pair", city / "photos.csv", "--tiles", tiles, "-o", tmp_path / "p.parquet"),
            "p.rejected.parquet",
        ),
        (("pack", "--tiles", tiles, "-o", tmp_path / "k"), "k.rejected.parquet"),
        (
            ("embed", "--points", city / "points.csv", "-o", tmp_path / "e.csv"),
            "e.rejected.parquet",
        ),
    ):
        (tmp_path / name).write_text("mine")
        assert_refused(gair(*words), 2, name, "--overwrite")
        assert (tmp_path / name).read_text() == "mine"


def test_unknown_band_lists_what_is_there_with_exit_4(gair, tmp_path, city):
    result = gair("tile", city / "scene.tif", "-o", tmp_path / "out", "--bands", "B2,B99")
    assert_refused(result, 4, "B99", "B8A")


def test_model_that_is_none_is_refused_with_exit_3_and_a_wrong_preset_with_6(
    gair, tmp_path, train, city
):
    (tmp_path / "folder").mkdir()
    result = gair(
        "embed", "--points", city / "points.csv", "--model", tmp_path / "folder", "-f", "csv"
    )
    assert_refused(result, 3, "folder")
    result = gair("pretrain", train, "-o", tmp_path / "run", "--preset", "huge")
    assert_refused(result, 6, "huge", "tiny")


def test_photo_of_a_picture_format_without_exif_still_embeds(gair, tmp_path, model):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 30)).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    result = gair("embed", "--photos", tmp_path, "--model", model, "-f", "csv")
    assert result.exit_code == 0, result.stderr
    assert "a.png" in result.stdout
