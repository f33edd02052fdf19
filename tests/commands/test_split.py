"""`gair split`: blocks, shares, buffers, reports, maps, formats, bad rows, pipes."""

import io
import itertools
import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyproj import Geod

from gair_cli.geo.blocks import BlockGrid, block_names, split_of_blocks
from gair_cli.geo.geoparquet import points_metadata, with_points

WGS84 = Geod(ellps="WGS84")
SPLITS = ("train", "val", "test")


def distance(one, other):
    """Return the geodesic between every place of two lists, metres."""
    (a, b), (c, d) = one[:, None, :].T, other[None, :, :].T
    a, b, c, d = np.broadcast_arrays(a.T, b.T, c.T, d.T)
    return WGS84.inv(a.ravel(), b.ravel(), c.ravel(), d.ravel())[2].reshape(len(one), len(other))


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(8)
    around = np.repeat([[13.3, 52.4], [-70.6, -33.4], [179.98, -16.5]], 200, axis=0)
    lonlat = around + rng.normal(0, 0.05, around.shape)
    lonlat[:, 0] = (lonlat[:, 0] + 180) % 360 - 180
    return pl.DataFrame({
        "id": [f"{i:04d}" for i in range(600)],
        "lon": lonlat[:, 0].round(6), "lat": lonlat[:, 1].round(6),
        "city": ["Berlin"] * 200 + ["Santiago"] * 200 + ["Labasa"] * 200,
        "value": rng.normal(size=600).round(4),
    })  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory, frame):
    path = tmp_path_factory.mktemp("split") / "points.csv"
    frame.write_csv(path)
    return path


def lonlat_of(frame):
    return frame.select("lon", "lat").to_numpy()


def run(gair, table, out, *words):
    result = gair("split", table, "-o", out, *words)
    assert result.exit_code == 0, result.stderr
    return pl.read_parquet(out), result


@pytest.mark.parametrize(("block", "grid"), [
    ("0.05deg", BlockGrid(0.05, "deg")), ("2km", BlockGrid(2, "km")),
    ("500m", BlockGrid(0.5, "km")),
])  # fmt: skip
def test_a_split_is_the_hash_of_the_block_and_rows_keep_their_order(
    gair, table, frame, tmp_path, block, grid
):
    found, _ = run(gair, table, tmp_path / "s.parquet", "--block", block, "--seed", 3)
    assert found["id"].to_list() == frame["id"].to_list()  # 0007 stays text
    names = block_names(lonlat_of(frame), grid)
    assert found["block"].to_list() == names
    assert found["split"].to_list() == split_of_blocks(names, seed=3)
    assert found.columns == [*frame.columns, "split", "block"]
    assert found["value"].to_list() == frame["value"].to_list()


def test_the_split_of_a_block_does_not_depend_on_other_rows(gair, table, frame, tmp_path):
    whole, _ = run(gair, table, tmp_path / "s.parquet", "--block", "0.02deg")
    some = tmp_path / "some.csv"
    frame.sample(fraction=0.3, shuffle=True, seed=5).write_csv(some)
    part, _ = run(gair, some, tmp_path / "p.parquet", "--block", "0.02deg")
    both = part.join(whole, on="id", suffix="_whole")
    assert both.height == part.height == 180
    assert both["split"].to_list() == both["split_whole"].to_list()


def test_fractions_are_met_over_many_blocks(gair, table, tmp_path):
    words = ("--block", "100m", "--fractions", "0.5,0.2,0.3")
    found, _ = run(gair, table, tmp_path / "s.parquet", *words)
    by_block = found.group_by("block").first()
    assert by_block.height > 500
    shares = {name: (by_block["split"] == name).mean() for name in SPLITS}
    for name, share in zip(SPLITS, (0.5, 0.2, 0.3), strict=True):
        assert shares[name] == pytest.approx(share, abs=4 * np.sqrt(share / by_block.height))


def test_a_column_names_the_blocks_and_rows_without_one_are_set_aside(gair, frame, tmp_path):
    path, out = tmp_path / "t.csv", tmp_path / "s.parquet"
    hole = pl.when(pl.col("id") == "0003").then(None).otherwise(pl.col("city"))
    frame.with_columns(hole.alias("city")).write_csv(path)
    result = gair("split", path, "--block", "column:city", "-o", out)
    assert result.exit_code == 5, result.stderr
    assert "1 bad row set aside" in result.stderr
    assert "row 3: no block in the block column" in result.stderr
    found = pl.read_parquet(out)
    assert found.group_by("block").agg(pl.col("split").n_unique())["split"].to_list() == [1, 1, 1]
    assert found["block"].unique().sort().to_list() == ["Berlin", "Labasa", "Santiago"]
    aside = pl.read_parquet(tmp_path / "s.rejected.parquet")
    assert aside.select("id", "row", "reason").rows() == [
        ("0003", 3, "no block in the block column")
    ]


