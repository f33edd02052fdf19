"""Headers of real photos against Pillow; pixels upright; headings in odd places."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from PIL import ExifTags, Image

from gair_cli.errors import InputError
from gair_cli.geo.photos import (
    read_headers,
    read_jpeg,
    scan_folder,
    scan_photos,
    with_heading_from_extra,
)

GPS = ExifTags.GPS
BASE = ExifTags.Base


def jpeg(gps=None, base=None, photo=None, *, size=(64, 48), xmp=None):
    exif = Image.Exif()
    exif.update(base or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(photo or {})
    stream = io.BytesIO()
    Image.new("RGB", size, (10, 200, 30)).save(
        stream, "JPEG", exif=exif, **({"xmp": xmp} if xmp else {})
    )
    return stream.getvalue()


def header(tmp_path, data, name="a.jpg"):
    path = tmp_path / name
    path.write_bytes(data)
    return read_headers([path]).row(0, named=True)


PLACE = {
    GPS.GPSLatitudeRef: "S",
    GPS.GPSLatitude: (33.0, 51.0, 31.5),
    GPS.GPSLongitudeRef: "W",
    GPS.GPSLongitude: (151.0, 12.0, 45.25),
}


def test_headers_of_real_photos_are_those_of_pillow(shared_data):
    frame = scan_folder(shared_data / "photos" / "opensfm")
    assert frame.height == 32
    for row in frame.to_dicts():
        with Image.open(row["path"]) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            assert (row["width"], row["height"]) == image.size
            assert row["orientation"] == image.getexif().get(BASE.Orientation, 1)
        if not gps:
            assert row["lon"] is None
            continue
        for name, tag, ref in (("lon", GPS.GPSLongitude, 3), ("lat", GPS.GPSLatitude, 1)):
            degrees, minutes, seconds = (float(part) for part in gps[tag])
            sign = -1 if gps[ref] in {"S", "W"} else 1
            wanted = sign * (degrees + minutes / 60 + seconds / 3600)
            assert row[name] == pytest.approx(wanted, abs=1e-12)
        assert row["altitude"] == pytest.approx(float(gps[GPS.GPSAltitude]), abs=1e-4)


def test_the_apps_own_description_gives_the_true_heading(shared_data):
    frame = scan_folder(shared_data / "photos" / "opensfm").filter(
        pl.col("photo_id") == "lund_01.jpg"
    )
    assert frame["heading"][0] == pytest.approx(179.2156, abs=1e-3)


def test_hemispheres_have_signs(tmp_path):
    found = header(tmp_path, jpeg(PLACE))
    assert found["lat"] == pytest.approx(-(33 + 51 / 60 + 31.5 / 3600), abs=1e-9)
    assert found["lon"] == pytest.approx(-(151 + 12 / 60 + 45.25 / 3600), abs=1e-9)


def test_a_position_without_hemisphere_or_beyond_the_globe_is_none(tmp_path):
    half = {key: value for key, value in PLACE.items() if key != GPS.GPSLatitudeRef}
    assert header(tmp_path, jpeg(half))["lon"] is None
    beyond = {**PLACE, GPS.GPSLatitude: (91.0, 0.0, 0.0)}
    assert header(tmp_path, jpeg(beyond))["lat"] is None


def test_true_headings_are_kept_and_magnetic_ones_are_not(tmp_path):
    true = {GPS.GPSImgDirectionRef: "T", GPS.GPSImgDirection: 271.5}
    assert header(tmp_path, jpeg(true))["heading"] == pytest.approx(271.5)
    assert header(tmp_path, jpeg({**true, GPS.GPSImgDirectionRef: "M"}))["heading"] is None


def test_time_is_utc_by_offset_else_by_gps_else_unknown(tmp_path):
    local = {BASE.DateTimeOriginal: "2024:07:09 13:16:00"}
    offset = {**local, BASE.OffsetTimeOriginal: "+02:00"}
    gps = {GPS.GPSDateStamp: "2024:07:09", GPS.GPSTimeStamp: (11.0, 15.0, 30.0)}
    by_offset = header(tmp_path, jpeg(gps, photo=offset))
    by_gps = header(tmp_path, jpeg(gps, photo=local))
    unknown = header(tmp_path, jpeg(photo=local))
    assert str(by_offset["captured_at"]) == "2024-07-09 11:16:00+00:00"
    assert str(by_gps["captured_at"]) == "2024-07-09 11:15:30+00:00"
    assert unknown["captured_at"] is None
    assert unknown["captured_local"] == "2024:07:09 13:16:00"


def test_panorama_and_its_heading_come_from_xmp(tmp_path):
    xmp = b'<x:xmpmeta><a GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="33.5"/>'
    found = header(tmp_path, jpeg(PLACE, xmp=xmp))
    assert found["panorama"]
    assert found["heading"] == pytest.approx(33.5)


def test_accuracy_is_in_metres(tmp_path):
    assert header(tmp_path, jpeg({**PLACE, GPS.GPSHPositioningError: 4.5}))["h_accuracy_m"] == 4.5


def test_text_and_cut_files_are_named_not_fatal(tmp_path):
    cut = jpeg(PLACE)[:40]
    assert "not a JPEG" in header(tmp_path, b"lon,lat")["error"]
    assert header(tmp_path, cut)["lon"] is None


def test_folder_ids_are_relative_paths_and_hidden_files_are_left_out(tmp_path):
    (tmp_path / "b" / ".thumbs").mkdir(parents=True)
    for name in ("b/2.JPG", "a.jpeg", "b/.thumbs/2.jpg", ".c.jpg"):
        (tmp_path / name).write_bytes(jpeg(PLACE))
    (tmp_path / "note.txt").write_text("no photo")
    frame = scan_folder(tmp_path)
    assert frame["photo_id"].to_list() == ["a.jpeg", "b/2.JPG"]
    assert frame["path"][1] == str(tmp_path / "b" / "2.JPG")


def test_photos_without_a_position_are_bad_rows(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(PLACE))
    (tmp_path / "b.jpg").write_bytes(jpeg())
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    table = scan_photos(tmp_path)
    assert table.frame["photo_id"].to_list() == ["a.jpg"]
    assert table.bad.select("photo_id", "reason").rows() == [
        ("b.jpg", "no coordinates"),
        ("c.jpg", "unreadable photo"),
    ]


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no photos"):
        scan_folder(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        scan_folder(tmp_path / "none")


def test_pictures_stand_upright():
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, :20] = 255
    exif = Image.Exif()
    exif[BASE.Orientation] = 6  # the camera was turned: rotate by 90 degrees clockwise
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", exif=exif, quality=95)
    upright = read_jpeg(stream.getvalue())
    assert upright.shape == (40, 20, 3)
    assert upright[:15].mean() > 240
    assert upright[25:].mean() < 15


def test_the_short_side_is_what_was_asked_for():
    data = jpeg(size=(1000, 600))
    assert read_jpeg(data).shape == (600, 1000, 3)
    assert read_jpeg(data, short_side=60).shape == (60, 100, 3)
    assert read_jpeg(data, 60).dtype == np.uint8


@pytest.mark.parametrize("data", [b"", b"text", jpeg()[:200]])
def test_broken_pictures_are_input_errors(data, tmp_path):
    with pytest.raises(InputError, match="not a readable picture"):
        read_jpeg(data)
    with pytest.raises(InputError, match=r"none\.jpg does not exist"):
        read_jpeg(tmp_path / "none.jpg")


def test_heading_is_taken_from_pairs_in_extra():
    extra = ["spherical;heading=24.9;orig_id=4", "perspective; heading = -10;x", "heading=", None]
    found = with_heading_from_extra(pl.DataFrame({"extra": extra}))
    assert found["heading"].to_list() == pytest.approx([24.9, 350.0, None, None], abs=1e-4)


def test_a_heading_column_of_its_own_comes_first():
    frame = pl.DataFrame({"heading": [1.0], "extra": ["heading=2"]})
    assert with_heading_from_extra(frame).equals(frame)


def test_extra_without_headings_changes_nothing():
    frame = pl.DataFrame({"extra": ["subheading=5", "x=1"]})
    assert with_heading_from_extra(frame).equals(frame)
