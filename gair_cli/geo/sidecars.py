"""Files beside photos that tell where they were taken: of mapillary_tools, tables and GeoJSON.

What a sidecar says of a photo comes before what the photo's own header says.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from gair_cli.errors import DataError, InputError
from gair_cli.geo import columns as names_of
from gair_cli.geo.columns import ColumnNames, find_column, find_lonlat
from gair_cli.geo.frames import read_source
from gair_cli.geo.photos import with_heading_from_extra
from gair_cli.geo.tables import PHOTO_FLOATS, as_utc, read_lonlat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAPILLARY: Final = "mapillary_image_description.json"
"""What `mapillary_tools process` writes beside photos."""
_MAPILLARY_TIME: Final = "%Y_%m_%d_%H_%M_%S_%3f"
_VALUES: Final[dict[str, Any]] = {
    "lon": pl.Float64,
    "lat": pl.Float64,
    "heading": pl.Float32,
    "pitch": pl.Float32,
    "fov": pl.Float32,
    "captured_at": pl.Datetime("ms", "UTC"),
    "h_accuracy_m": pl.Float32,
    "altitude": pl.Float32,
    "sequence_id": pl.String,
    "source": pl.String,
    "licence": pl.String,
    "panorama": pl.Boolean,
}
"""What a sidecar may say of a photo."""
_PANORAMA: Final = ("panorama", "is_pano", "is_panorama")
_TRUE: Final = ("1", "true", "t", "yes", "spherical", "equirectangular", "360")


def find_sidecars(folder: Path) -> list[Path]:
    """Return the sidecars with a known name in a folder and its folders."""
    return sorted(folder.rglob(MAPILLARY))


def read_sidecar(path: Path, names: ColumnNames) -> pl.DataFrame:
    """Read what a sidecar says.

    Args:
        path: JSON of mapillary_tools, or a table: CSV, Parquet, GeoJSON.
        names: The user's column names, for tables.

    Returns:
        `file` (as the sidecar names the photo) and the columns of `_VALUES`, null where it says
        nothing; one row a photo.

    Raises:
        InputError: If it is missing or unreadable.
        DataError: If it names no photos, or one twice with different values.
    """
    frame = _read_mapillary(path) if path.suffix.lower() == ".json" else None
    if frame is None:
        frame = _read_table(path, names)
    frame = frame.unique(maintain_order=True)
    repeated = frame.filter(pl.col("file").is_duplicated())
    if repeated.height:
        raise DataError(
            f"{path} names {repeated['file'][0]} twice, with different values",
            hint="keep one row a photo",
        )
    return frame


def _read_mapillary(path: Path) -> pl.DataFrame | None:
    """Return the descriptions of mapillary_tools; None where a JSON file is something else."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", hint="check --sidecar") from error
    except ValueError:
        return None  # GeoJSON may be one object a line
    if not isinstance(content, list):
        return None
    found = [item for item in content if isinstance(item, dict)]
    rows = [row for row in map(_description, found) if row is not None]
    if content and not rows:
        raise DataError(f"{path} describes no photos", hint="is it of mapillary_tools?")
    return pl.DataFrame(rows, schema={"file": pl.String, **_VALUES})