def test_k_means_gives_compact_blocks_in_any_order(gair, table, frame, tmp_path):
    found, _ = run(gair, table, tmp_path / "s.parquet", "--block", "kmeans:9")
    assert found["block"].n_unique() == 9
    shuffled = tmp_path / "t.csv"
    frame.sample(fraction=1, shuffle=True, seed=1).write_csv(shuffled)
    again, _ = run(gair, shuffled, tmp_path / "t.parquet", "--block", "kmeans:9")
    both = found.join(again, on="id", suffix="_again")
    assert both["block"].to_list() == both["block_again"].to_list()
    # every place is in the block of the nearest centre, across the antimeridian too
    centres = [name.split("_") for name in found["block"].unique().sort()]
    places = np.array([[float(lon), float(lat)] for lat, lon in centres])
    away = distance(lonlat_of(found), places)
    names = found["block"].unique().sort().to_list()
    own = away[np.arange(600), [names.index(name) for name in found["block"]]]
    assert (own <= away.min(axis=1) * 1.01).all()  # centres are names to 5 digits, on a sphere
    assert own.max() < 25_000  # no centre lies between the cities


@pytest.mark.parametrize("buffer_m", [300.0, 2000.0])
def test_a_buffer_keeps_splits_apart_and_takes_no_more_than_it_must(
    gair, table, frame, tmp_path, buffer_m
):
    plain, _ = run(gair, table, tmp_path / "p.parquet", "--block", "1km")
    found, result = run(gair, table, tmp_path / "s.parquet", "--block", "1km", "--buffer", buffer_m)
    kept = set(found["id"])
    wanted = {}
    for weak, stronger in (("test", ()), ("val", ("test",)), ("train", ("val", "test"))):
        rows = plain.filter(pl.col("split") == weak)
        near = np.zeros(rows.height, bool)
        for strong in stronger:
            near |= distance(lonlat_of(rows), wanted[strong]).min(axis=1) < buffer_m
        wanted[weak] = lonlat_of(rows)[~near]
        assert set(rows.filter(pl.Series(~near))["id"]) == kept & set(rows["id"]), weak
    aside = pl.read_parquet(tmp_path / "s.rejected.parquet")
    assert aside.height == frame.height - found.height > 0
    assert aside["reason"].unique().to_list() == ["closer to another split than the buffer"]
    assert f"left out: {aside.height} rows closer than" in result.stderr


def test_the_report_tells_shares_blocks_and_the_least_distances(gair, table, tmp_path):
    report, picture = tmp_path / "report.json", tmp_path / "map.png"
    words = ("--block", "1km", "--report", report, "--map", picture, "--json")
    found, result = run(gair, table, tmp_path / "s.parquet", *words)
    told = json.loads(report.read_text())
    assert told == json.loads(result.stdout)
    for name in SPLITS:
        rows = found.filter(pl.col("split") == name)
        blocks = rows["block"].n_unique()
        wanted = {"rows": rows.height, "share": rows.height / 600, "blocks": blocks}
        assert told["splits"][name] == pytest.approx(wanted)
    for one, other in itertools.combinations(SPLITS, 2):
        places = [lonlat_of(found.filter(pl.col("split") == name)) for name in (one, other)]
        least = told["least_distance_m"][f"{one}-{other}"]
        assert least == pytest.approx(distance(*places).min(), rel=1e-3)
    with Image.open(picture) as image:
        assert image.format == "PNG"
        colours = image.convert("RGB").getcolors(10**6)
    drawn = {colour for _, colour in colours}
    assert {(0x8F, 0xB7, 0xD8), (0xF2, 0xA3, 0x3A), (0xC8, 0x32, 0x4A)} <= drawn


def test_geoparquet_keeps_its_geometry_and_older_splits_get_another_name(gair, frame, tmp_path):
    path, out = tmp_path / "t.parquet", tmp_path / "s.parquet"
    points = with_points(frame, lonlat_of(frame)).with_columns(pl.lit("mine").alias("split"))
    points.write_parquet(path, metadata={"geo": points_metadata(points)})
    found, _ = run(gair, path, out)
    assert found["input_split"].unique().to_list() == ["mine"]
    assert set(found["split"]) <= set(SPLITS)
    assert found["geometry"].to_list() == points["geometry"].to_list()
    texts = pq.read_schema(out).metadata
    assert texts[b"geo"].decode() == points_metadata(points)
    assert json.loads(texts[b"gair"])["block"] == "0.1deg"


