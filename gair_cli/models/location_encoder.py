"""The coordinate tower: one interface, and the released encoder behind it.

An encoder is a fixed encoding of longitude and latitude, computed from float64, and a network over
it in float32 that never runs under autocast: at sigma 256 bfloat16 would be wrong by radians.

`rff` is the released one. Source: GAIR (arXiv 2503.16683) takes GeoCLIP's encoder (arXiv
2309.16020): Equal Earth projection (Savric, Patterson, Jenny 2018), then random Fourier features of
several scales, an MLP a scale, summed. Ours counts whole waves away in float64 before anything
becomes float32. `rff-transformer` lets the scales look at each other before they are merged
(UniGeoCLIP's finding). The encodings on the sphere are in `location_sphere`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from gair_cli.geo.encodings import random_fourier_features
from gair_cli.models.rs_encoder import Block

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gair_cli.models.config import LocationConfig

_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_SCALE = 66.50336 / 180
_CONSTANTS = (
    _A1, _A2, _A3, _A4, math.sqrt(3) / 2, 2 * math.sqrt(3) / 3, _SCALE, math.pi / 180,
)  # fmt: skip


def equal_earth(lonlat: Tensor) -> Tensor:
    """Project coordinates onto the plane of the released encoder.

    Args:
        lonlat: (N, 2) float64 degrees, longitude first.

    Returns:
        (N, 2) float64: Equal Earth x and y on the unit sphere, times 66.50336 / 180, so about
        -1..1 by -0.49..0.49.

    Raises:
        ValueError: If the coordinates are not (N, 2) float64.
    """
    check_lonlat(lonlat)
    # numbers of their own tensors: exporters may round others to float32
    a1, a2, a3, a4, half_root, x_scale, scale, radian = lonlat.new_tensor(_CONSTANTS).unbind()
    lon, lat = (lonlat * radian).unbind(1)
    theta = _arcsine(half_root * torch.sin(lat))
    square = theta * theta
    six = square * square * square
    slope = a1 + 3 * a2 * square + six * (7 * a3 + 9 * a4 * square)
    x = x_scale * lon * torch.cos(theta) / slope
    y = theta * (a1 + a2 * square + six * (a3 + a4 * square))
    return torch.stack([x, y], dim=1) * scale


def _arcsine(sine: Tensor) -> Tensor:
    """Return the arcsine of float64 numbers up to sin(60 degrees).

    Runtimes of exported programs have it in float32 alone: there, two of Newton's steps, which
    square the error, follow.
    """
    if not torch.compiler.is_compiling():
        return torch.asin(sine)
    angle = torch.asin(sine.float()).double()
    for _ in range(2):
        angle = angle - (torch.sin(angle) - sine) / torch.cos(angle)
    return angle


def check_lonlat(lonlat: Tensor) -> None:
    """Refuse coordinates of another shape or precision.

    Raises:
        ValueError: If they are not (N, 2) float64.
    """
    if lonlat.ndim != 2 or lonlat.shape[1] != 2 or lonlat.dtype != torch.float64:  # noqa: PLR2004
        shape = tuple(lonlat.shape)
        raise ValueError(f"coordinates are {shape} {lonlat.dtype}, wanted (N, 2) float64")


class FourierScale(nn.Module):
    """One scale: fixed random frequencies, their cosines and sines, an MLP.

    Args:
        config: Number of frequencies, hidden width, depth and output width.
        sigma: Standard deviation of the frequencies.
    """

    frequencies: Tensor

    def __init__(self, config: LocationConfig, sigma: float) -> None:
        super().__init__()
        frequencies = torch.empty(config.frequencies, 2)
        if not frequencies.is_meta:  # drawing on no device loads the whole compiler, for seconds
            frequencies.normal_().mul_(sigma)
        self.register_buffer("frequencies", frequencies)
        widths = [2 * config.frequencies] + [config.hidden] * config.depth
        self.hidden = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.out = nn.Linear(config.hidden, config.width)

    def features(self, plane: Tensor) -> Tensor:
        """Return [cos, sin] of 2 pi frequencies . position.

        Args:
            plane: (N, 2) float64 from `equal_earth`.

        Returns:
            (N, 2 F) float32 on the frequencies' device; all cosines first.
        """
        waves = plane @ self.frequencies.to(plane).T  # (N, F) float64
        turns = (waves - waves.round()).to(
            self.frequencies
        )  # whole waves are gone: float32 will do
        angle = 2 * math.pi * turns
        return torch.cat([torch.cos(angle), torch.sin(angle)], dim=1)

    def forward(self, plane: Tensor) -> Tensor:
        """Return this scale's part of the embedding, (N, D)."""
        return self.embed(self.features(plane))

    def embed(self, features: Tensor) -> Tensor:
        """Return this scale's part of the embedding, (N, D), from its features (N, 2 F)."""
        hidden = features
        for layer in self.hidden:
            hidden = torch.relu(layer(hidden))
        embedded: Tensor = self.out(hidden)
        return embedded


