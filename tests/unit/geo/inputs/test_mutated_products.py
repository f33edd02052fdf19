"""Seeded damage to metadata and zips ends in a clear error or a scene, never in anything else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gair_cli.errors import GairError
from gair_cli.geo.inputs.landsat_metadata import read_metadata
from gair_cli.geo.inputs.sentinel2_metadata import parse_sentinel2
from gair_cli.geo.inputs.stac import stac_draft
from gair_cli.geo.scenes import SceneOptions, open_scene
from tests.made_products import make_l1c, make_l2a, make_landsat, zipped
from tests.unit.geo.inputs.test_stac import assets, write_item

TRIES = 150


def mutated(data, seed):
    """Flip, cut out or double some bytes."""
    random = np.random.default_rng(seed)
    out = bytearray(data)
    for _ in range(random.integers(1, 6)):
        at = int(random.integers(0, len(out)))
        kind = random.integers(0, 3)
        if kind == 0:
            out[at] = int(random.integers(0, 256))
        elif kind == 1:
            del out[at : at + int(random.integers(1, 40))]
        else:
            out[at:at] = out[at : at + int(random.integers(1, 40))]
    return bytes(out)


def survives(call):
    """Call, and swallow nothing but the errors that are promised; return whether all went well."""
    try:
        call()
    except GairError as error:
        message = str(error)
    else:
        return True
    assert "\n" not in message
    return False


@pytest.mark.parametrize("maker", [make_l2a, make_l1c])
def test_sentinel_2_metadata(tmp_path, maker):
    safe = maker(tmp_path)
    data = next(safe.path.glob("MTD_*.xml")).read_bytes()
    good = [survives(lambda s=s: parse_sentinel2(mutated(data, s), "x.xml")) for s in range(TRIES)]
    assert 0 < sum(good) < TRIES


@pytest.mark.parametrize("form", ["txt", "xml", "json"])
def test_landsat_metadata(tmp_path, form):
    folder, _ = make_landsat(tmp_path, form=form)
    (path,) = folder.glob("*_MTL.*")
    data = path.read_bytes()
    for seed in range(TRIES):
        path.write_bytes(mutated(data, seed))

        def read():
            found = read_metadata(path)
            return found.taken_at, found.collection, found.quality_tests, found.scaling("B1")

        survives(read)
        if seed < TRIES // 5:
            survives(lambda: open_scene("x", [path], options=SceneOptions()))


def test_stac_items(tmp_path):
    path = write_item(tmp_path, assets())
    data = path.read_bytes()
    for seed in range(TRIES):
        path.write_bytes(mutated(data, seed))
        survives(lambda: stac_draft("item", str(path)))


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [1], {"a": 1}, [{"name": 1}], True])
@pytest.mark.parametrize("field", ["href", "roles", "type", "eo:bands", "raster:bands", "bands"])
def test_stac_fields_of_any_type(tmp_path, field, value):
    found = assets()
    found["B02"][field] = value
    path = write_item(tmp_path, found)
    survives(lambda: stac_draft("item", str(path)))
    item = json.loads(path.read_text(encoding="utf-8"))
    for key in ("properties", "assets", "id"):
        path.write_text(json.dumps({**item, key: value}), encoding="utf-8")
        survives(lambda: stac_draft("item", str(path)))


def test_zips(tmp_path):
    path = zipped(make_l2a(tmp_path))
    data = path.read_bytes()
    tail = data[data.index(b"PK\x01\x02") :]
    body = data[: -len(tail)]
    for seed in range(60):
        damaged = body + mutated(tail, seed) if seed % 2 else mutated(data, seed)
        path.write_bytes(damaged)
        survives(lambda: open_scene("x", [path], options=SceneOptions()))
