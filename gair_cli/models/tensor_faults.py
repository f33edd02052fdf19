"""What is wrong with a set of tensors, in words: nothing that is read is skipped in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


def tensor_faults(found: Mapping[str, Tensor], wanted: Mapping[str, Sequence[int]]) -> list[str]:
    """List every tensor that is missing, extra or of another shape.

    Args:
        found: Tensors by key.
        wanted: Shapes by key, in the order in which they are listed.

    Returns:
        A few words for each; nothing where all is well.
    """
    faults = [f"missing {key}" for key in wanted if key not in found]
    faults += [f"extra {key}" for key in found if key not in wanted]
    faults += [
        f"{key} is {list(found[key].shape)}, wanted {list(shape)}"
        for key, shape in wanted.items()
        if key in found and list(found[key].shape) != list(shape)
    ]
    return faults
