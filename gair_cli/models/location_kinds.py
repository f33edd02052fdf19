"""Which coordinate towers there are, and GeoCLIP's with its own weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from gair_cli.errors import MissingPackageError, ModelError
from gair_cli.models.location_encoder import FourierEncoder, FourierTransformer, LocationEncoder
from gair_cli.models.location_sphere import (
    GridEncoder,
    HarmonicsEncoder,
    Sphere2VecEncoder,
    XyzEncoder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gair_cli.models.config import LocationConfig

_WEIGHTS: Final = "model/weights/location_encoder_weights.pth"
_SCALES: Final = 3
_HIDDEN: Final = 3


class GeoClipEncoder(FourierEncoder):
    """Kind `geoclip`: GeoCLIP's own encoder and weights (arXiv 2309.16020), as a peer.

    The weights come from the package `geoclip` (MIT) and are a start like any other: they are
    trained on, saved and read with the model.

    Args:
        config: Of GeoCLIP's sizes: sigmas 1, 16, 256, 256 frequencies, 3 hidden layers of 1,024,
            width 512.

    Raises:
        MissingPackageError: If the package is not there.
        ModelError: If the sizes are others.
    """

    def __init__(self, config: LocationConfig) -> None:
        super().__init__(config)
        sizes = (config.sigmas, config.frequencies, config.hidden, config.depth, config.width)
        if sizes != ((1.0, 16.0, 256.0), 256, 1024, _HIDDEN, 512):
            raise ModelError(
                "model.location is not of GeoCLIP's sizes",
                hint="sigmas [1, 16, 256], frequencies 256, hidden 1024, depth 3, width 512",
            )
        if not next(self.parameters()).is_meta:
            self.load_state_dict(geoclip_state(_geoclip_tensors()))


def geoclip_state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return GeoCLIP's tensors by our names.

    Raises:
        ModelError: If one is missing or unknown.
    """
    names: dict[str, str] = {}
    for scale in range(_SCALES):
        old, new = f"LocEnc{scale}", f"scales.{scale}"
        names[f"{old}.capsule.0.b"] = f"{new}.frequencies"
        for kind in ("weight", "bias"):
            for layer in range(_HIDDEN):
                names[f"{old}.capsule.{2 * layer + 1}.{kind}"] = f"{new}.hidden.{layer}.{kind}"
            names[f"{old}.head.0.{kind}"] = f"{new}.out.{kind}"
    if set(names) != set(tensors):
        odd = sorted(set(names) ^ set(tensors))
        raise ModelError(f"GeoCLIP's weights have another layout: {', '.join(odd[:4])}")
    return {ours: tensors[theirs].float() for theirs, ours in names.items()}


def _geoclip_tensors() -> dict[str, Tensor]:
    """Read the weights file of the package, which itself need not be imported."""
    found = find_spec("geoclip")
    if found is None or found.origin is None:
        raise MissingPackageError(
            "location kind geoclip needs its package", hint="pip install 'gair[peers]'"
        )
    path = Path(found.origin).parent / _WEIGHTS
    try:
        tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot read GeoCLIP's weights {path}: {error}") from error
    return tensors


_KINDS: Final[dict[str, type[LocationEncoder]]] = {
    "rff": FourierEncoder,
    "rff-transformer": FourierTransformer,
    "sh-siren": HarmonicsEncoder,
    "sphere2vec": Sphere2VecEncoder,
    "xyz": XyzEncoder,
    "grid": GridEncoder,
    "geoclip": GeoClipEncoder,
}


def new_location_encoder(config: LocationConfig) -> LocationEncoder:
    """Return a coordinate tower with weights from torch's global generator.

    Args:
        config: Kind and sizes.

    Raises:
        MissingPackageError: If the kind needs a package that is not there.
        ModelError: If the sizes do not fit the kind.
    """
    made: LocationEncoder = _KINDS[config.kind](config)
    return made
