"""`scripts/bench_tile.py`: what it computes and writes; nothing is timed here."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(autouse=True, scope="module")
def _scripts_importable():
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


def run(**given):
    from bench_harness import Run

    whole = {"wall": 2.0, "cpu": 3.0, "peak": 100_000_000, "peak_sum": 150_000_000, "count": 400}
    return Run(**{**whole, **given})


class TestScenes:
    def test_wedge_of_nodata_covers_eight_percent(self):
        from bench_scenes import Field

        field = Field(1000)
        pixels = np.vstack([field.strip(0, top) for top in range(0, 1000, 512)])
        assert pixels.shape == (1000, 1000)
        assert (pixels == 0).mean() == pytest.approx(0.08, abs=0.001)
        assert (pixels[0] == 0).sum() == 160
        assert (pixels[-1] == 0).sum() == 0

    def test_same_seed_gives_the_same_pixels_and_another_seed_others(self):
        from bench_scenes import Field

        first, again, other = Field(300), Field(300), Field(300, seed=5)
        assert np.array_equal(first.strip(3, 0), again.strip(3, 0))
        assert not np.array_equal(first.strip(3, 0), other.strip(3, 0))
        assert not np.array_equal(first.strip(3, 0), first.strip(4, 0))

    def test_field_spans_its_range_and_noise_has_its_deviation(self):
        from bench_scenes import Field

        field = Field(3000)
        rows = np.arange(512)
        strip = field.strip(1, 0)
        smooth = field._smooth(1, rows)
        noise = (strip - smooth)[strip > 0]
        assert noise.std() == pytest.approx(20, rel=0.01)
        assert noise.mean() == pytest.approx(0, abs=0.1)
        assert smooth.min() >= 500
        assert smooth.max() <= 4000
        assert smooth.min() < 510
        assert smooth.max() > 3990

    def test_geotiff_has_blocks_of_512_deflate_and_predictor(self, tmp_path):
        import rasterio
        from bench_scenes import Field, write_tif

        write_tif(tmp_path / "a.tif", Field(600), [0, 1])
        with rasterio.open(tmp_path / "a.tif") as raster:
            assert raster.shape == (600, 600)
            assert raster.count == 2
            assert raster.dtypes == ("uint16", "uint16")
            assert raster.block_shapes == [(512, 512), (512, 512)]
            assert raster.nodata == 0
            assert raster.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "DEFLATE"
            assert raster.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"
            assert np.array_equal(raster.read(2)[512:], Field(600).strip(1, 512))

    def test_mixed_scene_has_the_same_extent_at_both_resolutions(self, tmp_path):
        import rasterio
        from bench_scenes import write_mixed

        write_mixed(tmp_path, 64)
        with (
            rasterio.open(tmp_path / "pair" / "fine.tif") as fine,
            rasterio.open(tmp_path / "pair" / "coarse.tif") as coarse,
        ):
            assert (fine.count, coarse.count) == (4, 6)
            assert (fine.res, coarse.res) == ((10, 10), (20, 20))
            assert fine.bounds == coarse.bounds
        assert len(list((tmp_path / "bands").iterdir())) == 10


class TestPeers:
    def test_cells_are_inside_and_row_by_row(self):
        from bench_peers import cells

        assert cells((5, 7), 2, 2) == [(0, 0), (0, 2), (0, 4), (2, 0), (2, 2), (2, 4)]
        assert cells((4, 4), 3, 1) == [(0, 0), (0, 1), (1, 0), (1, 1)]
        assert cells((2, 2), 3, 3) == []

    def test_parts_share_all_tiles_once(self):
        from bench_peers import share

        assert share([1, 2, 3, 4, 5], "0/2") == [1, 2]
        assert share([1, 2, 3, 4, 5], "1/2") == [3, 4, 5]

    def test_statistics_leave_out_pixels_that_are_not_valid(self):
        from bench_peers import statistics

        tile = np.array([[[0, 2], [4, 6]], [[1, 1], [3, 3]]], np.uint16)
        found = statistics(tile, tile != 0)
        np.testing.assert_allclose(found[:, 0], [3, 2, 6, 4, np.sqrt(8 / 3)])
        np.testing.assert_allclose(found[:, 1], [4, 1, 3, 2, 1])


class TestNumbers:
    def test_spread_is_the_median_with_its_ends(self):
        from bench_harness import Spread

        assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)
        assert Spread.of([4.0, 1.0]) == Spread(2.5, 1.0, 4.0)

    def test_cpu_a_tile_counts_all_of_the_process_or_its_loop(self):
        from bench_verdicts import cpu_ms, loop_ms

        one = run(cpu=2.0, count=400, loop_cpu=1.2)
        assert cpu_ms(one) == pytest.approx(5.0)
        assert loop_ms(one) == pytest.approx(3.0)
        with pytest.raises(ValueError, match="does not time its loop"):
            loop_ms(run())

    def test_ratio_compares_runs_of_the_same_turn(self):
        from bench_verdicts import ratio, wall_a_tile

        runs = {"a": [run(wall=8.0), run(wall=6.0)], "b": [run(wall=2.0), run(wall=3.0)]}
        assert ratio("a", "b", wall_a_tile)(runs) == [4.0, 2.0]
        assert ratio("a", "absent", wall_a_tile)(runs) == []

    def test_slowness_leaves_start_up_out_only_if_both_can(self):
        from bench_verdicts import slowness

        ours = run(wall=2.0, loop_wall=1.0, count=100)
        assert slowness(run(wall=6.0, loop_wall=4.0, count=200), ours) == 2.0
        assert slowness(run(wall=6.0, count=200), ours) == 1.5
        assert slowness(run(wall=6.0, count=1), ours) == 3.0

    @pytest.mark.parametrize(
        ("value", "verdict"),
        [(4.5, "stretch"), (5.0, "reached"), (6.5, "reached"), (6.6, "missed")],
    )
    def test_verdict_says_what_is_reached(self, value, verdict):
        from bench_verdicts import TARGETS

        runs = {"gair": [run(cpu=value / 1e3 * 400)]}
        assert TARGETS[0].verdict(runs) == verdict
        assert TARGETS[0].verdict({}) == "not measured"

    def test_greater_is_better_for_speeds(self):
        from bench_verdicts import TARGETS

        deflate = TARGETS[1]
        runs = {"gair": [run(wall=1.0)], "deflate": [run(wall=3.4)]}
        assert deflate.verdict(runs) == "missed"
        assert deflate.verdict({**runs, "deflate": [run(wall=3.6)]}) == "reached"
        assert deflate.verdict({**runs, "deflate": [run(wall=5.0)]}) == "stretch"

    def test_start_up_is_taken_off_on_both_sides(self):
        from bench_verdicts import net_cpu_ms, net_ratio

        runs = {
            "gair": [run(wall=2.0, cpu=3.0, count=400)],
            "gair-start": [run(wall=0.5, cpu=0.4, count=0)],
            "zstd": [run(wall=4.0, loop_wall=3.0, count=400)],
        }
        assert net_cpu_ms(runs) == [pytest.approx(6.5)]
        assert net_ratio("zstd")(runs) == [2.0]
        assert net_ratio("deflate")(runs) == []

    def test_greatest_peak_is_of_whole_runs_of_gair_tile_only(self):
        from bench_verdicts import greatest_peak

        runs = {
            "gair": [run(peak_sum=90_000_000), run(peak_sum=110_000_000)],
            "scaling-20480-2": [run(peak_sum=120_000_000)],
            "deflate": [run(peak_sum=900_000_000)],
        }
        assert greatest_peak(runs) == [120.0]
        assert greatest_peak({}) == []


class TestHarness:
    def job(self, *code, **given):
        from bench_harness import Job

        commands = tuple((sys.executable, "-c", one) for one in code)
        return Job("job", "a job", commands, (), **given)

    def test_processes_of_one_job_are_added_up(self):
        from bench_harness import measure

        said = 'print(\'{"count": 3, "cpu": %s, "wall": %s}\')'
        found = measure(self.job(said % (1.0, 2.0), said % (0.5, 4.0)))
        assert (found.count, found.loop_cpu, found.loop_wall) == (6, 1.5, 4.0)
        assert found.peak < found.peak_sum <= 2 * found.peak
        assert found.cpu > 0

    def test_lines_of_processes_that_print_at_once_do_not_mix(self):
        from bench_harness import measure

        slowly = """