def _description(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return one photo's values; none of those that mapillary_tools refused."""
    name = item.get("filename") or item.get("MAPFilename")
    if not isinstance(name, str) or item.get("filetype") == "video":
        return None
    row: dict[str, Any] = {"file": name, **dict.fromkeys(_VALUES)}
    if "error" in item:
        return row
    compass = item.get("MAPCompassHeading")
    heading = compass.get("TrueHeading") if isinstance(compass, dict) else None
    time = item.get("MAPCaptureTime")
    sequence = item.get("MAPSequenceUUID")
    return row | {
        "lon": _number(item.get("MAPLongitude")),
        "lat": _number(item.get("MAPLatitude")),
        "heading": _turned(_number(heading)),
        "altitude": _number(item.get("MAPAltitude")),
        "h_accuracy_m": _number(item.get("MAPGPSAccuracyMeters")),
        "captured_at": _mapillary_time(time) if isinstance(time, str) else None,
        "sequence_id": None if sequence is None else str(sequence),
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _turned(heading: float | None) -> float | None:
    return None if heading is None else heading % 360.0


def _mapillary_time(text: str) -> Any:
    return pl.Series([text]).str.to_datetime(
        _MAPILLARY_TIME, time_unit="ms", time_zone="UTC", strict=False
    )[0]


def _read_table(path: Path, names: ColumnNames) -> pl.DataFrame:
    table = read_source(path)
    frame = table.frame
    columns = frame.columns
    file = find_column(columns, names_of.PATH, given=names.path, flag="--path-column")
    file = file or find_column(columns, names_of.ID, given=names.id, flag="--id-column")
    if file is None:
        raise DataError(
            f"{path} has no column that names photos among {', '.join(columns)}",
            hint="pass --path-column",
        )
    values: dict[str, pl.Series] = {"file": frame[file].cast(pl.String)}
    has_place = find_lonlat(columns, names, planar_names=table.format == "csv") is not None
    if has_place or (table.geo is not None and "geometry" in columns):
        lonlat = read_lonlat(table, frame, names)
        values |= {name: pl.Series(lonlat[:, axis]).fill_nan(None)
                   for axis, name in enumerate(("lon", "lat"))}  # fmt: skip
    values |= _told(with_heading_from_extra(frame), names)
    found = pl.DataFrame([series.alias(name) for name, series in values.items()])
    missing = [pl.lit(None, kind).alias(name) for name, kind in _VALUES.items()
               if name not in values]  # fmt: skip
    found = found.with_columns(missing).select("file", *_VALUES).cast(_VALUES, strict=False)  # type: ignore[arg-type]
    return found.filter(pl.col("file").is_not_null())


def _told(frame: pl.DataFrame, names: ColumnNames) -> dict[str, pl.Series]:
    """Return the other values of a table."""
    columns = frame.columns
    values = {}
    heading = find_column(columns, names_of.HEADING, given=names.heading, flag="--heading-column")
    if heading is not None:
        values["heading"] = frame[heading].cast(pl.Float64, strict=False) % 360.0
    for name in PHOTO_FLOATS:
        if name in columns:
            values[name] = frame[name].cast(pl.Float32, strict=False)
    for name in ("sequence_id", "source", "licence"):
        if name in columns:
            values[name] = frame[name].cast(pl.String)
    if "captured_at" in columns:
        values["captured_at"] = as_utc(frame["captured_at"])
    panorama = next((name for name in _PANORAMA if name in columns), None)
    if panorama is not None:
        texts = frame[panorama].cast(pl.String).str.to_lowercase().str.strip_chars()
        values["panorama"] = texts.is_in(list(_TRUE))
    return values


def matched(files: Sequence[Path], sidecar: Path, names: Sequence[str]) -> list[int | None]:
    """Find the row of a sidecar for each photo.

    Args:
        files: The photos, absolute.
        sidecar: The file whose rows name photos; relative names start from its folder.
        names: What its rows call the photos: a path, a file name, or a file name without ending.

    Returns:
        A row number for each photo, None where none names it. A path is looked for first, then the
        file name alone, then the name without its ending; a name of several photos fits none.
    """
    folder = sidecar.absolute().parent
    rows = {str(_plain(folder, name)): row for row, name in enumerate(names)}
    found = [rows.get(str(path)) for path in files]
    for key in (_file_name, _stem):
        left = [number for number, row in enumerate(found) if row is None]
        taken = set(found)
        free = _single({row: key(name) for row, name in enumerate(names) if row not in taken})
        wanted = _single({number: key(files[number].name) for number in left})
        for name, number in wanted.items():
            found[number] = free.get(name)
    return found


def _plain(folder: Path, name: str) -> Path:
    return folder / name.replace("\\", "/").removeprefix("./")


def _file_name(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _stem(name: str) -> str:
    plain = _file_name(name)
    return plain.rsplit(".", 1)[0] if "." in plain else plain


def _single(names: dict[int, str]) -> dict[str, int]:
    """Return the number of each name that occurs once."""
    found: dict[str, int | None] = {}
    for number, name in names.items():
        found[name] = None if name in found else number
    return {name: number for name, number in found.items() if number is not None}


def with_sidecar(
    photos: pl.DataFrame, rows: Sequence[int | None], told: pl.DataFrame
) -> pl.DataFrame:
    """Return photos with what a sidecar says of them in place of what they say themselves.

    Args:
        photos: One row a photo, with the columns of `_VALUES`.
        rows: The sidecar's row of each photo, or None.
        told: What `read_sidecar` returned.
    """
    wanted = pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32)})
    values = wanted.join(told.with_row_index("row"), on="row", how="left", maintain_order="left")
    both = [pl.coalesce(values[name], pl.col(name)).alias(name) for name in _VALUES
            if name not in {"lon", "lat"}]  # fmt: skip
    placed = values["lon"].is_not_null() & values["lat"].is_not_null()
    points = [pl.when(placed).then(values[name]).otherwise(pl.col(name)).alias(name)
              for name in ("lon", "lat")]  # fmt: skip
    fault = pl.when(placed).then(None).otherwise(pl.col("fault")).alias("fault")
    return photos.with_columns(*both, *points, fault)
