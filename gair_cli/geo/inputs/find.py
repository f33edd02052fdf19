"""Which scenes the words on the command line mean: paths, addresses, patterns, lists."""

from __future__ import annotations

import glob
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError, UsageError
from gair_cli.geo.inputs.kinds import Kind, kind_of
from gair_cli.geo.inputs.remote import gdal_path, is_virtual, spoken
from gair_cli.geo.inputs.stack import rasters_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Words = Sequence[str | Path]

STDIN: Final = "-"
_LIST: Final = ".txt"
_MAGIC: Final = frozenset("*?[")
_MOST_LIST_BYTES: Final = 256 * 2**20


def inputs_of(words: Words, *, stack: bool) -> list[tuple[str, tuple[str, ...]]]:
    """Return name and files of each scene asked for.

    With `stack`, a folder is one scene, and loose files together are another; folders that are
    products of their own stay what they are.

    Args:
        words: Paths, addresses (`https://`, `s3://`), patterns with `*`, `?` or `[` that no file is
            named as, text files of these, one a line with `#` before comments and relative to the
            file's folder, or `-` for such lines from standard input.
        stack: Whether one-band files belong together.

    Raises:
        InputError: If something is missing, or a pattern or list means nothing.
        UsageError: If a folder is given without `stack`, or nothing at all.
    """
    if not words:
        raise UsageError("no scene was given", hint="gair tile SCENE... -o tiles")
    found = (path for word in words for path in _expanded(str(word)))
    paths = [granule for path in found for granule in _granules(path)]
    if not paths:
        raise InputError(f"{words[0]} lists no scene", hint="write one scene a line")
    kinds = {path: kind_of(path) for path in paths}
    folders = [path for path in paths if kinds[path] is Kind.FOLDER]
    if folders and not stack:
        raise _plain_folder(folders[0])
    if not stack:
        return [(spoken(path), (path,)) for path in paths]
    products = [
        (spoken(path), rasters_in(Path(path)) if kinds[path] in _STACKED else (path,))
        for path in paths
        if kinds[path] is not Kind.RASTER
    ]
    loose = tuple(path for path in paths if kinds[path] is Kind.RASTER)
    return [*products, *([(_folder_of(loose[0]), loose)] if loose else [])]


def _folder_of(file: str) -> str:
    return spoken(file).rpartition("/")[0] or ("/" if file.startswith("/") else ".")


def _granules(path: str) -> list[str]:
    """Return the granules of a Sentinel-2 product that has several: each is a scene."""
    folder = Path(path) / "GRANULE"
    if is_virtual(path) or not folder.is_dir() or kind_of(path) is not Kind.SAFE:
        return [path]
    found = sorted(str(granule) for granule in folder.iterdir() if granule.is_dir())
    return found if len(found) > 1 else [path]


_STACKED: Final = frozenset({Kind.FOLDER, Kind.LANDSAT})


def _plain_folder(folder: str) -> UsageError:
    scenes = sorted(path for path in Path(folder).iterdir() if _is_scene(path))
    hint = "pass --stack if it holds one-band files of one scene"
    if scenes:
        ending = scenes[0].suffix
        pattern = Path(folder) / f"*{ending}"
        hint = f"for its scenes one by one: '{pattern}'; {hint}"
    return UsageError(f"{folder} is a folder, and no product", hint=hint)


def _is_scene(path: Path) -> bool:
    if path.is_dir():
        return kind_of(str(path)) in {Kind.SAFE, Kind.LANDSAT}
    return path.suffix.lower() in {".tif", ".tiff", ".jp2", ".vrt", ".zip"}


def _expanded(word: str) -> Iterator[str]:
    """Yield the scenes that one word means."""
    if word == STDIN:
        yield from _listed(sys.stdin.read(), Path(), "standard input")
        return
    path = gdal_path(word)
    if is_virtual(path):
        yield path
    elif Path(path).suffix.lower() == _LIST and Path(path).is_file() and _is_list(path):
        yield from _listed(_text_of(Path(path)), Path(path).parent, path)
    elif _exists(path):
        yield path
    elif _MAGIC & set(path):
        yield from _matched(path)
    else:
        raise InputError(f"{path} does not exist", hint="check the path")


def _exists(path: str) -> bool:
    """Return whether something is there; what no path can be is not."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _is_list(path: str) -> bool:
    return kind_of(path) is Kind.RASTER


def _text_of(path: Path) -> str:
    size = path.stat().st_size
    if size > _MOST_LIST_BYTES:
        raise InputError(f"{path} has {size} bytes: no list of scenes")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is no text: {error}", hint="lists are UTF-8, one a line"
        ) from error


def _listed(text: str, folder: Path, source: str) -> Iterator[str]:
    """Yield the scenes of a list; one that is missing stays, so that the others go on without it.

    Raises:
        InputError: If the list has no scene.
    """
    lines = [line.strip() for line in text.splitlines()]
    words = [line for line in lines if line and not line.startswith("#")]
    if not words:
        raise InputError(f"{source} lists no scene", hint="write one scene a line")
    for word in words:
        path = gdal_path(word)
        if is_virtual(path) or "\0" in path:
            yield path.replace("\0", "")
            continue
        full = str(folder / path)
        there = _exists(full) or not _MAGIC & set(full)
        yield from [full] if there else _matched(full)


def _matched(pattern: str) -> list[str]:
    """Return the paths that match a pattern, in order.

    Raises:
        InputError: If there is none.
    """
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - keeps the path as given
    if not found:
        raise InputError(f"no file matches {pattern}", hint="check the pattern")
    return found
