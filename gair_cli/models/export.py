"""Models for other runtimes: ONNX and torch.export programs of each part, the photo tower for timm.

Each part is a program of its own with a dynamic first axis:

- `encode_rs`: rs (T, C, H, W) as `config.rs.input` prepares it -> tokens (T, D, h, w) and, with a
  fine path, its maps;
- `encode_sv`: sv (B, 3, h, w) as `config.sv.input` prepares it -> vectors (B, D);
- `encode_location`: lonlat (B, 2) float64 degrees -> vectors (B, D);
- `localize`: what `encode_rs` gives, xy (B, 2), tile_of (B,) int64 and, with a fine path, radius_m
  (B,) and size_m (T, 2) in metres -> vectors (B, D).

Outputs are of space `encoder`; `heads.safetensors` holds the linear heads into the joint space.
"""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import torch
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn

from gair_cli.errors import MissingPackageError, ModelError
from gair_cli.geo.atomic import atomic_file
from gair_cli.models.field import TileField
from gair_cli.models.timm_models import image_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.models.gair import GairModel
    from gair_cli.models.parity import MadeInputs, Outputs

Form: TypeAlias = Literal["onnx", "torch"]
_SUFFIX: Final = {"onnx": ".onnx", "torch": ".pt2"}


class _EncodeRs(nn.Module):
    def __init__(self, model: GairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, rs: Tensor) -> tuple[Tensor, ...]:
        field = self.model.encode_tiles(rs)
        return (field.tokens, *field.fine)


class _EncodeSv(nn.Module):
    def __init__(self, model: GairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, sv: Tensor) -> Tensor:
        return self.model.encode_sv(sv)


class _EncodeLocation(nn.Module):
    def __init__(self, model: GairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, lonlat: Tensor) -> Tensor:
        tower = self.model.location
        if tower is None:
            raise ModelError("the model has no location tower")
        return tower.embed(tower.features(lonlat))


