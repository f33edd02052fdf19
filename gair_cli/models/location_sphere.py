"""Coordinate towers over encodings of the sphere: harmonics, Sphere2Vec, unit vectors, grid cells.

Each has its formula and source in its docstring; fixed parts are float64 until they are numbers
below 1. The Rust core (`geo.encodings`) has the same encodings for arrays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gair_cli.geo.encodings import sphere2vec, spherical_harmonics, unit_sphere_xyz
from gair_cli.models.location_encoder import LocationEncoder, check_lonlat, mlp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gair_cli.models.config import LocationConfig

_FIRST_FREQUENCY = 30.0
"""Of the first sine layer, as in SIREN (arXiv 2006.09661) and SatCLIP."""


def harmonics(lonlat: Tensor, degree: int) -> Tensor:
    """Return the orthonormal real spherical harmonics of degrees 0 to `degree`.

    Fully normalised associated Legendre functions by the forward recurrence over the degree
    (Holmes and Featherstone 2002, equations 11 to 13), all orders side by side.

    Args:
        lonlat: (N, 2) float64 degrees.
        degree: L, at least 0.

    Returns:
        (N, (L + 1)^2) float64; column l * l + l + m is order m of degree l, sines for m < 0,
        without the Condon-Shortley sign.

    Raises:
        ValueError: If the coordinates are not (N, 2) float64.
    """
    check_lonlat(lonlat)
    lon, lat = torch.deg2rad(lonlat).unbind(1)
    up, out = torch.sin(lat), torch.cos(lat)
    order = torch.arange(degree + 1, dtype=torch.float64, device=lonlat.device)
    angle = lon[:, None] * order
    cosines, sines = math.sqrt(2) * torch.cos(angle), math.sqrt(2) * torch.sin(angle)
    cosines[:, 0] = 1
    columns = []
    last, before = torch.zeros(lon.shape[0], 0).to(lonlat), torch.zeros(lon.shape[0], 0).to(lonlat)
    diagonal = torch.full_like(lon, math.sqrt(1 / (4 * math.pi)))
    for l in range(degree + 1):  # noqa: E741 - the name of the degree
        if l > 0:
            diagonal = diagonal * out * math.sqrt((2 * l + 1) / (2 * l))
        m = order[:l]
        scale = torch.sqrt((4.0 * l * l - 1) / (l * l - m * m))
        ratio = torch.sqrt(((l - 1.0) ** 2 - m * m).clamp(min=0) / (4 * (l - 1.0) ** 2 - 1))
        lower = torch.nn.functional.pad(before, (0, l - before.shape[1]))
        below = scale * (up[:, None] * last - ratio * lower) if l else last
        legendre = torch.cat([below, diagonal[:, None]], dim=1)  # (N, l + 1)
        negative = (legendre * sines[:, : l + 1])[:, 1:].flip(1)
        columns += [negative, legendre * cosines[:, : l + 1]]
        before, last = last, legendre
    return torch.cat(columns, dim=1)


class HarmonicsEncoder(LocationEncoder):
    """Kind `sh-siren`: spherical harmonics, then sine layers. Source: SatCLIP (arXiv 2311.17179).

    Args:
        config: `degree` (SatCLIP's L = 40 is degree 39), `hidden`, `depth`, `width`.
    """

    meets_itself = True

    def __init__(self, config: LocationConfig) -> None:
        super().__init__()
        self.width, self.degree = config.width, config.degree
        widths = [(config.degree + 1) ** 2] + [config.hidden] * config.depth
        self.hidden = nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))
        self.out = nn.Linear(config.hidden, config.width)
        for number, layer in enumerate([*self.hidden, self.out]):
            _start_siren(layer, first=number == 0)

    def features(self, lonlat: Tensor) -> Tensor:
        """Return the harmonics, (N, (degree + 1)^2)."""
        return harmonics(lonlat, self.degree).float()

    def quick_features(self, lonlat: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return `features` by the Rust core."""
        found: NDArray[np.float32] = spherical_harmonics(lonlat, self.degree)
        return found

    def embed(self, features: Tensor) -> Tensor:
        """Return what the sine layers say."""
        hidden = features
        for number, layer in enumerate(self.hidden):
            hidden = torch.sin((1.0 if number else _FIRST_FREQUENCY) * layer(hidden))
        embedded: Tensor = self.out(hidden)
        return embedded


def _start_siren(layer: nn.Module, *, first: bool) -> None:
    """Start a layer of sines as its source does: U(-1 / n, 1 / n), then U(-sqrt(6 / n), ...)."""
    if not isinstance(layer, nn.Linear):
        raise TypeError("sine layers are linear ones")
    bound = 1 / layer.in_features if first else math.sqrt(6 / layer.in_features)
    for values in (layer.weight, layer.bias):
        nn.init.uniform_(values, -bound, bound)


class XyzEncoder(LocationEncoder):
    """Kind `xyz`: the unit vector to the point, (cos lat cos lon, cos lat sin lon, sin lat), MLP.

    Args:
        config: `hidden`, `depth`, `width`.
    """

    meets_itself = True

    def __init__(self, config: LocationConfig) -> None:
        super().__init__()
        self.width = config.width
        self.network = mlp(3, config)

    def features(self, lonlat: Tensor) -> Tensor:
        """Return unit vectors, (N, 3)."""
        check_lonlat(lonlat)
        lon, lat = torch.deg2rad(lonlat).unbind(1)
        out = torch.cos(lat)
        return torch.stack([out * torch.cos(lon), out * torch.sin(lon), torch.sin(lat)], 1).float()

    def quick_features(self, lonlat: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return `features` by the Rust core."""
        found: NDArray[np.float32] = unit_sphere_xyz(lonlat, dtype="float32")
        return found

    def embed(self, features: Tensor) -> Tensor:
        """Return what the network says."""
        embedded: Tensor = self.network(features)
        return embedded


class _Scaled(LocationEncoder):
    """What divides angles in radians by radii in equal ratios, and has an MLP over the terms."""

    def __init__(self, config: LocationConfig, terms: int) -> None:
        super().__init__()
        self.width = config.width
        self.radii = (config.scales, config.min_radius, config.max_radius)
        self.network = mlp(terms, config)

    def _waves(self, lonlat: Tensor) -> tuple[Tensor, ...]:
        """Return sin lon_s, cos lon_s, sin lat_s, cos lat_s, (N, S) float64 each."""
        check_lonlat(lonlat)
        count, least, most = self.radii
        share = torch.arange(count, dtype=torch.float64, device=lonlat.device)
        radius = least * (most / least) ** (share / (max(count, 2) - 1))
        turns = lonlat[:, :, None] / (360 * radius)  # (N, 2, S)
        angle = 2 * math.pi * (turns - turns.round())  # whole turns are gone
        lon, lat = angle.unbind(1)
        return torch.sin(lon), torch.cos(lon), torch.sin(lat), torch.cos(lat)

    def embed(self, features: Tensor) -> Tensor:
        """Return what the network says."""
        embedded: Tensor = self.network(features)
        return embedded


class Sphere2VecEncoder(_Scaled):
    """Kind `sphere2vec`: the form sphereM+ of several radii, MLP. Source: Mai et al. 2023.

    With x and y the angles in radians and x_s, y_s those over radius r_s, a scale has the terms
    sin y_s, cos y_s, sin x_s, cos x_s, cos y_s cos x, cos y cos x_s, cos y_s sin x, cos y sin x_s.
    Over the antimeridian it goes on only where 1 / r_s is whole.

    Args:
        config: `scales`, `min_radius`, `max_radius`, `hidden`, `depth`, `width`.
    """

    def __init__(self, config: LocationConfig) -> None:
        super().__init__(config, 8 * config.scales)

    def features(self, lonlat: Tensor) -> Tensor:
        """Return the terms scale by scale, (N, 8 S)."""
        sin_lon, cos_lon, sin_lat, cos_lat = self._waves(lonlat)
        lon, lat = torch.deg2rad(lonlat)[:, :, None].unbind(1)
        terms = [
            sin_lat, cos_lat, sin_lon, cos_lon,
            cos_lat * torch.cos(lon), torch.cos(lat) * cos_lon,
            cos_lat * torch.sin(lon), torch.cos(lat) * sin_lon,
        ]  # fmt: skip
        return torch.stack(terms, dim=2).flatten(1).float()

    def quick_features(self, lonlat: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return `features` by the Rust core."""
        scales, least, most = self.radii
        found: NDArray[np.float32] = sphere2vec(
            lonlat, "m+", scales=scales, min_radius=least, max_radius=most
        )
        return found


class GridEncoder(_Scaled):
    """Kind `grid`: sines and cosines of longitude and latitude over several radii, MLP.

    The grid form of Space2Vec (arXiv 2003.00824), with angles in radians: sin x_s, cos x_s, sin
    y_s, cos y_s. Over the antimeridian it goes on only where 1 / r_s is whole.

    Args:
        config: `scales`, `min_radius`, `max_radius`, `hidden`, `depth`, `width`.
    """

    def __init__(self, config: LocationConfig) -> None:
        super().__init__(config, 4 * config.scales)

    def features(self, lonlat: Tensor) -> Tensor:
        """Return the terms scale by scale, (N, 4 S)."""
        return torch.stack(self._waves(lonlat), dim=2).flatten(1).float()