class LocationEncoder(nn.Module):
    """Coordinates (N, 2) in degrees become vectors (N, D); the base of all kinds.

    Attributes:
        width: D.
        meets_itself: Whether the encoding goes on over the antimeridian without a step.
    """

    width: int
    meets_itself: bool = False

    def features(self, lonlat: Tensor) -> Tensor:
        """Return the fixed encoding.

        Args:
            lonlat: (N, 2) float64 degrees, longitude first.

        Returns:
            (N, F) float32.
        """
        raise NotImplementedError

    def quick_features(self, lonlat: NDArray[np.float64]) -> NDArray[np.float32] | None:
        """Return `features` of an array by the Rust core, a fraction of the time on a CPU.

        Args:
            lonlat: (N, 2) degrees.

        Returns:
            (N, F), or None where the core has no such encoding.
        """
        del lonlat
        return None

    def embed(self, features: Tensor) -> Tensor:
        """Return the embedding (N, D) float32 of a fixed encoding (N, F)."""
        raise NotImplementedError

    def forward(self, lonlat: Tensor) -> Tensor:
        """Return the embedding of each coordinate.

        Args:
            lonlat: (N, 2) float64 degrees, longitude first.

        Returns:
            (N, D) float32, not normalised, in float32 even under autocast.

        Raises:
            ValueError: If the coordinates are not (N, 2) float64.
        """
        device = next(self.parameters()).device
        with torch.autocast(device.type, enabled=False):
            return self.embed(self.features(lonlat).to(device))


class FourierEncoder(LocationEncoder):
    """Kind `rff`: random Fourier features of several scales, an MLP a scale, summed.

    +180 and -180 degrees are different points of the map, as in the release.

    Args:
        config: Scales and sizes; the frequencies are drawn from torch's global generator and saved
            with the weights.
    """

    def __init__(self, config: LocationConfig) -> None:
        super().__init__()
        self.width = config.width
        self.scales = nn.ModuleList(FourierScale(config, sigma) for sigma in config.sigmas)

    def features(self, lonlat: Tensor) -> Tensor:
        """Return cosines and sines scale by scale, (N, 2 S F)."""
        plane = equal_earth(lonlat)
        return torch.cat([scale.features(plane) for scale in self._scales()], dim=1)

    def quick_features(self, lonlat: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return `features` by the Rust core."""
        found: NDArray[np.float32] = random_fourier_features(lonlat, self.directions().numpy())
        return found

    def embed(self, features: Tensor) -> Tensor:
        """Return the sum of what the scales' networks say."""
        return torch.stack(self.parts(features)).sum(dim=0)

    def parts(self, features: Tensor) -> list[Tensor]:
        """Return what each scale says, (N, D) each."""
        shares = features.chunk(len(self.scales), dim=1)
        return [scale.embed(part) for scale, part in zip(self._scales(), shares, strict=True)]

    def directions(self) -> Tensor:
        """Return the fixed frequencies of all scales, (S, F, 2) float64 on the CPU."""
        found = [scale.frequencies for scale in self._scales()]
        return torch.stack(found).double().cpu()

    def _scales(self) -> list[FourierScale]:
        return cast("list[FourierScale]", list(self.scales))


class FourierTransformer(FourierEncoder):
    """Kind `rff-transformer`: the scales' vectors attend to each other, then are averaged.

    Args:
        config: As of `rff`, and `blocks`, `heads`.
    """

    def __init__(self, config: LocationConfig) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)

    def embed(self, features: Tensor) -> Tensor:
        """Return the mean over the scales after the blocks."""
        tokens = torch.stack(self.parts(features), dim=1)  # (N, S, D)
        for block in self.blocks:
            tokens = block(tokens, None)
        merged: Tensor = self.norm(tokens).mean(dim=1)
        return merged


def mlp(width_in: int, config: LocationConfig) -> nn.Sequential:
    """Return ReLU layers over an encoding, and the linear one into the tower's space."""
    widths = [width_in] + [config.hidden] * config.depth
    layers: list[nn.Module] = []
    for old, new in pairwise(widths):
        layers += [nn.Linear(old, new), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(config.hidden, config.width))
