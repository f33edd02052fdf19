"""`gair pair` on tables as people have them: odd ones are read, bad ones end in one clear line."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from made_tiles import at_metres, grid, write_tile_set


@pytest.fixture
def tiles(tmp_path):
    return write_tile_set(tmp_path / "tiles", grid(8, 8))


@pytest.fixture
def run(gair, tmp_path, tiles):
    """Write bytes as a table and pair them."""

    def pair(data, name="photos.csv", *words):
        (tmp_path / name).write_bytes(data)
        output = tmp_path / "pairs.parquet"
        return gair("pair", tmp_path / name, "--tiles", tiles, "-o", output, *words)

    return pair


def rows(count=60, seed=0):
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, 7680, (2, count))
    lonlat = at_metres(385_920.0 + x, 5_820_480.0 - y)
    return [(f"p{number}", *place) for number, place in enumerate(lonlat.tolist())]


def csv(lines, *, header="id,lon,lat", separator=","):
    texts = [separator.join(str(value) for value in line) for line in lines]
    return "\n".join([header, *texts, ""]).encode()


def refused(result, code, *words):
    """One error line, one hint, the words, nothing written."""
    assert result.exit_code == code, result.stderr
    lines = result.stderr.splitlines()
    assert sum(line.startswith("gair: error: ") for line in lines) == 1
    assert sum(line.startswith("hint: ") for line in lines) == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def written(tmp_path):
    return sorted(path.name for path in tmp_path.glob("pairs*"))


def test_a_byte_order_mark_is_no_part_of_a_name(run, tmp_path):
    assert run(b"\xef\xbb\xbf" + csv(rows())).exit_code == 0
    assert pl.read_parquet(tmp_path / "pairs.parquet").height == 60


def test_semicolons_and_decimal_commas_are_understood(run, tmp_path):
    lines = [(name, str(lon).replace(".", ","), str(lat).replace(".", ","))
             for name, lon, lat in rows()]  # fmt: skip
    assert run(csv(lines, header="id;lon;lat", separator=";")).exit_code == 0
    assert pl.read_parquet(tmp_path / "pairs.parquet").height == 60


def test_values_that_are_no_numbers_are_set_aside(run, tmp_path):
    lines = rows()
    lines[3] = ("p3", "NaN", 52.5)
    lines[4] = ("p4", "", 52.5)
    lines[5] = ("p5", 13.3, "n/a")
    lines[6] = ("p6", 13.3, "inf")
    lines[7] = ("p7", 200.0, 52.5)
    result = run(csv(lines))
    assert result.exit_code == 5
    aside = pl.read_parquet(tmp_path / "pairs.rejected.parquet")
    assert dict(aside.select("photo_id", "reason").rows()) == {
        "p3": "no coordinates",
        "p4": "no coordinates",
        "p5": "no coordinates",
        "p6": "no coordinates",
        "p7": "longitude beyond 180",
    }
    assert pl.read_parquet(tmp_path / "pairs.parquet").height == 55


def test_swapped_columns_are_named_with_the_share_of_points(run, tmp_path):
    lines = [(name, lat, lon) for name, lon, lat in rows()]
    refused(run(csv(lines)), 4, "100%", "swapped", "--lon-column")
    assert not written(tmp_path)


def test_projected_coordinates_are_not_taken_for_degrees(run, tmp_path):
    lines = [(f"p{number}", 386_000 + number, 5_820_000) for number in range(20)]
    refused(run(csv(lines)), 4, "beyond 90", "row 0", "--crs")
    assert not written(tmp_path)
    result = run(csv(lines), "photos.csv", "--crs", "EPSG:32633")
    assert result.exit_code == 0, result.stderr
    assert pl.read_parquet(tmp_path / "pairs.parquet").height == 20


def test_missing_columns_list_what_is_there(run):
    refused(run(csv(rows(), header="id,lon,height")), 4, "id, lon, height", "--lat-column")
    refused(run(csv(rows(), header="name,lon,lat")), 4, "name, lon, lat", "--id-column")
    refused(run(csv(rows()), "photos.csv", "--lat-column", "y"), 4, "--lat-column y", "id, lon")


def test_empty_tables_say_so(run, tmp_path):
    refused(run(b""), 3, "0 bytes")
    refused(run(b"id,lon,lat\n"), 4, "no rows")
    empty = io.BytesIO()
    pl.DataFrame(schema={"id": pl.String, "lon": pl.Float64, "lat": pl.Float64}).write_parquet(
        empty
    )
    refused(run(empty.getvalue(), "photos.parquet"), 4, "no rows")
    assert not written(tmp_path)


def test_ids_of_mixed_types_stay_text(run, tmp_path):
    lines = rows(4)
    names = ["007", "7", "7.0", "x"]
    lines = [(name, *line[1:]) for name, line in zip(names, lines, strict=True)]
    assert run(csv(lines)).exit_code == 0
    assert pl.read_parquet(tmp_path / "pairs.parquet")["photo_id"].to_list() == names


def test_a_column_whose_type_changes_in_the_middle_is_text(run, tmp_path):
    count = 60_000  # more than one batch
    lines = [(f"p{n}", 13.32, 52.5, n if n < count - 1 else "last") for n in range(count)]
    result = run(csv(lines, header="id,lon,lat,rank"))
    assert result.exit_code == 0, result.stderr
    ranks = pl.read_parquet(tmp_path / "pairs.parquet")["rank"]
    assert (ranks[0], ranks[-1]) == ("0", "last")


def test_numbers_as_text_in_parquet_are_read(run, tmp_path):
    frame = pl.DataFrame(rows(), schema=["id", "lon", "lat"], orient="row")
    data = io.BytesIO()
    frame.with_columns(pl.col("lon", "lat").cast(pl.String)).write_parquet(data)
    assert run(data.getvalue(), "photos.parquet").exit_code == 0
    assert pl.read_parquet(tmp_path / "pairs.parquet").height == 60


def test_a_row_without_an_id_is_named(run):
    lines = rows()
    lines[33] = ("", *lines[33][1:])
    refused(run(csv(lines)), 4, "row 33", "no photo id")
    data = io.BytesIO()
    frame = pl.DataFrame(lines, schema=["id", "lon", "lat"], orient="row")
    frame.with_columns(pl.col("id").replace("", None)).write_parquet(data)
    refused(run(data.getvalue(), "photos.parquet"), 4, "row 33", "no photo id")


def test_damaged_files_are_no_tables(run, tmp_path):
    data = io.BytesIO()
    pl.DataFrame(rows(), schema=["id", "lon", "lat"], orient="row").write_parquet(data)
    whole = data.getvalue()
    refused(run(whole[:-30], "photos.parquet"), 3, "photos.parquet")
    refused(run(whole[:40] + b"\xff" * 60 + whole[100:], "photos.parquet"), 3, "photos.parquet")
    refused(run(b"PAR1" + bytes(100) + b"PAR1", "photos.parquet"), 3, "photos.parquet")
    refused(run(b"\x00\x01\x02" * 100), 4, "photos.csv")
    assert not written(tmp_path)


def varint(number):
    out = bytearray()
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


def test_a_footer_that_claims_a_billion_rows_costs_no_memory(run, tmp_path):
    count = 8191  # its varint in the footer, zigzag: fe 7f
    data = io.BytesIO()
    frame = pl.DataFrame(rows(count), schema=["id", "lon", "lat"], orient="row")
    frame.write_parquet(data, statistics=False)
    whole = data.getvalue()
    length = int.from_bytes(whole[-8:-4], "little")
    footer = whole[-8 - length : -8]
    assert varint(2 * count) in footer
    lying = footer.replace(varint(2 * count), varint(2 * 10**9))
    result = run(
        whole[: -8 - length] + lying + len(lying).to_bytes(4, "little") + b"PAR1", "photos.parquet"
    )
    refused(result, 3, "photos.parquet")
    assert not written(tmp_path)


def test_an_arrow_stream_that_ends_early_is_said_so(gair, tiles):
    frame = pl.DataFrame(rows(5000), schema=["id", "lon", "lat"], orient="row")
    stream = io.BytesIO()
    frame.write_ipc_stream(stream)
    result = gair("pair", "-", "--tiles", tiles, "-f", "csv", stdin=stream.getvalue()[:-4000])
    refused(result, 3, "standard input")


def test_a_closed_pipe_ends_quietly(tmp_path, tiles):
    (tmp_path / "photos.csv").write_bytes(csv(rows(30_000)))
    words = f"{sys.executable} -m gair_cli pair {tmp_path}/photos.csv --tiles {tiles} -f csv"
    shell = f"set -o pipefail; {words} | head -n 3"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 3
    assert "Traceback" not in done.stderr


def test_the_number_of_threads_changes_no_byte(tmp_path, tiles):
    frame = pl.DataFrame(rows(200_000), schema=["id", "lon", "lat"], orient="row")
    frame.write_parquet(tmp_path / "photos.parquet")
    outputs = []
    for threads in ("1", "3"):
        output = tmp_path / f"pairs-{threads}.parquet"
        words = [sys.executable, "-m", "gair_cli", "pair", tmp_path / "photos.parquet", "--tiles",
                 tiles, "--max-photos", "500", "-o", output]  # fmt: skip
        subprocess.run(words, check=True, capture_output=True, env={"RAYON_NUM_THREADS": threads})
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1]