class _Localize(nn.Module):
    def __init__(self, model: GairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        return self.model.localize(TileField(tokens), xy, tile_of=tile_of)


class _LocalizeFinely(nn.Module):
    def __init__(self, model: GairModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        tokens: Tensor,
        fine: list[Tensor],
        xy: Tensor,
        tile_of: Tensor,
        radius_m: Tensor,
        size_m: Tensor,
    ) -> Tensor:
        field = TileField(tokens, tuple(fine), size_m)
        return self.model.localize(field, xy, tile_of=tile_of, radius_m=radius_m)


class _Part:
    """One program: the module, its example inputs by name, and which first axis each has."""

    def __init__(self, module: nn.Module, inputs: dict[str, Any], axes: dict[str, str]) -> None:
        self.module, self.inputs, self.axes = module, inputs, axes

    @property
    def dynamic_shapes(self) -> dict[str, Any]:
        """What `torch.export` needs to know of the inputs' first axes."""
        dims = {name: torch.export.Dim(name, min=1, max=2**31) for name in {*self.axes.values()}}

        def of(name: str) -> Any:
            one = {0: dims[self.axes[name]]}
            value = self.inputs[name]
            return [one] * len(value) if isinstance(value, list) else one

        return {name: of(name) for name in self.inputs}


def _parts(model: GairModel, given: MadeInputs | None = None) -> dict[str, _Part]:
    """Return the programs that a model has, with example inputs."""
    from gair_cli.models.parity import made_inputs  # noqa: PLC0415 - parity needs no export

    given = given or made_inputs(model)
    found: dict[str, _Part] = {}
    if model.has_rs:
        found["encode_rs"] = _Part(_EncodeRs(model), {"rs": given.rs}, {"rs": "tiles"})
        found["localize"] = _localize_part(model, given)
    if model.has_sv:
        found["encode_sv"] = _Part(_EncodeSv(model), {"sv": given.sv}, {"sv": "photos"})
    if model.has_location:
        found["encode_location"] = _Part(
            _EncodeLocation(model), {"lonlat": given.lonlat}, {"lonlat": "points"}
        )
    return found


def _localize_part(model: GairModel, given: MadeInputs) -> _Part:
    with torch.no_grad():
        field = model.encode_tiles(given.rs)
    # more positions than tiles: two sizes of an example that are equal would be taken for one
    count = len(given.rs) + 2
    tile_of = torch.arange(count) % len(given.rs)
    xy = given.xy[tile_of].clone()
    inputs: dict[str, Any] = {"tokens": field.tokens, "xy": xy, "tile_of": tile_of}
    axes = {"tokens": "tiles", "xy": "positions", "tile_of": "positions"}
    if not field.fine or field.size_m is None:
        return _Part(_Localize(model), inputs, axes)
    radius = torch.linspace(0, 50, count)
    inputs = {
        "tokens": field.tokens, "fine": list(field.fine), "xy": xy, "tile_of": tile_of,
        "radius_m": radius, "size_m": field.size_m.clone(),
    }  # fmt: skip
    axes |= {"fine": "tiles", "radius_m": "positions", "size_m": "tiles"}
    return _Part(_LocalizeFinely(model), inputs, axes)


@contextmanager
def _exporting(model: GairModel) -> Iterator[None]:
    """Read tiles by the one form whose steps do not depend on how many positions there are."""
    nili = model.nili
    before = None if nili is None else nili.form
    if nili is not None:
        nili.form = "gather"
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter about itself
            yield
    finally:
        if nili is not None and before is not None:
            nili.form = before


def export_programs(model: GairModel, folder: Path, form: Form) -> None:
    """Write a program for each part of a model, its config, and its heads.

    Args:
        model: In evaluation mode, on the CPU.
        folder: Made when absent.
        form: `onnx`, or `torch` for `torch.export` archives.

    Raises:
        MissingPackageError: If ONNX is asked for and its packages are missing.
    """
    if form == "onnx":
        _need_onnx()
    folder.mkdir(parents=True, exist_ok=True)
    with _exporting(model):
        for name, part in _parts(model).items():
            part.module(*part.inputs.values())  # so that what is cached is there as constants
            program = torch.export.export(
                part.module.eval(), tuple(part.inputs.values()),
                dynamic_shapes=tuple(part.dynamic_shapes.values()), strict=False,
            )  # fmt: skip
            with atomic_file(folder / f"{name}{_SUFFIX[form]}") as temporary:
                _write(program, temporary, form)
    facts = {"model": model.config.to_dict(), "space": "encoder", "form": form}
    with atomic_file(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    heads = {key: value.detach().contiguous() for key, value in model.head.state_dict().items()}
    with atomic_file(folder / "heads.safetensors") as temporary:
        temporary.write_bytes(tensors_to_bytes(heads))


def _write(program: torch.export.ExportedProgram, path: Path, form: Form) -> None:
    if form == "torch":
        with path.open("wb") as file:
            torch.export.save(program, file)
        return
    made = torch.onnx.export(program, dynamo=True, verbose=False)
    if made is None:
        raise ModelError("torch made no ONNX program")
    made.save(str(path), external_data=False)


def _need_onnx() -> None:
    try:
        import onnx  # noqa: F401, PLC0415 - optional packages
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingPackageError(
            "ONNX needs onnx and onnxscript", hint="pip install 'gair[onnx]'"
        ) from error


def outputs_of_programs(
    model: GairModel, folder: Path, given: MadeInputs
) -> tuple[Outputs, Outputs]:
    """Return what the programs of a folder say to made inputs, and what their model says.

    Raises:
        MissingPackageError: If onnxruntime is needed and not there.
        ModelError: If a program is missing.
    """
    found: Outputs = {}
    wanted: Outputs = {}
    for name, part in _parts(model, given).items():
        with torch.no_grad():
            right = part.module(*part.inputs.values())
        first = right[0] if isinstance(right, tuple) else right
        wanted[name] = _rows(first)
        found[name] = _rows(_run(folder, name, part))
    return found, wanted


def _rows(value: Tensor) -> Any:
    return value.detach().double().flatten(1).numpy()


def _run(folder: Path, name: str, part: _Part) -> Tensor:
    torch_path, onnx_path = folder / f"{name}.pt2", folder / f"{name}.onnx"
    if torch_path.is_file():
        found = torch.export.load(str(torch_path)).module()(*part.inputs.values())
        first: Tensor = found[0] if isinstance(found, tuple) else found
        return first
    if not onnx_path.is_file():
        raise ModelError(f"{folder} has no program {name}")
    try:
        import onnxruntime  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingPackageError(
            "checking ONNX programs needs onnxruntime", hint="pip install 'gair[onnx]'"
        ) from error
    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    flat: list[Tensor] = []
    for value in part.inputs.values():
        flat += value if isinstance(value, list) else [value]
    names = [one.name for one in session.get_inputs()]
    feed = {key: value.numpy() for key, value in zip(names, flat, strict=True)}
    return torch.from_numpy(session.run(None, feed)[0])


def export_timm(model: GairModel, folder: Path) -> None:
    """Write the photo tower's timm model as a folder that timm reads (`local-dir:FOLDER`).

    A pooler, which timm has not, is left out: the features are those before it. Layer norms get
    timm's own epsilon.

    Raises:
        ModelError: If the model has no photo tower.
    """
    sv = model.sv
    if sv is None or model.config.sv is None:
        raise ModelError("the model has no photo tower")
    folder.mkdir(parents=True, exist_ok=True)
    form = model.config.sv
    state = {key: value.detach().contiguous() for key, value in sv.body.state_dict().items()}
    config = {
        "architecture": form.name,
        "num_classes": 0,
        "num_features": sv.width,
        "pretrained_cfg": {
            "input_size": [3, form.input.height, form.input.width],
            "mean": [value / 255 for value in form.input.mean],
            "std": [value / 255 for value in form.input.std],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "num_classes": 0,
        },
        "model_args": image_size(form.name, form.input.height, form.input.width),
    }
    with atomic_file(folder / "model.safetensors") as temporary:
        temporary.write_bytes(tensors_to_bytes(state, {"format": "pt"}))
    with atomic_file(folder / "config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def outputs_of_timm(model: GairModel, folder: Path, given: MadeInputs) -> tuple[Outputs, Outputs]:
    """Return what timm reads from a folder of `export_timm` says, and what the tower says."""
    import timm  # noqa: PLC0415 - takes seconds

    if model.sv is None or model.config.sv is None:
        raise ModelError("the model has no photo tower")
    read = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    with torch.no_grad():
        found, wanted = read(given.sv), model.sv.body(given.sv)
    return {"sv": _rows(found)}, {"sv": _rows(wanted)}
