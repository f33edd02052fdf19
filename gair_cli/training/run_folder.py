"""The folder of a run: whose it is, how far it is, and its effective settings.

```
run/
  plan.json       hash of what decides the result: data, model, recipe
  config.toml     the effective settings; `--config run/config.toml` repeats them
  log.jsonl       losses, speed, validation
  checkpoints/    step-000200/..., best -> step-...
  curve.png       losses and validation over the steps
  report.html     curves, validation, settings on one page
  profile/        where the time went, if `--profile` was given
  report.json     written last: the run is finished
```
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gair_cli.errors import InputError, OutputExistsError
from gair_cli.geo.outputs import atomic_file, plan_hash, write_json
from gair_cli.training.checkpoint import Checkpoints
from gair_cli.training.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run on disk.

    Attributes:
        path: The folder.
        status: `new`, `resumed` (a checkpoint is there) or `finished`.
    """

    path: Path
    status: Literal["new", "resumed", "finished"]

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def journal(self) -> Journal:
        """The log."""
        return Journal(self.path / "log.jsonl")

    def report(self) -> dict[str, Any]:
        """Return `report.json` of a finished run."""
        content: dict[str, Any] = json.loads((self.path / "report.json").read_text("utf-8"))
        return content

    def finish(self, report: Mapping[str, Any]) -> None:
        """Write `report.json`, which marks the run as finished, and let go of the replaced run."""
        write_json(self.path / "report.json", report)
        _remove(replaced_path(self.path))


def replaced_path(path: Path) -> Path:
    """Return where the run that `path` replaces stays until the new one is finished."""
    return path.with_name(f".{path.name}.old.tmp")


def open_run(path: Path, plan: Mapping[str, Any], *, overwrite: bool = False) -> RunFolder:
    """Open the folder of a run, new or of the same plan.

    Args:
        path: The folder; its parent must exist.
        plan: What decides the result.
        overwrite: Replace another plan's run, which stays at `replaced_path` until the new run
            is finished.

    Raises:
        OutputExistsError: If another run is there and `overwrite` is off, or what is there is no
            run.
        InputError: If the parent does not exist.
    """
    digest = plan_hash(plan)
    if not path.absolute().parent.is_dir():
        raise InputError(f"folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
    if path.exists() and not _is_ours(path, digest):
        if _plan_of(path) is None:
            raise OutputExistsError(
                f"{path} exists already and is no run", hint="choose another output"
            )
        if not overwrite:
            raise OutputExistsError(
                f"{path} exists already (another run)",
                hint="choose another output, or pass --overwrite",
            )
        _set_aside(path)
    path.mkdir(exist_ok=True)
    if not (path / "plan.json").exists():
        write_json(path / "plan.json", {"plan_hash": digest})
    if (path / "report.json").exists():
        return RunFolder(path, "finished")
    found = Checkpoints(path / "checkpoints").steps()
    return RunFolder(path, "resumed" if found else "new")


def _is_ours(path: Path, digest: str) -> bool:
    """Tell whether a path is an empty folder or a run of this plan."""
    if not path.is_dir():
        return False
    if not (path / "plan.json").exists():
        return all(child.name.endswith(".tmp") for child in path.iterdir())
    return _plan_of(path) == digest


def _plan_of(path: Path) -> str | None:
    """Return the hash of a run's plan; None for what is no run."""
    try:
        content = json.loads((path / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = content.get("plan_hash") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def _set_aside(path: Path) -> None:
    """Move a run out of the way; an unfinished one goes where a replaced run waits already."""
    replaced = replaced_path(path)
    if replaced.exists() and not (path / "report.json").exists():
        _remove(path)
        return
    _remove(replaced)
    path.rename(replaced)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_config(path: Path, tables: Mapping[str, Any]) -> None:
    """Write nested settings as TOML; None is written as the word `none`."""
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join(_toml(tables, "")) + "\n", encoding="utf-8")


def _toml(table: Mapping[str, Any], name: str) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    lines = [f"[{name}]"] if name and plain else []
    lines += [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in inner.items():
        lines += ["", *_toml(value, f"{name}.{key}" if name else key)]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # nan, inf, -inf
    return json.dumps("none" if value is None else value)  # JSON's other scalars are TOML's
