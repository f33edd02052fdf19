"""What a file or folder of gair is, told by its own words and never by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias

from gair_cli.errors import InputError
from gair_cli.geo.frames import read_frame

if TYPE_CHECKING:
    from pathlib import Path

Kind: TypeAlias = Literal["tile set", "training shards", "model", "pair table", "embedding table"]

_DATASETS: dict[str, Kind] = {"tiles": "tile set", "training shards": "training shards"}
_WANTED = "a tile set, pair table, training shards, embedding file, model or run folder"


def kind_of(path: Path) -> Kind:
    """Tell what a path is.

    Raises:
        InputError: If nothing is there, or it is nothing that gair writes.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", hint="check the path")
    return _folder_kind(path) if path.is_dir() else _file_kind(path)


def _folder_kind(path: Path) -> Kind:
    dataset = path / "dataset.json"
    if dataset.is_file():
        try:
            content = json.loads(dataset.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{dataset} is no JSON: {error}") from error
        found = _DATASETS.get(str(content.get("kind"))) if isinstance(content, dict) else None
        if found is not None:
            return found
    if (path / "model.safetensors").is_file() or (path / "checkpoints").is_dir():
        return "model"
    raise InputError(f"{path} is not recognised", hint=f"give {_WANTED}")


def _file_kind(path: Path) -> Kind:
    if path.suffix == ".npy":
        return "embedding table"
    columns = set(read_frame(path).columns)
    if {"sample_id", "tile_id", "x", "y"} <= columns:
        return "pair table"
    if "embedding" in columns or "e0" in columns:
        return "embedding table"
    raise InputError(
        f"{path} is neither a pair table nor an embedding table", hint=f"give {_WANTED}"
    )
