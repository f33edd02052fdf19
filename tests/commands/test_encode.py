"""`gair encode`: inputs, formats, options, bad rows, pipes, outputs, bounded memory."""

import gzip
import io
import json
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import gair_cli
from gair_cli.geo import encodings
from gair_cli.models.frequencies import read_frequencies
from gair_cli.models.resolve import resolve_model


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    return pl.DataFrame({
        "id": [f"{i % 290:03d}" for i in range(300)],
        "lat": rng.uniform(-80, 80, 300).round(5),
        "lon": rng.uniform(-180, 180, 300).round(5),
        "income": rng.normal(size=300).round(3),
        "note": ['say "no",\nor not'] * 300,
    })  # fmt: skip


@pytest.fixture(scope="module")
def points(tmp_path_factory, frame):
    path = tmp_path_factory.mktemp("points") / "pts.csv"
    frame.write_csv(path)
    return path


def test_an_npy_holds_seeded_features_and_the_ids_lie_beside_it(gair, points, frame, tmp_path):
    out = tmp_path / "rff.npy"
    result = gair("encode", points, "--sigma", "1,256", "--features", 8, "--seed", 7, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {out}" in result.stderr
    lonlat = frame.select("lon", "lat").to_numpy()
    matrix = encodings.fourier_directions((1.0, 256.0), 4, seed=7)
    wanted = encodings.random_fourier_features(lonlat, matrix)
    np.testing.assert_array_equal(np.load(out), wanted)
    ids = (tmp_path / "rff.npy.ids.txt").read_text().splitlines()
    assert ids == frame["id"].to_list()  # repeated ids are kept
    again = gair_cli.encode_points(lonlat, "rff", sigmas=(1, 256), features=8, seed=7)
    np.testing.assert_array_equal(again, wanted)


@pytest.mark.parametrize(("name", "width"), [
    ("equal-earth", 2), ("xyz", 3), ("rff", 1536), ("harmonics", 1600), ("sphere2vec-c", 48),
    ("sphere2vec-c+", 96), ("sphere2vec-m", 80), ("sphere2vec-m+", 128), ("sphere2vec-dfs", 1088),
])  # fmt: skip
def test_every_encoding_has_its_width(gair, points, tmp_path, name, width):
    out = tmp_path / "enc.npy"
    result = gair("encode", points, "--encoding", name, "--dtype", "float64", "-o", out)
    assert result.exit_code == 0, result.stderr
    rows = np.load(out)
    assert (rows.shape, rows.dtype) == ((300, width), np.float64)
    assert np.isfinite(rows).all()


def test_the_directions_of_a_model_are_its_own(gair, points, frame, tiny_model, tmp_path):
    out = tmp_path / "rff.npy"
    result = gair("encode", points, "--model", tiny_model, "-o", out)
    assert result.exit_code == 0, result.stderr
    sigmas, matrices = read_frequencies(resolve_model(tiny_model))
    assert (sigmas, matrices.shape) == ((1.0, 16.0), (2, 8, 2))
    wanted = encodings.random_fourier_features(frame.select("lon", "lat").to_numpy(), matrices)
    np.testing.assert_array_equal(np.load(out), wanted)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "arrow", "arrows", "geojsonl",
                                    "geojson"])  # fmt: skip
def test_every_input_gives_the_same_rows(gair, frame, tmp_path, ending):
    path = tmp_path / f"pts.{ending}"
    feature = [{"type": "Feature", "id": row["id"], "properties": {"income": row["income"]},
                "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]}}
               for row in frame.to_dicts()]  # fmt: skip
    writers = {
        "csv": lambda: frame.write_csv(path),
        "csv.gz": lambda: path.write_bytes(gzip.compress(frame.write_csv().encode())),
        "parquet": lambda: frame.write_parquet(path),
        "arrow": lambda: frame.write_ipc(path),
        "arrows": lambda: frame.write_ipc_stream(path),
        "geojsonl": lambda: path.write_text("\n".join(map(json.dumps, feature))),
        "geojson": lambda: path.write_text(
            json.dumps({"type": "FeatureCollection", "features": feature}, indent=1)
        ),
    }
    writers[ending]()
    out = tmp_path / "enc.parquet"
    result = gair("encode", path, "--encoding", "xyz", "--dtype", "float64", "-o", out)
    assert result.exit_code == 0, result.stderr
    table = pl.read_parquet(out)
    wanted = encodings.unit_sphere_xyz(frame.select("lon", "lat").to_numpy())
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), wanted)
    assert table["id"].to_list() == frame["id"].to_list()
    assert table["income"].to_list() == frame["income"].to_list()


