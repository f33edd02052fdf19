"""The released checkpoint's layout and ours, both ways, tensor for tensor.

Source: key names and shapes of the authors' `checkpoint.pth` (GAIR, arXiv 2503.16683). Its 402
tensors hold 203,528,972 numbers; 14 million of them, and the queue, take no part in any output.
They are carried beside the model, so that a converted file converts back with equal keys, order
and tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gair_cli.errors import ModelError
from gair_cli.models.config import ModelConfig, preset_config
from gair_cli.models.gair import blank_model
from gair_cli.models.tensor_faults import tensor_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from gair_cli.models.gair import GairModel

_DEPTH = 12
_SCALES = 3
_BOTH = ("weight", "bias")


_WIDTH = 768
_MLP = 4 * _WIDTH


@dataclass(frozen=True, slots=True)
class Entry:
    """One released tensor.

    Attributes:
        released: Its key in `checkpoint.pth`.
        ours: Its key in our state dict, or None for a tensor that is only carried.
        part: Which third of our fused tensor it is, or None for the whole.
        shape: Of a carried tensor; that of another is the model's.
    """

    released: str
    ours: str | None
    part: int | None = None
    shape: tuple[int, ...] = ()


def released_config() -> ModelConfig:
    """Return the released model: photos enter the joint space by a head, the others as they are."""
    return preset_config("paper", overrides={"heads": ["sv"], "learn_temperature": False})


def released_layout() -> list[Entry]:
    """Return all 402 tensors in the order of the released file."""
    return [
        Entry("query_feature", None, shape=(1, 1, _WIDTH)),
        Entry("rs_patch_pos_encoding", None, shape=(1, 144, _WIDTH)),
        Entry("logit_scale", "logit_scale"),
        Entry("queue_for_location", None, shape=(2, 4096)),
        Entry("queue_ptr_location", None, shape=(1,)),
        *_rs_layout(),
        *_sv_layout(),
        *_location_layout(),
        *_unused_query_layout(),
        *_linear("imnet", "nili.linear"),
        *_unused("radar_proj", _WIDTH, _WIDTH),
        *_linear("optical_proj", "head.sv"),
        *_unused("location_proj", _WIDTH, _WIDTH),
    ]


def _linear(released: str, ours: str) -> Iterator[Entry]:
    for kind in _BOTH:
        yield Entry(f"{released}.{kind}", f"{ours}.{kind}")


def _unused(released: str, *shape: int) -> Iterator[Entry]:
    """Carry a layer that no output uses: a weight of a shape, a bias of its first side."""
    yield Entry(f"{released}.weight", None, shape=shape)
    yield Entry(f"{released}.bias", None, shape=shape[:1])


def _rs_layout() -> Iterator[Entry]:
    yield from _linear("rs_encoder.s2_encoder.linear_input", "rs.embed")
    for i in range(_DEPTH):
        old, new = f"rs_encoder.s2_encoder.transformer.layers.{i}", f"rs.blocks.{i}"
        yield Entry(f"{old}.0.to_qkv.weight", f"{new}.attention.qkv.weight")
        yield from _linear(f"{old}.0.to_out", f"{new}.attention.out")
        yield from _linear(f"{old}.0.input_norm", f"{new}.attention.norm")
        yield from _linear(f"{old}.1.net.0", f"{new}.up")
        yield from _linear(f"{old}.1.net.3", f"{new}.down")
        yield from _linear(f"{old}.1.input_norm", f"{new}.norm")
    yield from _unused("rs_encoder.layer_norm", _WIDTH)
    yield from _unused("rs_encoder.head", 10, _WIDTH)


def _sv_layout() -> Iterator[Entry]:
    yield Entry("sv_encoder.embeddings.cls_token", "sv.body.cls_token")
    yield Entry("sv_encoder.embeddings.position_embeddings", "sv.body.pos_embed")
    yield from _linear(
        "sv_encoder.embeddings.patch_embeddings.projection", "sv.body.patch_embed.proj"
    )
    for i in range(_DEPTH):
        yield from _sv_block(f"sv_encoder.encoder.layer.{i}", f"sv.body.blocks.{i}")
    yield from _linear("sv_encoder.layernorm", "sv.body.norm")
    yield from _linear("sv_encoder.pooler.dense", "sv.pooler")


def _sv_block(old: str, new: str) -> Iterator[Entry]:
    for part, name in enumerate(("query", "key", "value")):
        for kind in _BOTH:
            released = f"{old}.attention.attention.{name}.{kind}"
            yield Entry(released, f"{new}.attn.qkv.{kind}", part)
    yield from _linear(f"{old}.attention.output.dense", f"{new}.attn.proj")
    yield from _linear(f"{old}.intermediate.dense", f"{new}.mlp.fc1")
    yield from _linear(f"{old}.output.dense", f"{new}.mlp.fc2")
    yield from _linear(f"{old}.layernorm_before", f"{new}.norm1")
    yield from _linear(f"{old}.layernorm_after", f"{new}.norm2")


def _location_layout() -> Iterator[Entry]:
    for i in range(_SCALES):
        old, new = f"location_encoder.LocEnc{i}", f"location.scales.{i}"
        yield Entry(f"{old}.capsule.0.b", f"{new}.frequencies")
        for layer in range(_SCALES):
            yield from _linear(f"{old}.capsule.{2 * layer + 1}", f"{new}.hidden.{layer}")
        yield from _linear(f"{old}.head.0", f"{new}.out")


def _unused_query_layout() -> Iterator[Entry]:
    for old in ("nerf_fn.layers.0", "nerf_fn.layers.1"):
        yield Entry(f"{old}.0.create_qkv.weight", None, shape=(3 * _WIDTH, _WIDTH))
        yield from _unused(f"{old}.0.out", _WIDTH, _WIDTH)
        yield from _unused(f"{old}.0.input_norm", _WIDTH)
        yield from _unused(f"{old}.1.net.0", _MLP, _WIDTH)
        yield from _unused(f"{old}.1.net.2", _WIDTH, _MLP)
        yield from _unused(f"{old}.1.input_norm", _WIDTH)
    yield from _unused("nerf_fn.norm_out", _WIDTH)


def from_released(tensors: Mapping[str, Tensor]) -> tuple[GairModel, dict[str, Tensor]]:
    """Return our model and the carried tensors of a released state dict.

    Args:
        tensors: The `model` entry of `checkpoint.pth`, 402 tensors.

    Returns:
        The model in evaluation mode, and the tensors that no output uses, by released key.

    Raises:
        ModelError: If a key is missing or unknown, or a shape differs; all are listed.
    """
    layout = released_layout()
    model = blank_model(released_config())
    wanted = model.state_dict()
    _check(tensors, layout, wanted)
    state: dict[str, list[Tensor]] = {}
    for entry in layout:
        if entry.ours is not None:
            state.setdefault(entry.ours, []).append(tensors[entry.released])
    fused = {key: torch.cat(parts) if len(parts) > 1 else parts[0] for key, parts in state.items()}
    model.load_state_dict(
        {key: value.to(wanted[key].dtype) for key, value in fused.items()}, assign=True
    )
    carried = {entry.released: tensors[entry.released] for entry in layout if entry.ours is None}
    return model.eval(), carried


def to_released(model: GairModel, carried: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the released state dict of a model that `from_released` made.

    Args:
        model: A model of the released configuration.
        carried: The tensors that no output uses, by released key.

    Returns:
        402 tensors in the released order.

    Raises:
        ModelError: If the model or the carried tensors lack one.
    """
    state = {key: value.detach() for key, value in model.state_dict().items()}
    layout = released_layout()
    lacking = [e.released for e in layout if (e.ours or e.released) not in {**state, **carried}]
    if lacking:
        raise ModelError(f"no tensor for {len(lacking)} released keys: {', '.join(lacking[:8])}")
    return {entry.released: _part(entry, state, carried) for entry in layout}


def _part(entry: Entry, state: Mapping[str, Tensor], carried: Mapping[str, Tensor]) -> Tensor:
    if entry.ours is None:
        return carried[entry.released]
    whole = state[entry.ours]
    return whole if entry.part is None else whole.chunk(3)[entry.part].clone()


def _check(tensors: Mapping[str, Tensor], layout: list[Entry], model: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are not those of the released layout, and name every one of them."""
    wanted = {entry.released: _shape(entry, model) for entry in layout}
    faults = tensor_faults(tensors, wanted)
    if faults:
        raise ModelError(
            f"not the released layout, {len(faults)} faults: {'; '.join(faults)}",
            hint=f"the released file has {len(wanted)} tensors; nothing is skipped",
        )


def _shape(entry: Entry, model: Mapping[str, Tensor]) -> tuple[int, ...]:
    if entry.ours is None:
        return entry.shape
    whole = tuple(model[entry.ours].shape)
    return whole if entry.part is None else (whole[0] // 3, *whole[1:])
