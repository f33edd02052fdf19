"""`scripts/bench_pair.py`, `bench_photos.py`: what they compute and write."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gair_cli.geo.locator import TileLocator

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ROWS = 6


@pytest.fixture(autouse=True, scope="module")
def _scripts_importable():
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


def run(**given):
    from bench_harness import Run

    whole = {"wall": 2.0, "cpu": 3.0, "peak": 100_000_000, "peak_sum": 150_000_000, "count": 400}
    return Run(**{**whole, **given})


class TestWorld:
    def test_tiles_are_a_tile_set_of_twelve_zones(self, tmp_path):
        from bench_pair_world import write_tiles

        count = write_tiles(tmp_path / "tiles", ROWS)
        index = pl.read_parquet(tmp_path / "tiles" / "index.parquet")
        assert index.height == count == index["tile_id"].n_unique()
        assert index["crs"].n_unique() == 12
        told = json.loads((tmp_path / "tiles" / "dataset.json").read_text())
        assert told["counts"]["tiles"] == count

    def test_the_exact_answer_is_that_of_gair(self, tmp_path):
        from bench_pair_world import inside, points_of, write_tiles

        write_tiles(tmp_path / "tiles", ROWS)
        index = pl.read_parquet(tmp_path / "tiles" / "index.parquet")
        points = points_of(0, 20_000, ROWS)
        again = points_of(0, 20_000, ROWS)
        assert np.array_equal(points, again)
        found = int(TileLocator(index).locate(points).inside.sum())
        assert found == inside(points, ROWS)
        assert 0.6 < found / len(points) < 0.95


class TestPage:
    def measured(self):
        def row():
            walls = (1.0, 2.0, 3.0)
            return [asdict(run(wall=w, cpu=w, loop_wall=w / 2, loop_cpu=w / 2)) for w in walls]

        return {
            "date": "2026-01-01", "quick": False, "repeats": 3, "rows": ["memory", "files"],
            "counts": [1_000_000], "tiles": 202_800, "machine": {"cores": 2},
            "exact": {"1000000": 400}, "absent": {"memory-1000000-duckdb": "not here: duckdb"},
            "runs": {"memory-1000000-gair": row(), "memory-1000000-strtree": row(),
                     "files-1000000-gair": row()},
            "streamed": [],
        }  # fmt: skip

    def test_a_page_has_speeds_ratios_and_what_is_missing(self):
        from bench_pair_page import MARKS, report

        text = report(self.measured())
        assert "not here: duckdb" in text
        assert "| **gair** | 400 | 0 |" in text
        page = MARKS.rewritten(f"a\n{MARKS.begin}\nold\n{MARKS.end}\nb", text)
        assert page.startswith("a\n")
        assert page.endswith("\nb")
        assert "old" not in page

    def test_wrong_counts_of_gair_are_told_and_those_of_peers_are_not(self):
        from bench_pair import wrong_counts

        measured = self.measured()
        assert wrong_counts(measured) == []
        measured["runs"]["memory-1000000-strtree"][0]["count"] = 1
        assert wrong_counts(measured) == []
        measured["runs"]["files-1000000-gair"][1]["count"] = 399
        assert wrong_counts(measured) == ["files-1000000-gair: 399 pairs, not 400"]

    def test_pairs_of_a_file_are_counted_by_its_manifest(self, tmp_path):
        from bench_harness import _counted

        (tmp_path / "pairs.parquet.gair.json").write_text(json.dumps({"report": {"pairs": 12}}))
        assert _counted(tmp_path) == 12


def test_photos_are_read_alike_by_all_readers(tmp_path):
    from bench_photos import READERS, make_photos, report

    make_photos(tmp_path / "p", 4)
    paths = sorted((tmp_path / "p").glob("*.jpg"))
    found = {name: np.array(read(paths)) for name, read in READERS.items()}
    for name in ("gair", "gair-list"):
        np.testing.assert_allclose(found[name], found["pillow"], atol=1e-12)
    runs = {name: [asdict(run(loop_cpu=cpu, loop_wall=cpu))] for name, cpu in
            (("pillow", 4e-4), ("gair", 4e-5))}  # fmt: skip
    text = report({"photos": 4, "repeats": 1, "machine": {}, "absent": {}, "date": "d",
                   "runs": runs})  # fmt: skip
    assert "| CPU a photo | <= 20 us | 10.0 us | met |" in text
    assert "| 10.00 |" in text
