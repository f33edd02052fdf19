"""`gair pack --from`: WebDataset shards and Hugging Face image folders."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from gair_cli.geo.shards import ShardReader


def jpeg(number, kind="JPEG", size=(40, 30)):
    pixels = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, kind)
    return memory.getvalue()


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def place(number, **more):
    return json.dumps({"lon": 9 + number / 100, "lat": 48.5, **more}).encode()


@pytest.fixture
def shards(tmp_path):
    """Twelve photos in two tars, in the usual spellings."""
    folder = tmp_path / "web"
    folder.mkdir()
    for shard in range(2):
        members = {}
        for number in range(6 * shard, 6 * shard + 6):
            ending = "png" if number == 3 else "jpg"
            members[f"a/{number:04d}.{ending}"] = jpeg(number, "PNG" if number == 3 else "JPEG")
            members[f"a/{number:04d}.json"] = place(number, heading=10.0 * number, note="x")
        write_tar(folder / f"part-{shard}.tar", members)
    return folder


def test_webdataset_shards_become_training_shards_with_the_same_bytes(gair, shards, tmp_path):
    done = gair("pack", shards, "--from", "webdataset", "-o", tmp_path / "train")
    assert done.exit_code == 0, done.stderr
    assert "12 samples (0 tiles, 12 photos)" in done.stderr
    with ShardReader(tmp_path / "train") as reader:
        assert reader.index["photo_id"].to_list()[:2] == ["a/0000", "a/0001"]
        assert reader.index["lon"].to_list() == pytest.approx([9 + n / 100 for n in range(12)])
        assert reader.index["heading"].to_list()[2] == 20.0
        assert reader.index["note"].to_list() == ["x"] * 12
        assert reader.photo_bytes(5) == jpeg(5)
        assert Image.open(io.BytesIO(reader.photo_bytes(3))).format == "JPEG"  # it was a PNG
        assert "path" not in reader.index.columns
    again = gair("pack", shards, "--from", "webdataset", "-o", tmp_path / "train")
    assert "nothing to do" in again.stderr


def test_one_tar_and_our_own_shards_are_read_too(gair, shards, tmp_path):
    one = gair("pack", shards / "part-0.tar", "--from", "webdataset", "-o", tmp_path / "one")
    assert "6 samples" in one.stderr
    ours = gair("pack", tmp_path / "one", "--from", "webdataset", "-o", tmp_path / "two")
    assert ours.exit_code == 0, ours.stderr
    with ShardReader(tmp_path / "one") as first, ShardReader(tmp_path / "two") as second:
        assert first.index["photo_id"].to_list() == second.index["photo_id"].to_list()
        assert first.photo_bytes(4) == second.photo_bytes(4)
        assert first.index["split"].to_list() == second.index["split"].to_list()


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        ({"0.jpg": jpeg(0)}, 4, "0.jpg has no 0.json"),
        ({"0.jpg": jpeg(0), "0.json": b"{"}, 4, "0.json is no JSON"),
        ({"0.txt": b"x"}, 4, "holds no picture"),
        ({"0.jpg": jpeg(0), "0.json": b'{"place": 3}'}, 4, "no coordinate columns"),
        ({"0.000.jpg": jpeg(0), "0.json": b'{"samples": []}'}, 4, "tells of 0 photos, there are 1"),
    ],
)
def test_shards_that_say_too_little_are_refused(gair, tmp_path, members, code, says):
    write_tar(tmp_path / "x.tar", members)
    done = gair("pack", tmp_path / "x.tar", "--from", "webdataset", "-o", tmp_path / "train")
    assert done.exit_code == code, done.stderr
    assert says in done.stderr
    assert not (tmp_path / "train").exists()


def test_a_compressed_or_missing_tar_is_named(gair, tmp_path):
    (tmp_path / "x.tar").write_bytes(b"\x1f\x8b" + bytes(100))
    done = gair("pack", tmp_path / "x.tar", "--from", "webdataset", "-o", tmp_path / "train")
    assert done.exit_code == 3
    assert "uncompressed tar" in done.stderr
    (tmp_path / "empty").mkdir()
    done = gair("pack", tmp_path / "empty", "--from", "webdataset", "-o", tmp_path / "train")
    assert done.exit_code == 3


@pytest.fixture
def image_folder(tmp_path):
    """An image folder as Hugging Face's `datasets` reads it: two splits, two kinds of metadata."""
    folder = tmp_path / "hf"
    for split, first in (("train", 0), ("validation", 8)):
        (folder / split / "pictures").mkdir(parents=True)
        rows = []
        for number in range(first, first + 4):
            name = f"pictures/{number}.jpg"
            (folder / split / name).write_bytes(jpeg(number))
            rows.append({"file_name": name, "latitude": 48.5, "longitude": 9 + number / 100})
        if split == "train":
            lines = ["file_name,latitude,longitude"]
            lines += [f"{r['file_name']},{r['latitude']},{r['longitude']}" for r in rows]
            (folder / split / "metadata.csv").write_text("\n".join(lines))
        else:
            text = "\n".join(json.dumps(row) for row in rows)
            (folder / split / "metadata.jsonl").write_text(text)
    return folder


def test_an_image_folder_keeps_its_splits(gair, image_folder, tmp_path):
    done = gair("pack", image_folder, "--from", "huggingface", "-o", tmp_path / "train")
    assert done.exit_code == 0, done.stderr
    with ShardReader(tmp_path / "train") as reader:
        assert reader.index["split"].to_list() == ["train"] * 4 + ["val"] * 4
        assert reader.index["photo_id"][5] == "validation/pictures/9.jpg"
        assert reader.photo_bytes(5) == jpeg(9)


def test_a_missing_picture_is_listed_and_the_rest_is_packed(gair, image_folder, tmp_path):
    (image_folder / "train/pictures/2.jpg").unlink()
    done = gair("pack", image_folder, "--from", "huggingface", "-o", tmp_path / "train")
    assert done.exit_code == 5
    assert "1 photos could not be used" in done.stderr
    with ShardReader(tmp_path / "train") as reader:
        assert len(reader) == 7


def test_folders_that_are_none_are_refused(gair, tmp_path):
    (tmp_path / "hf").mkdir()
    done = gair("pack", tmp_path / "hf", "--from", "huggingface", "-o", tmp_path / "train")
    assert done.exit_code == 3
    assert "metadata.csv" in done.stderr
    (tmp_path / "hf/metadata.csv").write_text("name,lon,lat\na,1,2\n")
    done = gair("pack", tmp_path / "hf", "--from", "huggingface", "-o", tmp_path / "train")
    assert done.exit_code == 4
    assert "file_name" in done.stderr
    done = gair("pack", tmp_path / "hf", "--from", "huggingface", "--tiles", tmp_path / "t", "-o",
                tmp_path / "train")  # fmt: skip
    assert done.exit_code in {2, 3}
