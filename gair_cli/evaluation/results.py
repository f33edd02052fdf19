"""The file of results of an evaluation: checked before the work, written after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gair_cli.errors import InputError, OutputExistsError
from gair_cli.geo.outputs import (
    atomic_file,
    manifest_path,
    open_workspace,
    plan_hash,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def has_results(output: Path, plan: Mapping[str, Any], *, overwrite: bool = False) -> bool:
    """Tell whether a file holds the results of a plan already; nothing is made or changed.

    Args:
        output: The file of results.
        plan: Inputs (as fingerprints) and options.
        overwrite: Whether a file of other results may be replaced later on.

    Raises:
        OutputExistsError: If something else is there and may not be replaced.
        InputError: If the folder that is to hold `output` does not exist.
    """
    folder = output.absolute().parent
    if not folder.is_dir():
        raise InputError(f"folder {output.parent} does not exist", hint=f"mkdir -p {output.parent}")
    if not output.exists():
        return False
    try:
        return open_workspace(output, plan).status == "finished"
    except OutputExistsError:
        if overwrite and not output.is_dir():
            return False
        raise


def write_results(output: Path, text: str, plan: Mapping[str, Any]) -> None:
    """Write results whole or not at all, and then the side manifest that tells their plan.

    The manifest of a file that is replaced goes first: results must never pass for another plan's.

    Args:
        output: The file of results.
        text: What it is to hold.
        plan: Inputs (as fingerprints) and options.
    """
    manifest_path(output).unlink(missing_ok=True)
    with atomic_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    content = {"command": "gair eval", "plan_hash": plan_hash(plan)}
    write_json(manifest_path(output), content)
