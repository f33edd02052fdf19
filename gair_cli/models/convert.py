"""Models from one form into another: the released checkpoint and our folder, both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import torch
from safetensors.torch import load_file

from gair_cli.errors import ModelError
from gair_cli.models.checkpoint_file import read_checkpoint, write_checkpoint
from gair_cli.models.parity import PROGRAM_TOLERANCE, agreements, made_inputs, outputs_of
from gair_cli.models.released import from_released, to_released
from gair_cli.models.weights import CARRIED_FILE, load_model, save_model

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from gair_cli.models.gair import GairModel
    from gair_cli.models.parity import Agreement
    from gair_cli.models.resolve import ModelRef

RELEASED_LICENCE: Final = "CC BY-NC 4.0"
RELEASED_SOURCE: Final = "GAIR (arXiv 2503.16683), the authors' released checkpoint"


def import_checkpoint(source: Path, folder: Path, *, licence: str = RELEASED_LICENCE) -> None:
    """Write a checkpoint of the released layout as a model folder.

    Args:
        source: The file: 402 tensors, bare or under `model`, with or without `module.`.
        folder: Made when absent.
        licence: Of the weights; the folder states it, and every embedding made with it.

    Raises:
        InputError: If the file cannot be read.
        ModelError: If a key is missing or unknown, or a shape differs; all are listed.
    """
    model, carried = from_released(read_checkpoint(source))
    facts = {"licence": licence, "source": RELEASED_SOURCE}
    save_model(model, folder, extra=facts, carried=carried)


def export_checkpoint(ref: ModelRef, output: Path) -> None:
    """Write a converted model folder back as a checkpoint: the same keys, order and tensors.

    Args:
        ref: A folder that `import_checkpoint` wrote.
        output: The file; a suffix of `checkpoint_file.SUFFIXES`.

    Raises:
        ModelError: If the model is not of the released layout, or its carried tensors are gone.
    """
    write_checkpoint(_released_tensors(ref), output)


def _released_tensors(ref: ModelRef) -> dict[str, Tensor]:
    carried = ref.path / CARRIED_FILE
    if not carried.is_file():
        raise ModelError(
            f"{ref.name} was not converted from a released checkpoint: it has no {CARRIED_FILE}",
            hint="only such a model has the released layout",
        )
    return to_released(load_model(ref), load_file(carried))


def differing_tensors(checkpoint: Path, ref: ModelRef) -> list[str]:
    """Return the keys whose tensor, type or place differs between a checkpoint and a folder."""
    before, after = read_checkpoint(checkpoint), _released_tensors(ref)
    wrong = [key for key in before if key not in after or not _same(before[key], after[key])]
    return wrong if list(before) == list(after) else wrong or ["(order of the keys)"]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def compare_outputs(checkpoint: Path, ref: ModelRef) -> list[Agreement]:
    """Compare what a checkpoint and a folder say to made inputs, output by output."""
    before, after = from_released(read_checkpoint(checkpoint))[0], load_model(ref)
    given = made_inputs(before)
    return agreements(outputs_of(after, given), outputs_of(before, given))


def check_export(model: GairModel, folder: Path, form: str) -> list[Agreement]:
    """Compare exported programs, or a photo tower as timm reads it, with their model.

    Raises:
        MissingPackageError: If the runtime that reads them is not there.
    """
    from gair_cli.models.export import outputs_of_programs, outputs_of_timm  # noqa: PLC0415

    given = made_inputs(model)
    outputs = outputs_of_timm if form == "timm" else outputs_of_programs
    found = agreements(*outputs(model, folder, given))
    return [replace(line, tolerance=PROGRAM_TOLERANCE) for line in found]