def test_a_geoparquet_says_how_it_was_made(gair, points, tmp_path):
    import geopandas

    out = tmp_path / "sh.parquet"
    gair("encode", points, "--encoding", "harmonics", "--degree", 3, "-o", out)
    schema = pq.read_schema(out)
    assert schema.names == ["id", "embedding", "geometry", "bbox", "lat", "lon", "income", "note"]
    assert schema.field("embedding").type == pa.list_(pa.float32(), 16)
    own = json.loads(schema.metadata[b"gair"])
    assert (own["encoding"], own["degree"], own["dim"]) == ("harmonics", 3, 16)
    assert geopandas.read_parquet(out).geometry.x[0] == pytest.approx(pl.read_csv(points)["lon"][0])


def test_pipes_take_and_give_streams(gair, points):
    data = points.read_bytes()
    result = gair("encode", "-", "--encoding", "xyz", "-f", "csv", "--keep-columns", "none",
                  stdin=data)  # fmt: skip
    assert result.stdout.splitlines()[0] == "id,lon,lat,e0,e1,e2"
    assert len(result.stdout.splitlines()) == 301
    result = gair("encode", "-", "--encoding", "equal-earth", stdin=data)
    table = pa.ipc.open_stream(io.BytesIO(result.stdout_bytes)).read_all()
    assert table.num_rows == 300


def test_bad_rows_are_set_aside_with_reasons(gair, tmp_path):
    csv = tmp_path / "pts.csv"
    csv.write_text("id,lon,lat\na,1,2\nb,,3\nc,4,95\nd,5,6\ne,inf,1\nf,181,1\ng,x,1\nh,1,2\n")
    out = tmp_path / "enc.npy"
    result = gair("encode", csv, "--encoding", "xyz", "-o", out)
    assert result.exit_code == 5
    assert "row 1: no coordinates" in result.stderr
    assert np.load(out).shape == (3, 3)
    assert (tmp_path / "enc.npy.ids.txt").read_text().split() == ["a", "d", "h"]
    rejected = pl.read_parquet(tmp_path / "enc.rejected.parquet")
    assert rejected["row"].to_list() == [1, 2, 4, 5, 6]
    assert rejected["reason"].to_list() == [
        "no coordinates", "latitude beyond 90", "no coordinates", "longitude beyond 180",
        "no coordinates",
    ]  # fmt: skip
    stopped = gair("encode", csv, "--max-bad", 1, "-o", tmp_path / "none.npy")
    assert (stopped.exit_code, (tmp_path / "none.npy").exists()) == (5, False)


@pytest.mark.parametrize(("text", "code", "words"), [
    ("", 3, "0 bytes"),
    ("id,lon,lat\n", 4, "no rows"),
    ("id,a,b\n1,2,3\n", 4, "no coordinate columns"),
    ("id,lat,lon\n1,120,3\n2,130,4\n3,1,2\n", 4, "lat and lon look swapped"),
])  # fmt: skip
def test_tables_that_cannot_be_used_end_in_one_clear_line(gair, tmp_path, text, code, words):
    path = tmp_path / "pts.csv"
    path.write_text(text)
    result = gair("encode", path, "-o", tmp_path / "enc.npy")
    assert result.exit_code == code
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2