def test_every_format_goes_in_and_out_of_a_pipe(gair, table, frame):
    data = table.read_bytes()
    csv = gair("split", "-", "-f", "csv", stdin=data)
    assert csv.exit_code == 0, csv.stderr
    found = pl.read_csv(csv.stdout_bytes, infer_schema=False)
    assert found["id"].to_list() == frame["id"].to_list()
    arrow = gair("split", table)
    rows = pa.ipc.open_stream(io.BytesIO(arrow.stdout_bytes)).read_all()
    assert rows["split"].to_pylist() == found["split"].to_list()
    lines = gair("split", "-", "-f", "geojsonl", stdin=arrow.stdout_bytes).stdout.splitlines()
    first = json.loads(lines[0])
    assert first["geometry"]["coordinates"] == [frame["lon"][0], frame["lat"][0]]
    assert first["properties"]["split"] == found["split"][0]
    again = gair("split", "-", "-f", "csv", stdin="\n".join(lines).encode())
    assert pl.read_csv(again.stdout_bytes)["split"].to_list() == found["split"].to_list()


def test_bad_rows_are_set_aside_and_the_exit_code_tells(gair, frame, tmp_path):
    path, out = tmp_path / "t.csv", tmp_path / "s.parquet"
    lines = frame.write_csv().splitlines()
    lines[5] = "0004,,52.4,Berlin,1.0"
    lines[9] = "0008,13.1,95,Berlin,1.0"
    path.write_text("\n".join(lines))
    result = gair("split", path, "-o", out)
    assert result.exit_code == 5
    assert "2 bad rows set aside" in result.stderr
    assert pl.read_parquet(out).height == 598
    aside = pl.read_parquet(tmp_path / "s.rejected.parquet")
    assert aside.select("row", "reason").rows() == [
        (4, "no coordinates"), (8, "latitude beyond 90")
    ]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "said"), [
    (("--block", "wide"), 2, "'wide' is no block size"),
    (("--block", "kmeans:1"), 2, "no number of blocks"),
    (("--block", "kmeans:5000"), 2, "needs 5000 different places; there are 600"),
    (("--block", "column:town"), 4, "has no such column"),
    (("--fractions", "0.8,0.1"), 2, "is not three numbers"),
    (("--fractions", "0.8,0.1,0.2"), 2, "add up to 1"),
    (("--buffer", "-3"), 2, "--buffer"),
    (("--map", "map.jpg"), 2, "the map is a PNG"),
])  # fmt: skip
def test_what_cannot_be_asked_for_is_said_in_one_line(gair, table, tmp_path, words, code, said):
    out = tmp_path / "s.parquet"
    result = gair("split", table, "-o", out, *words)
    assert result.exit_code == code, result.stderr
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_does_nothing_and_another_one_is_refused(gair, table, tmp_path):
    out = tmp_path / "s.parquet"
    run(gair, table, out)
    assert "nothing to do" in run(gair, table, out)[1].stderr
    other = gair("split", table, "-o", out, "--seed", 9)
    assert other.exit_code == 3 or "exists already" in other.stderr
    assert run(gair, table, out, "--seed", 9, "--overwrite")[0].height == 600
    mapped = run(gair, table, out, "--seed", 9, "--map", tmp_path / "m.png")[1]
    assert "(map)" in mapped.stderr  # what was not drawn yet


def test_a_dry_run_tells_the_report_and_writes_nothing(gair, table, tmp_path):
    out = tmp_path / "s.parquet"
    result = gair("split", table, "-o", out, "-n", "--block", "1km")
    assert result.exit_code == 0
    assert "least distance: train and val" in result.stderr
    assert not out.exists()


def test_empty_splits_are_warned_of(gair, table, tmp_path):
    _, result = run(gair, table, tmp_path / "s.parquet", "--block", "90deg")
    assert "leave no row for" in result.stderr


def test_real_tables_are_split(gair, shared_data, tmp_path):
    found, result = run(
        gair, shared_data / "photos" / "photos.csv", tmp_path / "s.parquet", "--block", "1deg"
    )
    assert found.height == 63
    assert "63 rows in" in result.stderr
