"""The JPEG that goes into a shard."""

import io

import numpy as np
import pytest
from PIL import Image

from gair_cli.geo.packed_photos import PackedPhoto, pack_photo, pack_photos


def encoded(width, height, *, format_="JPEG", orientation=None, colour=(200, 30, 30)):
    image = Image.new("RGB", (width, height), colour)
    image.paste((20, 20, 220), (0, 0, width // 2, height // 2))  # top left is blue
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, format_, exif=exif)
    return buffer.getvalue()


def packed(tmp_path, data, short_side=288):
    path = tmp_path / "photo"
    path.write_bytes(data)
    return pack_photo(str(path), short_side=short_side)


def decoded(photo):
    return Image.open(io.BytesIO(photo.data))


def test_small_upright_jpeg_is_copied_byte_for_byte(tmp_path):
    data = encoded(96, 48)
    assert packed(tmp_path, data).data == data


def test_large_photo_gets_the_short_side_and_keeps_its_shape(tmp_path):
    photo = decoded(packed(tmp_path, encoded(1200, 800)))
    assert photo.size == (432, 288)
    assert photo.format == "JPEG"


def test_panorama_stays_twice_as_wide_as_high(tmp_path):
    assert decoded(packed(tmp_path, encoded(2048, 1024))).size == (576, 288)


def test_small_photo_is_never_enlarged(tmp_path):
    assert decoded(packed(tmp_path, encoded(100, 60, format_="PNG"))).size == (100, 60)


@pytest.mark.parametrize("size", [(80, 40), (1600, 800)])
def test_orientation_is_applied(tmp_path, size):
    photo = decoded(packed(tmp_path, encoded(*size, orientation=6)))  # turn clockwise to view
    assert photo.size[1] == 2 * photo.size[0]
    pixels = np.asarray(photo)
    assert pixels[5, -6, 2] > 150  # blue was top left and is top right now
    assert pixels[5, 5, 2] < 100
    assert photo.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file empty"),
        (b"not a picture at all", "not an image"),
        (encoded(400, 300)[:900], "corrupt image"),
        (encoded(90, 60)[:500], "corrupt image"),
    ],
)
def test_bad_files_have_a_reason(tmp_path, data, reason):
    assert packed(tmp_path, data) == PackedPhoto(None, reason)


def test_missing_file_and_missing_path_have_a_reason(tmp_path):
    assert pack_photo(str(tmp_path / "gone.jpg"), short_side=288).reason == "file missing"
    assert pack_photo(None, short_side=288).reason == "no path"


def test_threads_keep_the_order(tmp_path):
    paths = []
    for number in range(30):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(encoded(20 + number, 40))
        paths.append(str(path))
    paths[7] = None
    photos = list(pack_photos(paths, short_side=288, jobs=3))
    assert photos[7].reason == "no path"
    widths = [decoded(photo).size[0] for photo in photos if photo.data]
    assert widths == [20 + number for number in range(30) if number != 7]