@pytest.mark.parametrize("words", [
    ("--encoding", "xyz", "--seed", 1),
    ("--features", 7),
    ("--model", "earth-tiny", "--sigma", "1"),
    ("--sigma", "1,zwei"),
    ("--sigma", "-1"),
])  # fmt: skip
def test_options_that_make_no_sense_are_usage_errors(gair, points, tmp_path, words):
    result = gair("encode", points, *words, "-o", tmp_path / "enc.npy")
    assert result.exit_code == 2
    assert result.stderr.startswith("gair: error: ")


def test_the_same_again_is_nothing_to_do_and_another_plan_is_refused(gair, points, tmp_path):
    out = tmp_path / "enc.npy"
    words = ("encode", points, "--encoding", "xyz", "-o", out)
    assert gair(*words).exit_code == 0
    assert "nothing to do" in gair(*words).stderr
    assert gair(*words, "--dtype", "float64").exit_code == 2
    assert gair(*words, "--dtype", "float64", "--overwrite").exit_code == 0
    assert np.load(out).dtype == np.float64


def test_a_dry_run_writes_nothing(gair, points, tmp_path):
    result = gair("encode", points, "-n", "-o", tmp_path / "enc.npy")
    assert result.exit_code == 0
    assert "1536 float32 a row, about 1.8 MB" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_changes_its_mind_late_keeps_all_its_values(gair, tmp_path):
    rows = [f"{i},{i % 170},{i % 80},{i}" for i in range(400_000)]
    rows[-1] = "007,1,2,much"
    path, out = tmp_path / "pts.csv", tmp_path / "enc.parquet"
    path.write_text("id,lon,lat,count\n" + "\n".join(rows))
    result = gair("encode", path, "--encoding", "equal-earth", "-o", out)
    assert result.exit_code == 0, result.stderr
    table = pl.read_parquet(out, columns=["id", "count"])
    assert table["count"].to_list() == [str(i) for i in range(399_999)] + ["much"]
    assert table["id"][-1] == "007"


_PEAK = """
import resource, sys
from gair_cli.commands.main import main
code = main(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "torch" in sys.modules)
"""


def peak_mb(points, out):
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, "encode", points, "--features", "64", "-q", "-o", out],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    code, peak, torch = done.stdout.split()
    assert (code, torch) == ("0", "False")
    return int(peak)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table_and_torch_is_not_loaded(tmp_path):
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    rng = np.random.default_rng(0)
    for path, n in ((small, 20_000), (large, 400_000)):
        lonlat = rng.uniform([-180, -90], [180, 90], (n, 2))
        pl.DataFrame(lonlat, schema=["lon", "lat"]).write_parquet(path, row_group_size=20_000)
    grown = peak_mb(large, tmp_path / "b.npy") - peak_mb(small, tmp_path / "a.npy")
    assert grown < 150  # the encodings alone are 307 MB
    assert np.load(tmp_path / "b.npy", mmap_mode="r").shape == (400_000, 192)


def test_tables_in_python_get_a_column(frame):
    wanted = encodings.unit_sphere_xyz(frame.select("lon", "lat").to_numpy(), dtype="float32")
    for table in (frame, frame.to_arrow(), frame.to_pandas()):
        found = gair_cli.encode_points(table, "xyz")
        assert type(found) is type(table)
        column = found["embedding"]
        rows = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
        np.testing.assert_array_equal(np.array([list(row) for row in rows], np.float32), wanted)


def test_a_model_of_another_location_kind_has_no_directions(gair, tmp_path):
    from gair_cli.models.config import LocationConfig, ModelConfig
    from gair_cli.models.gair import new_model
    from gair_cli.models.weights import save_model

    tower = LocationConfig(kind="sh-siren", degree=4, hidden=8, depth=1, width=8)
    model = new_model(ModelConfig(dim=8, location=tower), seed=0)
    save_model(model, tmp_path / "model")
    (tmp_path / "p.csv").write_text("lon,lat\n13.4,52.5\n")
    done = gair("encode", tmp_path / "p.csv", "--model", tmp_path / "model")
    assert done.exit_code == 6
    assert "location tower of kind sh-siren: no directions" in done.stderr
    assert "cannot read" not in done.stderr
