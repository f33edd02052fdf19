import csv

import numpy as np
import polars as pl
import pytest

from gair_cli.errors import DataError
from gair_cli.evaluation.datasets import earth
from gair_cli.evaluation.points import PointsOptions


@pytest.fixture(scope="module")
def benchmark_folder(shared_data):
    return shared_data / "earth-benchmark"


@pytest.fixture(scope="module")
def benchmark(benchmark_folder):
    return earth.read_benchmark(benchmark_folder / "points.csv.gz")


def published(folder):
    with (folder / "baselines.csv").open() as file:
        return {
            (row["method"], row["task"], row["folds"]): tuple(
                float(row[name]) for name in ("pooled", "low", "high")
            )
            for row in csv.DictReader(file)
        }


def assert_close(results, expected):
    compared = 0
    for task, result in results.items():
        for score in result.scores:
            value, low, high = expected[score.method, task, score.split]
            assert score.value == pytest.approx(value, abs=0.02), (task, score)
            assert (score.low, score.high) == pytest.approx((low, high), abs=0.04), (task, score)
            compared += 1
    return compared


def test_baselines_of_the_stations_are_the_published_ones(benchmark, benchmark_folder):
    results = earth.score_encoders(benchmark, {}, tasks=("temperature", "precipitation"))
    assert assert_close(results, published(benchmark_folder)) == 2 * 2 * 6


@pytest.mark.slow
def test_baselines_of_airports_zones_and_coasts_are_the_published_ones(benchmark, benchmark_folder):
    results = earth.score_encoders(benchmark, {}, tasks=("elevation", "koppen", "landsea"))
    assert assert_close(results, published(benchmark_folder)) == 3 * 2 * 6


def test_namibia_is_a_country_and_no_row_is_missing(benchmark):
    countries = benchmark.frame.filter(pl.col("task") == "country")["target"]
    assert countries.null_count() == 0
    assert (countries == "NA").sum() > 0


def test_a_cell_has_one_fold_in_every_task(benchmark):
    cells = benchmark.frame.select(
        (pl.col("lon") / 10).floor().alias("column"),
        (pl.col("lat") / 10).floor().alias("row"),
        "fold_block",
    )
    assert (
        cells.group_by("column", "row").agg(pl.col("fold_block").n_unique())["fold_block"] == 1
    ).all()


def test_encoders_are_scored_with_differences_to_the_first(benchmark):
    def first(lonlat):
        return np.concatenate([np.sin(np.radians(lonlat)), np.cos(np.radians(lonlat))], axis=1)

    results = earth.score_encoders(
        benchmark,
        {"waves": first, "lonlat": lambda lonlat: lonlat},
        tasks=("temperature",),
        with_baselines=False,
        options=PointsOptions(draws=20),
    )
    block = {s.method: s.value for s in results["temperature"].scores if s.split == "block"}
    assert block["lonlat"] == pytest.approx(0.389, abs=0.005)
    assert block["waves"] > block["lonlat"]
    assert {d.method for d in results["temperature"].differences} == {"waves - lonlat"}


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("task,lon,lat\na,1,2\n")
    with pytest.raises(DataError, match="no column id"):
        earth.read_benchmark(path)
