"""`gair photos`: formats, sidecars, every reason, panoramas, resuming, pipes."""

import io
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest
from photo_makers import exif_at, jpeg_bytes, save, scene
from PIL import ExifTags, Image

from gair_cli.geo import photo_table
from gair_cli.geo.photo_checks import REASONS

PLACE = (13.4, 52.5)


def run(gair, folder, out, *words, code=0):
    result = gair("photos", folder, "-o", out, *words)
    assert result.exit_code == code, result.stderr
    return pl.read_parquet(out), result


def rejected(out):
    return pl.read_parquet(out.with_name(f"{out.stem}.rejected.parquet"))


@pytest.fixture
def walk(tmp_path):
    """Eight photos 10 m apart, each different."""
    folder = tmp_path / "walk"
    for number in range(8):
        lon = PLACE[0] + number * 1.5e-4
        taken = f"2024:05:0{number + 1} 10:00:00"
        exif = exif_at(lon, PLACE[1], heading=45.5 * number, taken=taken, offset="+02:00")
        save(folder / f"{number}.jpg", scene(number), exif)
    return folder


def test_a_folder_becomes_a_photo_table(gair, walk, tmp_path):
    found, result = run(gair, walk, tmp_path / "photos.parquet")
    assert found["photo_id"].to_list() == [f"{number}.jpg" for number in range(8)]
    assert found["path"].to_list() == [f"walk/{number}.jpg" for number in range(8)]
    np.testing.assert_allclose(found["lon"], PLACE[0] + np.arange(8) * 1.5e-4, atol=1e-8)
    np.testing.assert_allclose(found["heading"], 45.5 * np.arange(8), atol=1e-3)
    assert str(found["captured_at"][2]) == "2024-05-03 08:00:00+00:00"
    assert found["width"].unique().to_list() == [320]
    assert not found["panorama"].any()
    assert "8 of 8 photos kept, 8 with heading, 8 with date" in result.stderr
    assert not (tmp_path / "photos.rejected.parquet").exists()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "HEIF"])
def test_other_formats_are_read_alike(gair, tmp_path, form):
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = exif_at(*PLACE, heading=123.0, taken="2024:05:01 10:00:00", offset="Z")
    end = {"HEIF": "heic"}.get(form, form.lower())
    size = (900, 700)  # more than the 64 KB that are read at first
    noise = np.random.default_rng(1).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    save(tmp_path / "in" / f"a.{end}", Image.fromarray(noise), exif, form)
    found, _ = run(gair, tmp_path / "in", tmp_path / "photos.parquet")
    row = found.row(0, named=True)
    assert (row["lon"], row["lat"]) == pytest.approx(PLACE, abs=1e-8)
    assert row["heading"] == pytest.approx(123.0)
    assert (row["width"], row["height"]) == size
    assert row["captured_at"].isoformat() == "2024-05-01T10:00:00+00:00"
    assert row["sharpness"] > 1000


