"""Products made to deceive are refused by name, in one line, before a pixel is read."""

from __future__ import annotations

import zipfile

import pytest

from gair_cli.errors import InputError
from gair_cli.geo.inputs.xml_tree import parse_xml
from gair_cli.geo.inputs.zips import open_zip
from gair_cli.geo.scenes import SceneOptions, inputs_of, open_scene
from tests.made_products import make_l2a, zipped

LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<lolz>&c;</lolz>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<r>&x;</r>"""


def opened(path):
    ((name, files),) = inputs_of([path], stack=False)
    return open_scene(name, files, options=SceneOptions())


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        opened(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [LAUGHS, EXTERNAL])
def test_document_types_and_entities_are_refused(data):
    with pytest.raises(InputError, match=r"x\.xml declares a document type or entities"):
        parse_xml(data, "x.xml")


@pytest.mark.parametrize(
    "data",
    [b"", b"<a>", b"<a></b>", b"\xff\xfe\x00", b"<a>&nbsp;</a>", b'<?xml encoding="x"?><a/>'],
)
def test_broken_xml_is_one_line(data):
    with pytest.raises(InputError, match="not well-formed"):
        parse_xml(data, "x.xml")


def test_deep_xml_is_refused():
    with pytest.raises(InputError, match="nested too deeply"):
        parse_xml(b"<a>" * 5000, "x.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_declared_encodings_and_namespaces_are_understood(encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><n:r xmlns:n="u:v"><n:t>é</n:t></n:r>'
    root = parse_xml(text.encode(encoding), "x.xml")
    assert (root.tag, root[0].tag, root[0].text) == ("r", "t", "é")


@pytest.mark.parametrize(
    "file", ["../../outside_B02_10m", "/etc/outside_B02_10m", "GRANULE/../../x_B02_10m"]
)
def test_image_that_the_metadata_name_outside_the_product_is_refused(tmp_path, file):
    safe = make_l2a(tmp_path)
    path = safe.path / "MTD_MSIL2A.xml"
    text = path.read_text(encoding="utf-8")
    start = text.index("<IMAGE_FILE>", text.index("B02_10m") - 200)
    end = text.index("</IMAGE_FILE>", start)
    path.write_text(text[:start] + f"<IMAGE_FILE>{file}" + text[end:], encoding="utf-8")
    refused(safe.path, "leads outside the product")


def test_link_out_of_a_product_is_refused_and_one_inside_is_not(tmp_path):
    safe = make_l2a(tmp_path)
    image = next(safe.path.rglob("*_B02_10m.jp2"))
    inside = image.rename(image.with_name("moved.jp2"))
    image.symlink_to(inside)
    assert opened(safe.path).scene_id == safe.product_id
    image.unlink()
    image.symlink_to(image)
    refused(safe.path, "is a link that leads outside")
    outside = inside.rename(tmp_path / "outside.jp2")
    image.unlink()
    image.symlink_to(outside)
    refused(safe.path, "is a link that leads outside")


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "a/../../evil", "C:\\evil", "a\\b"])
def test_zip_with_a_member_that_leads_outside_is_refused(tmp_path, name):
    path = zipped(make_l2a(tmp_path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    refused(path, "leads outside the product")


def test_zip_with_a_link_or_a_doubled_member_is_refused(tmp_path):
    safe = make_l2a(tmp_path)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    path = zipped(safe, tmp_path / "link.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "link is a link")
    path = zipped(safe, tmp_path / "twice.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{safe.path.name}/MTD_MSIL2A.xml", "<other/>")
    refused(path, "twice")


def test_truncated_and_encrypted_zips_are_one_line(tmp_path):
    safe = make_l2a(tmp_path)
    path = zipped(safe)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "no whole zip")
    path.write_bytes(b"")
    refused(path, "no whole zip")
    path.write_bytes(encrypted(whole))
    refused(path, "is encrypted")


def encrypted(data):
    """Set the mark of encryption on every entry of the directory of a zip."""
    data = bytearray(data)
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(data)


def test_zip_bombs_are_refused_before_anything_is_unpacked(tmp_path):
    safe = make_l2a(tmp_path)
    path = zipped(safe, tmp_path / "ratio.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.jp2", bytes(8 * 2**20))
    refused(path, "bomb.jp2 unpacks from .* to 8388608 bytes")
    image = next(safe.path.rglob("*_B02_10m.jp2"))
    image.write_bytes(image.read_bytes() + b"\1" * 5000 + bytes(2 * 2**20))
    path = zipped(safe, tmp_path / "padded.zip", method=zipfile.ZIP_STORED)
    refused(path, "unpacks to .* bytes for 14400 pixels")


def test_metadata_too_large_to_be_any_are_refused(tmp_path):
    safe = make_l2a(tmp_path)
    with (safe.path / "MTD_MSIL2A.xml").open("r+b") as file:
        file.truncate(65 * 2**20)
    refused(safe.path, "too many for metadata")


def test_metadata_damaged_inside_a_zip_are_one_line(tmp_path):
    path = zipped(make_l2a(tmp_path))
    with zipfile.ZipFile(path) as archive:
        member = next(one for one in archive.infolist() if one.filename.endswith("MSIL2A.xml"))
    data = bytearray(path.read_bytes())
    start = member.header_offset + 30 + len(member.filename)
    data[start + 20 : start + 60] = bytes(range(40))
    path.write_bytes(data)
    refused(path, "no whole zip")


def test_zip_without_a_product_or_with_two_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    refused(tmp_path / "a.zip", "holds no Sentinel-2 products")
    assert list(open_zip(tmp_path / "a.zip")) == ["readme.txt"]
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("A.SAFE/MTD_MSIL2A.xml", "x")
        archive.writestr("B.SAFE/MTD_MSIL2A.xml", "x")
    refused(tmp_path / "a.zip", "holds 2 Sentinel-2 products")


def test_folder_named_safe_without_metadata_says_so(tmp_path):
    (tmp_path / "X.SAFE").mkdir()
    refused(tmp_path / "X.SAFE", "holds no product metadata")