import time
for part in ('{"count": 3,', ' "cpu": 1, "wall"', ': 2}', chr(10)):
    print(part, end="", flush=True)
    time.sleep(0.2)
"""
        assert measure(self.job(slowly, slowly)).count == 6

    def test_memory_of_a_process_is_its_peak(self):
        code = """
import sys
from bench_harness import Job, measure
for work in ("pass", "bytearray(b'1') * 80_000_000"):
    print(measure(Job("job", "", ((sys.executable, "-c", work),), ())).peak)
"""
        words = [sys.executable, "-c", code]  # from a small process, as the harness is
        said = subprocess.run(words, cwd=SCRIPTS, check=True, capture_output=True, text=True)
        small, large = (int(line) for line in said.stdout.split())
        assert 70e6 < large - small < 90e6

    def test_output_is_there_for_the_job_only_and_its_files_are_counted(self, tmp_path):
        from bench_harness import measure

        folder = tmp_path / "output"
        code = f"from pathlib import Path; Path({str(folder)!r}, 'a.tif').touch()"
        assert measure(self.job(code, output=folder)).count == 1
        assert not folder.exists()

    def test_failed_job_is_told_with_its_last_words_and_others_go_on(self):
        from bench_harness import Job, interleaved

        broken = self.job("import sys; sys.exit('gair: error: no tiles\\nhint: look again')")
        sound = Job("sound", "", ((sys.executable, "-c", "pass"),), ())
        runs, absent = interleaved([broken, sound], 2)
        assert absent == {"job": "failed: gair: error: no tiles"}
        assert list(runs) == ["sound"]
        assert len(runs["sound"]) == 2

    def test_what_is_not_installed_is_named_with_the_way_to_get_it(self, monkeypatch):
        import bench_harness

        monkeypatch.setitem(bench_harness.INSTALLS, "no_such_peer", "pip install it")
        absent = bench_harness.missing(self.job("pass", needs=("no_such_peer",)))
        assert absent == "not here: no_such_peer (pip install it)"
        assert bench_harness.missing(self.job("pass", needs=("json",))) is None


class TestRows:
    def test_every_job_of_every_row_exists_once(self, tmp_path):
        from bench_rows import ROWS, Scenes, jobs_of

        scenes = Scenes.quick(tmp_path)
        names = [job.name for job in jobs_of(scenes, list(ROWS))]
        assert len(names) == len(set(names))
        assert set(names) >= {name for _, row in ROWS.values() for name in row}

    def test_only_the_scenes_of_the_asked_rows_are_made(self, tmp_path):
        from bench_rows import Scenes

        scenes = Scenes(tmp_path)
        assert scenes.made_for(["6"]) == [(tmp_path / "scene-10980.jp2", "jp2", 10980)]
        assert scenes.made_for(["1", "2"]) == [(tmp_path / "scene-5490.tif", "tif", 5490)]
        sides = [side for _, _, side in scenes.made_for(["scaling"])]
        assert sides == [1024, 5490, 10980, 20480]

    def test_peers_write_in_two_processes(self, tmp_path):
        from bench_rows import Scenes, jobs_of

        jobs = {job.name: job for job in jobs_of(Scenes(tmp_path), ["1", "2"])}
        assert [len(jobs[name].commands) for name in ("gair", "deflate", "zstd")] == [1, 2, 2]
        assert jobs["gair"].ours
        assert not jobs["zstd"].ours


class TestPage:
    def test_numbers_have_three_digits_that_count(self):
        from bench_text import number, spread

        assert [number(v) for v in (0.123, 12.345, 123.4, 12345.6)] == [
            "0.12",
            "12.3",
            "123",
            "12,346",
        ]
        assert spread([2.0, 1.0, 4.0]) == "2.00 (1.00-4.00)"
        assert spread([2.0, 2.0]) == "2.00"

    def test_table_says_what_a_job_took_and_why_one_is_not_there(self):
        from bench_harness import Job
        from bench_page import job_table

        jobs = [
            Job("gair", "gair tile", (), (), ours=True),
            Job("slow", "a peer", (), ()),
            Job("gone", "another peer", (), ()),
        ]
        runs = {"gair": [run()], "slow": [run(wall=5.0, cpu=4.0)]}
        lines = job_table(jobs, runs, {"gone": "not here: it"}, "gair").splitlines()
        assert lines[2] == "| **gair tile** | 400 | 7.50 |  | 2.00 | 200 | 1.00 | 100 | 150 |"
        assert lines[3] == "| a peer | 400 | 10.0 |  | 5.00 | 80.0 | 2.50 | 100 | 150 |"
        assert lines[4] == "| another peer | not here: it |  |  |  |  |  |  |  |"

    def test_verdicts_are_said_of_the_asked_rows(self):
        from bench_page import verdict_table

        text = verdict_table({"gair": [run(cpu=2.0)]}, ["1"])
        first, second = text.splitlines()[2:4]
        assert first.startswith("| 1 | CPU a tile written, whole process | 5.00 ms | <= 6.5 ms |")
        assert first.endswith("| <= 4.5 ms | **reached** |")
        assert second.endswith("|  | >= 3.5 x | >= 5 x | **not measured** |")

    def test_only_what_is_between_the_marks_is_rewritten(self):
        from bench_text import Marks

        marks = Marks("tile")
        page = f"before\n{marks.begin}\nold\n{marks.end}\nafter\n"
        new = f"before\n{marks.begin}\n\nnew\n\n{marks.end}\nafter\n"
        assert marks.rewritten(page, "new") == new
        with pytest.raises(ValueError, match="lacks the marks"):
            marks.rewritten("no marks", "new")

    def test_page_in_the_documentation_has_the_marks(self):
        from bench_text import PAGE, Marks

        assert "new" in Marks("tile").rewritten(PAGE.read_text("utf-8"), "new")

    def test_figure_shows_each_number_of_jobs(self, tmp_path):
        from bench_page import draw_scaling, scaling_points

        runs = {
            f"scaling-{side}-{jobs}": [run(wall=1.0 / jobs), run(wall=1.2 / jobs)]
            for side in (1024, 5490)
            for jobs in (1, 2)
        }
        points = scaling_points(runs)
        assert [side for side, _, _ in points[2]] == [1024, 5490]
        assert points[2][0][1].high == pytest.approx(800)
        draw_scaling(tmp_path / "figures" / "a.png", runs)
        assert (tmp_path / "figures" / "a.png").stat().st_size > 5000


def test_stored_results_come_back_as_they_were(tmp_path):
    from dataclasses import asdict

    from bench_rows import Scenes
    from bench_tile import report, runs_of

    stored = {
        "date": "2026-01-31", "command": "python scripts/bench_tile.py --rows 1", "quick": False,
        "rows": ["1"], "machine": {"cores": "2"}, "absent": {"retile": "not here: gdal_retile.py"},
        "runs": {"gair": [asdict(run())]},
    }  # fmt: skip
    again = json.loads(json.dumps(stored))
    assert runs_of(again) == {"gair": [run()]}
    text = report(again, Scenes(tmp_path))
    assert "### 1. Cut, compress, write, statistics" in text
    assert "| date | 2026-01-31 |" in text
    assert "Repeat it with `python scripts/bench_tile.py --rows 1`." in text


def test_quick_results_are_kept_out_of_the_documentation(tmp_path):
    from bench_rows import Scenes
    from bench_tile import write_docs

    with pytest.raises(ValueError, match="--quick"):
        write_docs({"quick": True}, Scenes(tmp_path))