def test_every_fault_has_its_reason(gair, walk, tmp_path):
    picture = scene(100)
    place = exif_at(*PLACE)
    north = {"refs": ("E", "N")}
    save(walk / "f_swapped_refs.jpg", scene(101), exif_at(*PLACE, **north))
    save(walk / "g_null.jpg", scene(102), exif_at(0.0, 0.0))
    save(walk / "h_west.jpg", scene(103), exif_at(*PLACE, refs=("N", "W")))
    save(walk / "i_exchanged.jpg", scene(104), exif_at(PLACE[1], PLACE[0]))
    save(walk / "j_future.jpg", scene(105), exif_at(*PLACE, taken="2199:01:01 00:00:00"))
    save(walk / "k_none.jpg", scene(106))
    (walk / "l_text.jpg").write_text("no photo")
    whole = jpeg_bytes(scene(107, (900, 700)), exif=place, quality=95)
    (walk / "m_cut.jpg").write_bytes(whole[: len(whole) // 2])
    save(walk / "n_blurred.jpg", scene(108, blur=5), place)
    save(walk / "o_first.jpg", picture, place)
    save(walk / "p_smaller.jpg", picture.resize((160, 120)), place, quality=40)
    save(walk / "q_beyond.jpg", scene(109), exif_at(13.0, 91.0))
    out = tmp_path / "photos.parquet"
    found, result = run(gair, walk, out, code=5)
    assert found["photo_id"].to_list() == [*(f"{n}.jpg" for n in range(8)), "o_first.jpg"]
    aside = rejected(out)
    assert dict(aside.select("photo_id", "reason").rows()) == {
        "f_swapped_refs.jpg": "swapped GPS references",
        "g_null.jpg": "at 0, 0",
        "h_west.jpg": "wrong GPS hemisphere",
        "i_exchanged.jpg": "longitude and latitude swapped",
        "j_future.jpg": "date in the future",
        "k_none.jpg": "no coordinates",
        "l_text.jpg": "unreadable photo",
        "m_cut.jpg": "unreadable photo",
        "n_blurred.jpg": "blurred",
        "p_smaller.jpg": "near-duplicate",
        "q_beyond.jpg": "latitude beyond 90",
    }
    assert set(aside["reason"]) <= set(REASONS)
    twin = aside.filter(pl.col("reason") == "near-duplicate")
    assert twin["duplicate_of"].to_list() == ["o_first.jpg"]
    assert "9 of 20 photos kept" in result.stderr
    assert "1 blurred, 1 date in the future" in result.stderr
    assert "9 bad photos listed in" in result.stderr  # blur and likeness are no faults


def test_blurred_and_alike_photos_may_be_kept_and_are_no_faults(gair, walk, tmp_path):
    place = exif_at(*PLACE)
    save(walk / "a.jpg", scene(0), place)
    save(walk / "b.jpg", scene(50, blur=5), place)
    found, _ = run(gair, walk, tmp_path / "few.parquet")
    assert found.height == 8
    assert rejected(tmp_path / "few.parquet")["reason"].sort().to_list() == [
        "blurred", "near-duplicate",
    ]  # fmt: skip
    words = ("--min-sharpness", 0, "--keep-duplicates")
    assert run(gair, walk, tmp_path / "all.parquet", *words)[0].height == 10
    headers, _ = run(gair, walk, tmp_path / "headers.parquet", "--no-pixels")
    assert headers.height == 10
    assert headers["sharpness"].null_count() == 10


def test_pictures_of_one_colour_are_neither_blurred_nor_alike(gair, tmp_path):
    for number in range(3):
        save(tmp_path / "in" / f"{number}.jpg", Image.new("RGB", (64, 48), (9, 200, 30)),
             exif_at(*PLACE))  # fmt: skip
    assert run(gair, tmp_path / "in", tmp_path / "photos.parquet")[0].height == 3


def test_mapillary_descriptions_come_before_exif(gair, walk, tmp_path):
    told = [
        {"filename": "2.jpg", "MAPLongitude": 10.0, "MAPLatitude": 50.0, "MAPAltitude": 7.5,
         "MAPCompassHeading": {"TrueHeading": -90.0, "MagneticHeading": 1.0},
         "MAPCaptureTime": "2023_04_05_06_07_08_900", "MAPSequenceUUID": "s1",
         "MAPGPSAccuracyMeters": 3.5, "filetype": "image"},
        {"filename": str(walk / "3.jpg"), "MAPLongitude": 10.1, "MAPLatitude": 50.0},
        {"filename": "4.jpg", "error": {"type": "MapillaryGeoTaggingError"}},
    ]  # fmt: skip
    (walk / "mapillary_image_description.json").write_text(json.dumps(told))
    found, result = run(gair, walk, tmp_path / "photos.parquet")
    rows = {row["photo_id"]: row for row in found.to_dicts()}
    assert (rows["2.jpg"]["lon"], rows["2.jpg"]["lat"]) == (10.0, 50.0)
    assert rows["2.jpg"]["heading"] == 270.0
    assert rows["2.jpg"]["captured_at"].isoformat() == "2023-04-05T06:07:08.900000+00:00"
    assert (rows["2.jpg"]["sequence_id"], rows["2.jpg"]["h_accuracy_m"]) == ("s1", 3.5)
    assert rows["3.jpg"]["lon"] == 10.1
    assert rows["3.jpg"]["heading"] == pytest.approx(136.5)  # of its own header
    assert rows["4.jpg"]["lon"] == pytest.approx(PLACE[0] + 4 * 1.5e-4)
    assert "sidecars told of 3 photos" in result.stderr


@pytest.mark.parametrize("form", ["csv", "geojson", "parquet"])
def test_tables_beside_photos_are_joined_by_path_or_name(gair, tmp_path, form):
    folder = tmp_path / "in"
    for name in ("a/1.jpg", "b/1.jpg", "b/2.png", "c.jpg"):
        kind = "PNG" if name.endswith("png") else "JPEG"
        save(folder / name, scene(name.encode()[0] + len(name) + ord(name[2])), form=kind)
    rows = [("in/a/1.jpg", 1.0, 41.0, 10.0), ("in/b/1.jpg", 2.0, 42.0, 20.0),
            ("2.png", 3.0, 43.0, 370.0), ("c", 4.0, 44.0, None)]  # fmt: skip
    path = tmp_path / f"told.{form}"
    frame = pl.DataFrame(rows, schema=["file", "lng", "lat", "compass_angle"], orient="row")
    if form == "csv":
        frame.write_csv(path)
    elif form == "parquet":
        frame.write_parquet(path)
    else:
        features = [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]},
                     "properties": {"file": file, "compass_angle": angle}}
                    for file, lon, lat, angle in rows]  # fmt: skip
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found, _ = run(gair, folder, tmp_path / "photos.parquet", "--sidecar", path)
    assert found.select("photo_id", "lon", "lat", "heading").rows() == [
        ("a/1.jpg", 1.0, 41.0, 10.0), ("b/1.jpg", 2.0, 42.0, 20.0),
        ("b/2.png", 3.0, 43.0, 10.0), ("c.jpg", 4.0, 44.0, None),
    ]  # fmt: skip


