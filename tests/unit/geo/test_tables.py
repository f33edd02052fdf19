import json

import numpy as np
import polars as pl
import pytest

from gair_cli.errors import BadRowsError, DataError, InputError
from gair_cli.geo.columns import ColumnNames, find_lonlat
from gair_cli.geo.frames import parse_csv
from gair_cli.geo.tables import (
    as_utc,
    check_bad,
    read_photo_table,
    read_points,
    relative_paths,
)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_ids_stay_text_and_na_is_no_missing_value(tmp_path):
    points = read_points(write(tmp_path / "a.csv", "id,lon,lat,country\n007,1,2,NA\n1.10,3,4,\n"))
    assert points.ids == ["007", "1.10"]
    assert points.frame["country"].to_list() == ["NA", None]
    assert points.lonlat.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_points_without_an_id_column_are_numbered(tmp_path):
    points = read_points(write(tmp_path / "a.csv", "lat,lon\n2,1\n4,3\n"))
    assert points.ids == ["0", "1"]
    assert points.lonlat.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_semicolons_decimal_commas_and_a_byte_order_mark_are_understood():
    frame = parse_csv("\ufeffname;lon;lat\nA;13,5;52,25\n".encode())
    assert frame.to_dicts() == [{"name": "A", "lon": 13.5, "lat": 52.25}]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Lat", "LNG"], ("LNG", "Lat")),
        (["decimalLongitude", "decimalLatitude"], ("decimalLongitude", "decimalLatitude")),
        (["lon_min", "lat_min"], None),
        (["lon", "name"], None),
        (["start_lon", "start_lat"], ("start_lon", "start_lat")),
    ],
)
def test_coordinate_columns_are_found_by_name(columns, expected):
    assert find_lonlat(columns, ColumnNames()) == expected


def test_x_and_y_count_as_coordinates_in_csv_only(tmp_path):
    assert read_points(write(tmp_path / "a.csv", "x,y\n1,2\n")).lonlat.tolist() == [[1.0, 2.0]]
    pl.DataFrame({"x": [1.0], "y": [2.0]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no coordinate columns"):
        read_points(tmp_path / "a.parquet")


def test_bad_rows_are_kept_aside_with_their_reason_and_row(tmp_path):
    rows = ["lon,lat"] + ["1,2"] * 20 + ["abc,2", "1,", "1,91", "181,3", "NaN,1"]
    points = read_points(write(tmp_path / "a.csv", "\n".join(rows)))
    assert len(points.ids) == 20
    assert points.bad.select("row", "reason").rows() == [
        (20, "no coordinates"),
        (21, "no coordinates"),
        (22, "latitude beyond 90"),
        (23, "longitude beyond 180"),
        (24, "no coordinates"),
    ]


def test_more_bad_rows_than_tolerated_stop_at_once(tmp_path):
    rows = ["lon,lat"] + ["1,2"] * 20 + ["abc,2"] * 11
    with pytest.raises(BadRowsError, match="11 of 31"):
        read_points(write(tmp_path / "a.csv", "\n".join(rows)))


def test_tolerance_is_one_percent_but_at_least_ten_rows():
    check_bad(10, 20)
    check_bad(20, 2000)
    with pytest.raises(BadRowsError):
        check_bad(21, 2000)
    with pytest.raises(BadRowsError):
        check_bad(1, 2000, max_bad=0)
    check_bad(1000, 2000, max_bad=0.5)


def test_swapped_columns_are_named_as_such(tmp_path):
    path = write(tmp_path / "a.csv", "lon,lat\n52.4,113.3\n52.5,113.2\n")
    with pytest.raises(DataError, match="beyond 90") as caught:
        read_points(path)
    assert "swapped" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, InputError, "does not exist"),
        ("", InputError, "0 bytes"),
        ("lon,lat\n", DataError, "no rows"),
        ("name\nA\n", DataError, "no coordinate columns"),
    ],
)
def test_unusable_tables_are_refused_with_one_reason(tmp_path, content, error, message):
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=message):
        read_points(path)


def test_geojson_sequences_and_collections_give_the_same_points(tmp_path):
    feature = {
        "type": "Feature",
        "id": 7,
        "geometry": {"type": "Point", "coordinates": [1.5, 2.5]},
        "properties": {"name": "A", "tags": {"a": 1}},
    }
    lines = write(
        tmp_path / "a.geojsonl", "\x1e" + json.dumps(feature) + "\n" + json.dumps(feature)
    )
    whole = write(
        tmp_path / "a.geojson", json.dumps({"type": "FeatureCollection", "features": [feature] * 2})
    )
    for path in (lines, whole):
        points = read_points(path)
        assert points.ids == ["7", "7"]
        assert points.lonlat.tolist() == [[1.5, 2.5], [1.5, 2.5]]


def test_geoparquet_of_geopandas_is_read_in_its_own_crs(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.GeoDataFrame(
        {"name": ["A"]}, geometry=geopandas.points_from_xy([13.4], [52.5]), crs="EPSG:4326"
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_crs("EPSG:32633").to_parquet(tmp_path / "utm.parquet")
    np.testing.assert_allclose(read_points(tmp_path / "a.parquet").lonlat, [[13.4, 52.5]])
    np.testing.assert_allclose(
        read_points(tmp_path / "utm.parquet").lonlat, [[13.4, 52.5]], atol=1e-9
    )


def test_photo_table_has_the_columns_of_the_format_and_keeps_the_users_own(tmp_path):
    path = write(
        tmp_path / "photos.csv",
        "file,Latitude,Longitude,compass_angle,captured_at,weather\n"
        "a/b.jpg,52.5,13.4,90,2024-07-09T13:16:00+02:00,sun\n",
    )
    row = read_photo_table(path).frame.to_dicts()[0]
    assert row["photo_id"] == "a/b.jpg"
    assert row["path"] == str(tmp_path / "a" / "b.jpg")
    assert (row["lon"], row["lat"], row["heading"]) == (13.4, 52.5, 90.0)
    assert row["captured_at"].isoformat() == "2024-07-09T11:16:00+00:00"
    assert row["weather"] == "sun"


def test_equal_rows_with_one_id_count_once_and_different_ones_are_an_error(tmp_path):
    head = "photo_id,path,lon,lat\n"
    same = read_photo_table(write(tmp_path / "a.csv", head + "p,a.jpg,1,2\np,a.jpg,1,2\n"))
    assert same.frame.height == 1
    assert same.duplicates == 1
    with pytest.raises(DataError, match="rows: 0 and 1"):
        read_photo_table(write(tmp_path / "b.csv", head + "p,a.jpg,1,2\np,b.jpg,1,2\n"))


def test_paths_are_rewritten_relative_to_the_new_table(tmp_path):
    paths = [str(tmp_path / "photos" / "a.jpg"), None]
    assert relative_paths(paths, tmp_path) == ["photos/a.jpg", None]
    assert relative_paths(paths, tmp_path / "out") == ["../photos/a.jpg", None]


def test_dates_without_a_zone_are_utc():
    column = as_utc(pl.Series(["2024-07-09T13:16:00Z", "2024-07-09 13:16:00", "soon"]))
    assert [None if d is None else d.hour for d in column] == [13, 13, None]
