"""Identifiers are the same for any run, machine and order."""

from __future__ import annotations

from gair_cli.geo import ids


def test_ids_are_what_they_always_were():
    assert ids.sample_ids(["a"], ["b"]) == ["237238bc1341a057"]
    assert ids.tile_ids("s", "scene", (96, 96), (96, 96), [(0, 1)]) == ["ca268258a0056dc5"]


def test_a_missing_half_is_the_empty_text():
    assert ids.sample_ids([None], ["t"]) == ids.sample_ids([""], ["t"])
    assert ids.sample_ids(["t"], [None]) != ids.sample_ids([None], ["t"])


def test_every_part_of_a_scene_counts():
    given = {
        "crs": "EPSG:32633",
        "transform": (10.0, 0.0, 0.0, 0.0, -10.0, 0.0),
        "size": (800, 800),
        "bands": ["B2", "B3"],
        "file_bytes": 1000,
    }
    changed = {
        "crs": "EPSG:32634",
        "transform": (10.0, 0.0, 1e-9, 0.0, -10.0, 0.0),
        "size": (800, 801),
        "bands": ["B2B3"],
        "file_bytes": 1001,
    }
    made = {ids.scene_id("city", **{**given, key: value}) for key, value in changed.items()}
    made.add(ids.scene_id("city", **given))
    assert len(made) == 6
    assert all(len(name) == len("city-") + 8 and name.startswith("city-") for name in made)
