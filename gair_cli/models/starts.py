"""Weights that towers start from: CROMA, the released GAIR, another gair model, timm.

Strict like everything that is read: a tensor that is missing or has another shape is an error that
lists them all. What training adds, the heads into the joint space, NILI and the fine path, keeps
its own start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from safetensors.torch import load_file

from gair_cli.errors import InputError, ModelError, UsageError
from gair_cli.models.checkpoint_file import SUFFIXES, read_checkpoint
from gair_cli.models.released import from_released
from gair_cli.models.resolve import WEIGHTS_FILE, resolve_model
from gair_cli.models.rs_timm import TimmRsEncoder
from gair_cli.models.sv_encoder import SvEncoder
from gair_cli.models.tensor_faults import tensor_faults
from gair_cli.records import SENTINEL2_L2A_BANDS, canonical_band

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from gair_cli.models.config import Tower
    from gair_cli.models.gair import GairModel

TIMM: Final = "timm"
_CROMA: Final = "s2_encoder."
_RELEASED: Final = "rs_encoder."


@dataclass(frozen=True, slots=True)
class StartConfig:
    """Where each tower starts; an absent one is drawn by the seed.

    Attributes:
        rs: A CROMA checkpoint (bands go by name), a checkpoint of the released layout, a gair
            model, or `timm` for the weights of `model.rs.name`.
        sv: A checkpoint of the released layout, a gair model, or `timm` for those of
            `model.sv.name`.
        location: A checkpoint of the released layout or a gair model.
    """

    rs: str | None = None
    sv: str | None = None
    location: str | None = None


def apply_start(model: GairModel, start: StartConfig) -> None:
    """Give a fresh model's towers the weights they are to start from.

    Args:
        model: It is changed in place.
        start: Where they come from.

    Raises:
        UsageError: If a tower is named that the model has not.
        InputError: If a file or the weights of a hub cannot be had.
        ModelError: If tensors are missing, unknown or of other shapes; all are listed.
    """
    for name in ("rs", "sv", "location"):
        source = getattr(start, name)
        if source is not None:
            _start_tower(model, name, source)


def _start_tower(model: GairModel, name: Tower, source: str) -> None:
    tower: nn.Module | None = getattr(model, name)
    if tower is None:
        raise UsageError(
            f"recipe.start.{name} names weights, and the model has no such tower",
            hint=f"towers: {', '.join(model.config.towers)}",
        )
    state = _tower_state(model, name, source)
    wanted = tower.state_dict()
    faults = tensor_faults(state, {key: value.shape for key, value in wanted.items()})
    if faults:
        raise ModelError(
            f"the weights of {source} do not fit model.{name}: {'; '.join(faults)}",
            hint="the tower's sizes must be those that the weights were trained with",
        )
    tower.load_state_dict({key: value.to(wanted[key].dtype) for key, value in state.items()})


def _tower_state(model: GairModel, name: Tower, source: str) -> Mapping[str, Tensor]:
    if source == TIMM:
        return _from_timm(model, name)
    path = Path(source)
    if path.suffix in SUFFIXES and not path.is_dir():
        return _from_checkpoint(model, name, path)
    ref = resolve_model(source)
    prefix = f"{name}."
    tensors = load_file(ref.path / WEIGHTS_FILE)
    found = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    if not found:
        raise ModelError(f"the model {ref.name} has no {name} tower to start from")
    return found


def _from_timm(model: GairModel, name: Tower) -> Mapping[str, Tensor]:
    rs, sv = model.config.rs, model.config.sv
    if name == "rs" and rs is not None and rs.name is not None:
        return TimmRsEncoder(rs, pretrained=True).state_dict()
    if name == "sv" and sv is not None:
        fresh: dict[str, Tensor] = dict(SvEncoder(sv, pretrained=True).state_dict())
        # a pooler is ours, and starts as it did
        pooler = {} if model.sv is None else model.sv.state_dict()
        return fresh | {key: value for key, value in pooler.items() if key.startswith("pooler.")}
    raise UsageError(f"recipe.start.{name}=timm needs a timm model", hint=f"set model.{name}.name")


def _from_checkpoint(model: GairModel, name: Tower, path: Path) -> Mapping[str, Tensor]:
    tensors = read_checkpoint(path)
    if any(key.startswith(_RELEASED) for key in tensors):
        released = getattr(from_released(tensors)[0], name)
        found: Mapping[str, Tensor] = released.state_dict()
        return found
    if name == "rs" and any(key.startswith(_CROMA) for key in tensors):
        rs = model.config.rs
        bands = rs.input.bands if rs is not None else ()
        depth = rs.depth if rs is not None else 0
        return croma_tower(tensors, bands, depth=depth)
    raise InputError(
        f"{path} has neither the layout of GAIR nor, for tiles, that of CROMA",
        hint=f"its first tensor is {next(iter(tensors))}",
    )


def croma_tower(
    tensors: Mapping[str, Tensor], bands: Sequence[str], *, depth: int
) -> dict[str, Tensor]:
    """Return CROMA's optical encoder (arXiv 2311.00566) as our satellite tower's tensors.

    Its first layer takes twelve bands of Sentinel-2 (all but B10); the patches of the bands in use
    are taken by name. A band that CROMA does not know starts as the mean of those it knows. Its
    final norm is left out: our tokens are not normalised, as in the release.

    Args:
        tensors: Keys as of torchgeo's `croma_base`, or of the authors' file.
        bands: C names, in the order of the tower's input.
        depth: Blocks of our tower; a CROMA of more blocks gives its first ones.

    Raises:
        ModelError: If no band is one of CROMA's.
    """
    names = {
        "0.to_qkv.weight": "attention.qkv.weight",
        "0.to_out.weight": "attention.out.weight",
        "0.to_out.bias": "attention.out.bias",
        "0.input_norm.weight": "attention.norm.weight",
        "0.input_norm.bias": "attention.norm.bias",
        "1.net.0.weight": "up.weight",
        "1.net.0.bias": "up.bias",
        "1.net.3.weight": "down.weight",
        "1.net.3.bias": "down.bias",
        "1.input_norm.weight": "norm.weight",
        "1.input_norm.bias": "norm.bias",
    }
    state = {
        f"blocks.{block}.{ours}": tensors[key]
        for block in range(depth)
        for theirs, ours in names.items()
        if (key := f"{_CROMA}transformer.layers.{block}.{theirs}") in tensors
    }
    weight = tensors.get(f"{_CROMA}linear_input.weight")
    if weight is not None:
        state["embed.weight"] = _patches_by_band(weight, bands)
    bias = tensors.get(f"{_CROMA}linear_input.bias")
    if bias is not None:
        state["embed.bias"] = bias
    return state


def _patches_by_band(weight: Tensor, bands: Sequence[str]) -> Tensor:
    """Return (D, C p p) patch weights of some bands from those of all twelve, (D, 12 p p)."""
    known = {name: at for at, name in enumerate(SENTINEL2_L2A_BANDS)}
    by_band = weight.unflatten(1, (len(known), -1))  # type: ignore[no-untyped-call]
    at = [known.get(canonical_band(name)) for name in bands]
    if all(place is None for place in at):
        raise ModelError(
            f"none of the bands {', '.join(bands)} is one of CROMA's",
            hint=f"it knows {', '.join(known)}",
        )
    mean = by_band.mean(dim=1)
    parts = [mean if place is None else by_band[:, place] for place in at]
    return torch.stack(parts, dim=1).flatten(1)