def test_a_name_of_several_photos_joins_none(gair, tmp_path):
    folder = tmp_path / "in"
    for number, name in enumerate(("a/1.jpg", "b/1.jpg", "c.jpg")):
        save(folder / name, scene(number))
    (tmp_path / "told.csv").write_text("file,lon,lat\n1.jpg,1,2\nc.jpg,3,4\n")
    out = tmp_path / "photos.parquet"
    found, _ = run(gair, folder, out, "--sidecar", tmp_path / "told.csv", code=5)
    assert found["photo_id"].to_list() == ["c.jpg"]
    assert rejected(out)["reason"].to_list() == ["no coordinates"] * 2


def test_a_sidecar_that_contradicts_itself_is_refused(gair, walk, tmp_path):
    (tmp_path / "told.csv").write_text("file,lon,lat\n1.jpg,1,2\n1.jpg,3,4\n")
    words = ("-o", tmp_path / "p.parquet", "--sidecar", tmp_path / "told.csv")
    result = gair("photos", walk, *words)
    assert result.exit_code == 4
    assert "names 1.jpg twice" in result.stderr


def test_camera_clocks_get_the_time_zone_that_is_given(gair, tmp_path):
    for number, taken in enumerate(("2024:01:15 12:00:00", "2024:07:15 12:00:00")):
        save(tmp_path / "in" / f"{number}.jpg", scene(number), exif_at(*PLACE, taken=taken))
    plain, _ = run(gair, tmp_path / "in", tmp_path / "a.parquet")
    assert plain["captured_at"].to_list() == [None, None]
    assert plain["captured_local"][0] == "2024:01:15 12:00:00"
    words = ("--time-zone", "Europe/Berlin")
    found, _ = run(gair, tmp_path / "in", tmp_path / "b.parquet", *words)
    assert [str(time) for time in found["captured_at"]] == [
        "2024-01-15 11:00:00+00:00", "2024-07-15 10:00:00+00:00",
    ]  # fmt: skip
    bad = gair("photos", tmp_path / "in", "-o", tmp_path / "c.parquet", "--time-zone", "Berlin")
    assert (bad.exit_code, "no such time zone" in bad.stderr) == (2, True)


