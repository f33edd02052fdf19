"""Outputs that appear whole or not at all, and work that goes on where it stopped.

A single file is written through `atomic_file`. Long work opens a `Workspace`: a folder
`<output>.partial` beside the output, in which finished parts stay when the command is killed.
The plan (inputs and options) decides what happens to what is there already. The folder is locked
while a run works in it, so that a second run on the same output stops.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from gair_cli import __version__
from gair_cli.errors import InputError, OutputExistsError
from gair_cli.geo import locks
from gair_cli.geo.atomic import TEMPORARY, atomic_file, dump_json, sync, write_json
from gair_cli.geo.fingerprints import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


__all__ = [
    "Workspace",
    "already_made",
    "atomic_file",
    "fingerprint",
    "hold_output",
    "let_go_of_output",
    "manifest_path",
    "open_workspace",
    "partial_path",
    "plan_hash",
    "record_made",
    "recover",
    "refuse_foreign",
    "sync",
    "write_json",
]


def manifest_path(output: Path) -> Path:
    """Return where the side manifest of an output lies: `<output>.gair.json`."""
    return output.with_name(output.name + ".gair.json")


def partial_path(output: Path) -> Path:
    """Return the folder of unfinished work beside an output: `<output>.partial`."""
    return output.with_name(output.name + ".partial")


def plan_hash(plan: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits for a plan: the inputs' fingerprints and all options."""
    return hashlib.blake2b(dump_json(plan).encode(), digest_size=16).hexdigest()


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
        (self.output / "plan.json").unlink(missing_ok=True)
        locks.release(self.folder)

    def finish_file(self, name: str, manifest: Mapping[str, Any]) -> None:
        """Make one part the output, write the side manifest, remove the other parts."""
        sync(self.folder / name)
        self._publish(self.folder / name, manifest)
        shutil.rmtree(self.folder)
        locks.release(self.folder)

    def abandon(self) -> None:
        """Give the work up: remove the folder of parts and let other runs go on."""
        shutil.rmtree(self.folder, ignore_errors=True)
        locks.release(self.folder)

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
    return output.with_name(f".{output.name}.old{TEMPORARY}")


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
    output: Path,
    plan: Mapping[str, Any],
    *,
    overwrite: bool = False,
    extends: bool = False,
    resume: bool = True,
) -> Workspace:
    """Decide what to do with what is at `output`, and open the folder of parts.

    Args:
        output: The final file or folder.
        plan: Inputs (as fingerprints) and options; equal plans give equal bytes.
        overwrite: Replace another plan's output or a foreign file. The old output stays until
            the new one is whole.
        extends: The plan builds on what is at `output`, which may be replaced by the result;
            unfinished work of another plan is still refused.
        resume: Whether unfinished work of the same plan is kept.

    Returns:
        The workspace, locked until it is finished; with status `finished` the output is there
        already and the folder is not.

    Raises:
        OutputExistsError: If the output, or unfinished work beside it, belongs to another plan
            or is foreign, and `overwrite` is off; or if another run works on it.
        InputError: If the folder that holds `output` does not exist.
    """
    if not output.absolute().parent.is_dir():
        raise InputError(f"folder {output.parent} does not exist", hint=f"mkdir -p {output.parent}")
    space = Workspace(output, partial_path(output), plan_hash(plan), "new")
    may_replace = overwrite or extends
    if not space.folder.exists() and _is_done(space, may_replace=may_replace):
        return space
    locks.hold(space.folder)
    try:
        if _is_done(space, may_replace=may_replace):
            return space
        if not resume:
            _empty(space.folder)
        _discard_other(space.folder, space.plan_hash, overwrite=overwrite)
    except BaseException:
        _let_go(space.folder)
        raise
    _open_folder(space)
    return space


def hold_output(output: Path) -> None:
    """Lock an output before `open_workspace`, for plans that depend on what is there.

    Raises:
        OutputExistsError: If another run works on it.
        InputError: If the folder that holds `output` does not exist.
    """
    if not output.absolute().parent.is_dir():
        raise InputError(f"folder {output.parent} does not exist", hint=f"mkdir -p {output.parent}")
    locks.hold(partial_path(output))


def let_go_of_output(output: Path) -> None:
    """Undo `hold_output`; unfinished work stays."""
    _let_go(partial_path(output))


def _is_done(space: Workspace, *, may_replace: bool) -> bool:
    """Tell whether the output is there from the same plan, and mend what a kill left of it.

    Raises:
        OutputExistsError: If something else is there and may not be replaced.
    """
    recover(space.output)
    if not space.output.exists():
        return False
    if _finished_plan(space.output) == space.plan_hash:
        _clear_leftovers(space.output, space.folder)
        _let_go(space.folder)
        space.status = "finished"
        return True
    if not may_replace:
        raise _exists(space.output, "from other inputs or options, or not made by gair")
    return False


def _let_go(folder: Path) -> None:
    """Unlock a folder, and remove it if nothing is in it."""
    with suppress(OSError):
        folder.rmdir()
    locks.release(folder)


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


def _open_folder(space: Workspace) -> None:
    space.kept = _sweep(space.folder)
    space.status = "resumed" if space.kept else "new"
    if not (space.folder / "plan.json").exists():
        write_json(space.folder / "plan.json", {"plan_hash": space.plan_hash})


def _discard_other(folder: Path, digest: str, *, overwrite: bool) -> None:
    """Remove unfinished work of another plan if told to, and empty left-overs in any case.

    Raises:
        OutputExistsError: If it holds something and `overwrite` is off.
    """
    if _plan_of(folder / "plan.json") == digest:
        return
    if not overwrite and any(_is_work(path) for path in folder.rglob("*")):
        raise _exists(folder, "unfinished work with other inputs or options")
    _empty(folder)


def _empty(folder: Path) -> None:
    """Remove all that is in a folder, but not the folder, which is locked."""
    for path in folder.iterdir():
        _remove(path)


def _is_work(path: Path) -> bool:
    return path.is_file() and path.name != "plan.json" and not path.name.endswith(TEMPORARY)


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
        if path.is_file() and path.name.endswith(TEMPORARY):
            path.unlink()
        elif path.is_file() and path.name != "plan.json":
            kept.append(str(path.relative_to(folder)))
    return kept


def _exists(path: Path, what: str) -> OutputExistsError:
    return OutputExistsError(
        f"{path} exists already ({what})", hint="choose another output, or pass --overwrite"
    )
