"""The coordinate tower: random Fourier features of several scales, one MLP a scale, summed.

Source: GAIR (arXiv 2503.16683) takes GeoCLIP's encoder (arXiv 2309.16020): Equal Earth projection
(Savric, Patterson, Jenny 2018), then features of frequencies drawn from N(0, sigma^2). Ours counts
whole waves away in float64 before anything becomes float32, and never runs under autocast: at sigma
256 bfloat16 would be wrong by radians.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from gair_cli.models.config import LocationConfig

_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_SCALE = 66.50336 / 180


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
    if lonlat.ndim != 2 or lonlat.shape[1] != 2 or lonlat.dtype != torch.float64:  # noqa: PLR2004
        shape = tuple(lonlat.shape)
        raise ValueError(f"coordinates are {shape} {lonlat.dtype}, wanted (N, 2) float64")
    lon, lat = torch.deg2rad(lonlat).unbind(1)
    theta = torch.asin(math.sqrt(3) / 2 * torch.sin(lat))
    square = theta * theta
    six = square * square * square
    slope = _A1 + 3 * _A2 * square + six * (7 * _A3 + 9 * _A4 * square)
    x = 2 * math.sqrt(3) / 3 * lon * torch.cos(theta) / slope
    y = theta * (_A1 + _A2 * square + six * (_A3 + _A4 * square))
    return torch.stack([x, y], dim=1) * _SCALE


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
    """Coordinates (N, 2) in degrees become vectors (N, D): the sum over the scales.

    Args:
        config: Scales and sizes; the frequencies are drawn from torch's global generator and saved
            with the weights.
    """

    def __init__(self, config: LocationConfig) -> None:
        super().__init__()
        self.width = config.width
        self.scales = nn.ModuleList(FourierScale(config, sigma) for sigma in config.sigmas)

    def forward(self, lonlat: Tensor) -> Tensor:
        """Return the embedding of each coordinate.

        Args:
            lonlat: (N, 2) float64 degrees, longitude first; +180 and -180 are different points of
                the map, as in the release.

        Returns:
            (N, D) float32, not normalised, in float32 even under autocast.
        """
        device = next(self.parameters()).device
        with torch.autocast(device.type, enabled=False):
            plane = equal_earth(lonlat)
            parts = [scale(plane) for scale in self.scales]
            return torch.stack(parts).sum(dim=0)

    def directions(self) -> Tensor:
        """Return the fixed frequencies of all scales, (S, F, 2) float64 on the CPU."""
        found = [scale.frequencies for scale in self._scales()]
        return torch.stack(found).double().cpu()

    def from_features(self, features: Tensor) -> Tensor:
        """Return the embedding (N, D) from the features of all scales, (N, 2 S F) float32.

        The features are those of `geo.encodings.random_fourier_features` with `directions()`: on a
        CPU they take a fraction of the time that `forward` spends on them.
        """
        shares = features.chunk(len(self.scales), dim=1)
        parts = [scale.embed(part) for scale, part in zip(self._scales(), shares, strict=True)]
        return torch.stack(parts).sum(dim=0)

    def _scales(self) -> list[FourierScale]:
        return cast("list[FourierScale]", list(self.scales))