def compass(width=1440):
    """A panorama whose colour tells the direction: red to the right, green downwards."""
    height = width // 2
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = (np.arange(width) / width * 256).astype(np.uint8)[None]
    pixels[:, :, 1] = (np.arange(height) / height * 256).astype(np.uint8)[:, None]
    pixels[:, :, 2] = np.random.default_rng(0).integers(0, 256, (height, width))
    return Image.fromarray(pixels)


XMP = (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf GPano:ProjectionType="equirectangular" '
       b'GPano:PoseHeadingDegrees="350.0"/></x:xmpmeta>')  # fmt: skip


def test_panoramas_are_cut_into_views_with_their_own_headings(gair, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "photos.parquet"
    save(folder / "sub" / "pano.jpg", compass(), exif_at(*PLACE), xmp=XMP, quality=95)
    save(folder / "flat.jpg", scene(1), exif_at(*PLACE, heading=5))
    words = ("--views", 4, "--fov", 90, "--view-size", 200, "--json")
    found, result = run(gair, folder, out, *words)
    views = found.filter(pl.col("panorama_id").is_not_null())
    assert views["photo_id"].to_list() == [f"sub/pano.view{n}.jpg" for n in range(4)]
    np.testing.assert_allclose(views["heading"], [350, 80, 170, 260])
    assert views["fov"].to_list() == [90.0] * 4
    assert views["panorama_id"].to_list() == ["sub/pano.jpg"] * 4
    assert (views["lon"][3], views["lat"][3]) == pytest.approx(PLACE, abs=1e-8)
    assert found.filter(pl.col("photo_id") == "flat.jpg").height == 1
    assert json.loads(result.stdout)["views"] == 4
    for number, row in enumerate(views.to_dicts()):
        with Image.open(tmp_path / row["path"]) as image:
            assert image.size == (200, 200)
            red, green, _ = np.asarray(image, int)[95:105, 95:105].mean(axis=(0, 1))
            left = np.asarray(image, int)[100, 4:8, 0].mean()
        # the middle looks along the heading: the panorama's own is its middle column
        assert red == pytest.approx((128 + 64 * number) % 256, abs=4) or number == 2
        assert green == pytest.approx(128, abs=4)
        assert (left - (128 + 64 * number - 31) + 128) % 256 == pytest.approx(128, abs=5)


def test_a_panorama_is_known_by_its_sides_and_has_no_heading_if_none_is_told(gair, tmp_path):
    save(tmp_path / "in" / "pano.jpg", compass(640), exif_at(*PLACE))
    found, _ = run(gair, tmp_path / "in", tmp_path / "a.parquet")
    assert found["panorama"].to_list() == [True]
    cut, _ = run(gair, tmp_path / "in", tmp_path / "b.parquet", "--views", 3)
    assert cut["heading"].to_list() == [None] * 3
    assert cut["turn"].to_list() == [0, 120, 240]
    assert cut["fov"].to_list() == [120] * 3


def test_views_and_photos_go_through_the_pipeline(gair, walk, tmp_path):
    save(walk / "pano.jpg", compass(640), exif_at(*PLACE), xmp=XMP)
    run(gair, walk, tmp_path / "photos.parquet", "--views", 2, "--fov", 90)
    split = gair("split", tmp_path / "photos.parquet", "-f", "csv", "--block", "50m")
    assert split.exit_code == 0, split.stderr
    assert pl.read_csv(split.stdout_bytes).height == 10


def test_an_interrupted_scan_goes_on_and_gives_the_same_bytes(gair, walk, tmp_path, monkeypatch):
    monkeypatch.setattr(photo_table, "_PART_PHOTOS", 3)
    out, again = tmp_path / "a" / "photos.parquet", tmp_path / "b" / "photos.parquet"
    out.parent.mkdir()
    again.parent.mkdir()
    run(gair, walk, out)
    calls = []
    measure = photo_table.measured_parts

    def interrupted(*words, **named):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(*words, **named)

    monkeypatch.setattr(photo_table, "measured_parts", interrupted)
    assert gair("photos", walk, "-o", again).exit_code == 130
    assert not again.exists()
    run(gair, walk, again)
    assert len(calls) == 4  # two parts were kept
    assert again.read_bytes() == out.read_bytes()


def test_stdout_takes_every_format(gair, walk):
    csv = gair("photos", walk, "-f", "csv")
    assert csv.exit_code == 0, csv.stderr
    assert pl.read_csv(csv.stdout_bytes)["path"][0] == str(walk / "0.jpg")
    arrow = gair("photos", walk)
    rows = pa.ipc.open_stream(io.BytesIO(arrow.stdout_bytes)).read_all()
    assert rows.num_rows == 8
    line = json.loads(gair("photos", walk, "-f", "geojsonl").stdout.splitlines()[0])
    assert line["geometry"]["coordinates"] == pytest.approx(PLACE, abs=1e-8)


def test_what_cannot_be_done_is_said_in_one_line(gair, walk, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    save(tmp_path / "bare" / "a.jpg", scene(1))
    out = tmp_path / "p.parquet"
    for words, code, said in (
        ((tmp_path / "none",), 3, "is not a folder"),
        ((empty,), 3, "holds no photos"),
        ((tmp_path / "bare",), 4, "no photo is left of 1: 1 no coordinates"),
        ((walk, "--fov", "90"), 2, "pass --views N"),
        ((walk, "--views", "2", "--fov", "170"), 2, "--fov"),
        ((walk, "--sidecar", tmp_path / "x.csv"), 3, "does not exist"),
        ((walk, "--max-bad", "0.5", "--limit", "3"), 0, ""),
    ):
        result = gair("photos", *words, "-o", out)
        assert result.exit_code == code, (words, result.stderr)
        assert said in result.stderr
    assert not (tmp_path / "p.parquet.partial").exists()


def test_a_dry_run_and_a_second_run(gair, walk, tmp_path):
    out = tmp_path / "photos.parquet"
    result = gair("photos", walk, "-o", out, "-n")
    assert "8 photos" in result.stderr
    assert not out.exists()
    run(gair, walk, out)
    assert "nothing to do" in run(gair, walk, out)[1].stderr
    os.utime(walk / "0.jpg", (1, 1))
    assert gair("photos", walk, "-o", out).exit_code == 2


def test_scenes_in_the_folder_are_no_photos(gair, walk, tmp_path, shared_data):
    scene_file = next((shared_data / "s2-chips").rglob("*.tif"))
    (walk / "scene.tif").write_bytes(Path(scene_file).read_bytes())
    out = tmp_path / "photos.parquet"
    run(gair, walk, out, code=5)
    assert rejected(out)["reason"].to_list() == ["georeferenced raster"]


def test_real_photos_and_their_report(gair, shared_data, tmp_path):
    folder = shared_data / "photos"
    out = tmp_path / "photos.parquet"
    found, result = run(gair, folder, out, code=5)
    aside = rejected(out)
    assert found.height + aside.height == 63
    assert set(aside["reason"]) == {"no coordinates"}
    told = tmp_path / "told.parquet"
    joined, result = run(gair, folder, told, "--sidecar", folder / "photos.csv", "--views", 4)
    assert "63 of 63 photos kept" in result.stderr
    assert joined["panorama_id"].n_unique() - 1 == 9  # the panoramas of the catalogue
    for row in found.filter(pl.col("photo_id").str.contains("lund|berlin")).to_dicts():
        with Image.open(tmp_path / row["path"]) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        for name, tag, ref in (("lon", 4, 3), ("lat", 2, 1)):
            degrees, minutes, seconds = map(float, gps[tag])
            sign = -1 if gps[ref] in {"S", "W"} else 1
            told_by_pillow = sign * (degrees + minutes / 60 + seconds / 3600)
            assert row[name] == pytest.approx(told_by_pillow, abs=1e-12)
