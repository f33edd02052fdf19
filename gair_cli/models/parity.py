"""How far two models, or a model and recorded outputs, agree: output by output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from gair_cli.errors import InputError
from gair_cli.models.sampling import read_bicubic, read_bilinear

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.models.gair import GairModel

    Outputs = dict[str, NDArray[np.float64]]

TOLERANCE: Final = 2e-4
"""Largest difference of numbers of mean magnitude 0.3 to 3.6, in float32 on a CPU."""
PROGRAM_TOLERANCE: Final = 1e-4
"""The same between a model and its exported programs."""
LEAST_COSINE: Final = 0.999999
_TILES: Final = 4
_PHOTOS: Final = 2
_POINTS: Final = (
    (0.0, 0.0), (180.0, 0.0), (-180.0, 0.0), (0.0, 90.0), (0.0, -90.0), (13.404954, 52.520008),
    (-179.99, -45.0), (139.6917, 35.6895),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreement:
    """One output of two models.

    Attributes:
        output: Its name.
        rows: How many vectors were compared.
        worst: Largest difference of two numbers.
        cosine: Least cosine of two vectors.
        tolerance: Largest difference that counts as none.
    """

    output: str
    rows: int
    worst: float
    cosine: float
    tolerance: float = TOLERANCE

    @property
    def holds(self) -> bool:
        """Whether both are within tolerance."""
        return self.worst <= self.tolerance and self.cosine >= LEAST_COSINE


@dataclass(frozen=True, slots=True)
class MadeInputs:
    """What the models are asked: made tiles, photos, positions and places, the same everywhere."""

    rs: torch.Tensor
    sv: torch.Tensor
    xy: torch.Tensor
    lonlat: torch.Tensor


def made_inputs(model: GairModel) -> MadeInputs:
    """Draw inputs of a model's sizes from a frozen stream of random numbers.

    For the released sizes they are those of the recorded outputs.
    """
    random = np.random.RandomState(7)
    rs, sv = model.config.rs, model.config.sv
    bands, size = (len(rs.input.bands), rs.input.size) if rs else (1, 8)
    height, width = (sv.input.height, sv.input.width) if sv else (8, 8)
    tiles = random.rand(_TILES, bands, size, size).astype(np.float32)
    photos = random.standard_normal((_PHOTOS, 3, height, width)).astype(np.float32)
    xy = random.uniform(-1, 1, (_TILES, 2)).astype(np.float32)
    points = torch.tensor(_POINTS, dtype=torch.float64)
    return MadeInputs(
        torch.from_numpy(tiles), torch.from_numpy(photos), torch.from_numpy(xy), points
    )


@torch.inference_mode()
def outputs_of(model: GairModel, given: MadeInputs) -> Outputs:
    """Return what a model says, space `encoder` and the heads, by output."""
    found: dict[str, torch.Tensor] = {}
    if model.has_rs:
        tiles = model.encode_tiles(given.rs)
        each = torch.arange(len(given.rs))
        found["rs"] = model.pool_rs(tiles.tokens)
        found[f"localized_{model.config.query}"] = model.localize(tiles, given.xy)
        found["localized_bilinear"] = read_bilinear(tiles.tokens, given.xy, each)
        found["localized_bicubic"] = read_bicubic(tiles.tokens, given.xy, each)
    if model.has_sv:
        found["sv"] = model.encode_sv(given.sv)
        if "sv" in model.head:
            found["sv_proj"] = model.head["sv"](found["sv"])
    if model.has_location:
        found["loc"] = model.encode_location(given.lonlat)
    return {name: value.double().cpu().numpy() for name, value in found.items()}


def agreements(found: Mapping[str, NDArray[np.float64]], wanted: Outputs) -> list[Agreement]:
    """Compare outputs of the same names; the order is that of `wanted`."""
    return [_agreement(name, found[name], there) for name, there in wanted.items() if name in found]


def _agreement(name: str, found: NDArray[np.float64], wanted: NDArray[np.float64]) -> Agreement:
    if found.shape != wanted.shape:
        return Agreement(name, len(wanted), float("inf"), -1.0)
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(wanted, axis=-1)
    cosine = (found * wanted).sum(axis=-1) / np.where(lengths > 0, lengths, 1)
    same = (found == wanted).all(axis=-1)
    worst = float(np.abs(found - wanted).max(initial=0.0))
    return Agreement(name, len(wanted), worst, float(np.where(same, 1.0, cosine).min(initial=1.0)))


@torch.inference_mode()
def recorded_agreements(model: GairModel, path: Path) -> list[Agreement]:
    """Compare a model with recorded outputs of the released code.

    Args:
        model: Of the weights that the outputs were recorded with.
        path: An npz with `synthetic/rs`, `synthetic/queries` and so on.

    Raises:
        InputError: If it cannot be read or lacks the keys.
    """
    try:
        with np.load(path) as file:
            golden = {name: file[name].astype(np.float64) for name in file.files}
        west, north, east, south = golden["synthetic/bbox"].T  # as the release orders them
        lon, lat = golden["synthetic/queries"].T
        points = torch.from_numpy(golden["synthetic/loc_points"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot read recorded outputs from {path}: {error}") from error
    given = made_inputs(model)
    x, y = (lon - west) / (east - west) * 2 - 1, (north - lat) / (north - south) * 2 - 1
    xy = torch.from_numpy(np.stack([x, y], axis=1)).float()
    found = outputs_of(model, MadeInputs(given.rs, given.sv, xy, points))
    wanted = {name: golden[f"synthetic/{name}"] for name in found if f"synthetic/{name}" in golden}
    return agreements(found, wanted)
