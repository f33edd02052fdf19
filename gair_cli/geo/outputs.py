"""Outputs that appear whole or not at all, and work that goes on where it stopped.

A single file is written through `atomic_file`. Long work opens a `Workspace`: a folder
`<output>.partial` beside the output, in which finished parts stay when the command is killed.
The plan (inputs and options) decides what happens to what is there already.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gair_cli import __version__
from gair_cli.errors import InputError, OutputExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WHOLE_HASH_LIMIT = 64 * 2**20
_SAMPLE = 2**20
_TEMPORARY = ".tmp"


def manifest_path(output: Path) -> Path:
    """Return where the side manifest of an output lies: `<output>.gair.json`."""
    return output.with_name(output.name + ".gair.json")


def partial_path(output: Path) -> Path:
    """Return the folder of unfinished work beside an output: `<output>.partial`."""
    return output.with_name(output.name + ".partial")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it is synced and renamed to `path`.

    Args:
        path: The final name; its folder must exist.

    Yields:
        The temporary name to write to. On an error it is removed and `path` stays as it was.

    Raises:
        InputError: If the folder of `path` does not exist.
    """
    if not path.parent.is_dir():
        raise InputError(f"folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_TEMPORARY)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o666 & ~_umask())
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all, with sorted keys and a final newline."""
    with atomic_file(path) as temporary:
        temporary.write_text(_dump(content, indent=2) + "\n", encoding="utf-8")


def _dump(content: Mapping[str, Any], *, indent: int | None = None) -> str:
    return json.dumps(content, sort_keys=True, indent=indent, default=str, ensure_ascii=False)


def fingerprint(path: Path) -> str:
    """Return a hash that changes when an input does; dates and places do not count.

    Files up to 64 MiB are hashed whole; of larger ones the size, the first and the last MiB. A
    folder counts by its `dataset.json`, `model.safetensors` with `config.json`, or else by the
    names, sizes and hashes of its files.

    Args:
        path: A file or folder.

    Returns:
        32 hexadecimal digits.

    Raises:
        InputError: If nothing is there, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", hint="check the path")
    digest = hashlib.blake2b(digest_size=16)
    for file in _identifying_files(path):
        digest.update(str(file.relative_to(path)).encode() + b"\0")
        _hash_file(file, digest)
    return digest.hexdigest()


def _identifying_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for names in (("dataset.json",), ("model.safetensors", "config.json")):
        files = [path / name for name in names]
        if all(file.is_file() for file in files):
            return files
    return sorted(file for file in path.rglob("*") if file.is_file())


def _hash_file(path: Path, digest: hashlib.blake2b) -> None:
    size = path.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    try:
        with path.open("rb") as file:
            if size <= _WHOLE_HASH_LIMIT:
                while chunk := file.read(_SAMPLE):
                    digest.update(chunk)
                return
            digest.update(file.read(_SAMPLE))
            file.seek(-_SAMPLE, os.SEEK_END)
            digest.update(file.read(_SAMPLE))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def plan_hash(plan: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits for a plan: the inputs' fingerprints and all options."""
    return hashlib.blake2b(_dump(plan).encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Workspace:
    """Unfinished work of one output: finished parts survive a kill.

    Attributes:
        output: The final file or folder.
        folder: `<output>.partial`, where parts are written.
        plan_hash: Hash of inputs and options.
        status: `new`, `resumed` (some parts were kept) or `finished` (nothing to do).
        kept: Names of the parts that an earlier run finished.
    """

    output: Path
    folder: Path
    plan_hash: str
    status: Literal["new", "resumed", "finished"]
    kept: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Tell whether a part is finished."""
        return (self.folder / name).exists()

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """Yield a temporary name for a part; on success it counts as finished."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            yield temporary

    def finish_folder(self, manifest: Mapping[str, Any]) -> None:
        """Make the folder of parts the output, and write the side manifest."""
        self._publish(self.folder, manifest)
        (self.output / "plan.json").unlink()

    def finish_file(self, name: str, manifest: Mapping[str, Any]) -> None:
        """Make one part the output, write the side manifest, remove the other parts."""
        sync(self.folder / name)
        self._publish(self.folder / name, manifest)
        shutil.rmtree(self.folder)

    def _publish(self, source: Path, manifest: Mapping[str, Any]) -> None:
        """Write the manifest first: an output without one would count as foreign."""
        retired = _retired_path(self.output)
        if self.output.exists():
            _remove(retired)
            self.output.rename(retired)
        _write_manifest(self.output, manifest, self.plan_hash)
        source.rename(self.output)
        sync(self.output.absolute().parent)
        _remove(retired)


def _retired_path(output: Path) -> Path:
    return output.with_name(f".{output.name}.old{_TEMPORARY}")


def recover(output: Path) -> None:
    """Put the old output back if a kill came between setting it aside and naming the new one.

    The manifest may speak of the new one already: then it is removed, and the old output counts
    as one without a manifest. The unfinished work beside it stays.
    """
    retired = _retired_path(output)
    if output.exists() or not retired.exists():
        return
    if _finished_plan(output) == _plan_of(partial_path(output) / "plan.json"):
        manifest_path(output).unlink(missing_ok=True)
    retired.rename(output)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def open_workspace(
    output: Path, plan: Mapping[str, Any], *, overwrite: bool = False, extends: bool = False
) -> Workspace:
    """Decide what to do with what is at `output`, and open the folder of parts.

    Args:
        output: The final file or folder.
        plan: Inputs (as fingerprints) and options; equal plans give equal bytes.
        overwrite: Replace another plan's output or a foreign file. The old output stays until
            the new one is whole.
        extends: The plan builds on what is at `output`, which may be replaced by the result;
            unfinished work of another plan is still refused.

    Returns:
        The workspace; with status `finished` the output is there already and its folder is not.

    Raises:
        OutputExistsError: If the output, or unfinished work beside it, belongs to another plan
            or is foreign, and `overwrite` is off.
        InputError: If the folder that holds `output` does not exist.
    """
    if not output.absolute().parent.is_dir():
        raise InputError(f"folder {output.parent} does not exist", hint=f"mkdir -p {output.parent}")
    digest = plan_hash(plan)
    folder = partial_path(output)
    recover(output)
    if output.exists():
        if _finished_plan(output) == digest:
            _clear_leftovers(output, folder)
            return Workspace(output, folder, digest, "finished")
        if not (overwrite or extends):
            raise _exists(output, "from other inputs or options, or not made by gair")
    _discard_other(folder, digest, overwrite=overwrite)
    return _open_folder(output, folder, digest)


def already_made(output: Path, plan: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Tell whether a file made in one go is there from the same plan.

    Raises:
        OutputExistsError: If something else is there and `overwrite` is off.
    """
    if not output.exists():
        return False
    if _finished_plan(output) == plan_hash(plan):
        return True
    if not overwrite:
        raise _exists(output, "from other inputs or options, or not made by gair")
    return False


def record_made(output: Path, plan: Mapping[str, Any]) -> None:
    """Write the side manifest of a file that was made in one go."""
    _write_manifest(output, {}, plan_hash(plan))


def _write_manifest(output: Path, content: Mapping[str, Any], digest: str) -> None:
    """Write what must not stand inside data files: command line, time, host, place."""
    facts = {
        "version": __version__,
        "argv": sys.argv[1:],
        "finished_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "output": str(output.absolute()),
    }
    write_json(manifest_path(output), {**facts, **content, "plan_hash": digest})


def refuse_foreign(beside: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse to write a second file beside an output over one that is not of an earlier run.

    Args:
        beside: The second file, such as the table of rejected rows.
        output: The output; its manifest, or its unfinished work, tells of an earlier run.
        overwrite: Replace it all the same.

    Raises:
        OutputExistsError: If it is there and of no earlier run.
    """
    known = manifest_path(output).exists() or partial_path(output).exists()
    if beside.exists() and not (known or overwrite):
        raise _exists(beside, "not made by an earlier run of this output")


def _clear_leftovers(output: Path, folder: Path) -> None:
    """Remove what a kill between the last renames may have left."""
    _remove(_retired_path(output))
    if output.is_dir():
        (output / "plan.json").unlink(missing_ok=True)
    if folder.is_dir() and _plan_of(folder / "plan.json") == _finished_plan(output):
        shutil.rmtree(folder)


def _finished_plan(output: Path) -> str | None:
    try:
        content = json.loads(manifest_path(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = content.get("plan_hash") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def _open_folder(output: Path, folder: Path, digest: str) -> Workspace:
    kept = _sweep(folder)
    if not folder.exists():
        folder.mkdir()
        write_json(folder / "plan.json", {"plan_hash": digest})
    return Workspace(output, folder, digest, "resumed" if kept else "new", kept)


def _discard_other(folder: Path, digest: str, *, overwrite: bool) -> None:
    """Remove unfinished work of another plan if told to, and empty left-overs in any case.

    Raises:
        OutputExistsError: If it holds something and `overwrite` is off.
    """
    if not folder.exists() or _plan_of(folder / "plan.json") == digest:
        return
    if not overwrite and any(_is_work(path) for path in folder.rglob("*")):
        raise _exists(folder, "unfinished work with other inputs or options")
    _remove(folder)


def _is_work(path: Path) -> bool:
    return path.is_file() and path.name != "plan.json" and not path.name.endswith(_TEMPORARY)


def _plan_of(plan_file: Path) -> str | None:
    try:
        found = json.loads(plan_file.read_text(encoding="utf-8")).get("plan_hash")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _sweep(folder: Path) -> list[str]:
    """Remove half-written files and list the finished parts."""
    kept = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.endswith(_TEMPORARY):
            path.unlink()
        elif path.is_file() and path.name != "plan.json":
            kept.append(str(path.relative_to(folder)))
    return kept


def _exists(path: Path, what: str) -> OutputExistsError:
    return OutputExistsError(
        f"{path} exists already ({what})", hint="choose another output, or pass --overwrite"
    )
