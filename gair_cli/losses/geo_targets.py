"""Geo-aware targets: which candidates are no negatives because they are (almost) the same place.

Source: SW-CLIP (arXiv 2604.04357) softens targets by distance; the hard mask of the nearest is
ours. Distances are great circles on the mean sphere (haversine) in float64: in float32 two photos
25 m apart would be anywhere from 0 to 60 m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from gair_cli.records import EARTH_RADIUS_M

if TYPE_CHECKING:
    from torch import Tensor

    from gair_cli.losses.config import GeoTargets


class Targets(NamedTuple):
    """What a row should find among its candidates.

    Attributes:
        weight: (B, N) float32 >= 0; candidate i of row i weighs 1.
        keep: (B, N) bool; False takes a candidate out of the comparison altogether.
    """

    weight: Tensor
    keep: Tensor

    def reverse(self) -> Targets:
        """Return the targets of the first B candidates among the rows, (B, B)."""
        rows = len(self.weight)
        return Targets(self.weight[:, :rows].T, self.keep[:, :rows].T)

    def of_rows(self, first: int, last: int) -> Targets:
        """Return the targets (last - first, N) of some rows."""
        return Targets(self.weight[first:last], self.keep[first:last])

    def of_candidates(self, first: int, last: int) -> Targets:
        """Return the targets (last - first, B) of some of the first B candidates."""
        whole = self.reverse()
        return Targets(whole.weight[first:last], whole.keep[first:last])


class TargetSource(Protocol):
    """Whatever gives targets part by part: `Targets` themselves, or `TargetsByPlace`."""

    def of_rows(self, first: int, last: int) -> Targets:
        """Return the targets of rows among all candidates."""

    def of_candidates(self, first: int, last: int) -> Targets:
        """Return the targets of the first B candidates among the rows."""


def rows_of(source: TargetSource | None, first: int, last: int) -> Targets | None:
    """Return the targets of rows, None without any."""
    return None if source is None else source.of_rows(first, last)


def candidates_of(source: TargetSource | None, first: int, last: int) -> Targets | None:
    """Return the targets of candidates among the rows, None without any."""
    return None if source is None else source.of_candidates(first, last)


@dataclass(frozen=True, slots=True)
class TargetsByPlace:
    """Targets made of coordinates when they are asked for, a few rows at a time.

    Attributes:
        lonlat: (B, 2) float64 degrees of the rows.
        candidates: (N, 2) float64 degrees with N >= B; candidate i < B is row i's own.
        config: The distances.
    """

    lonlat: Tensor
    candidates: Tensor
    config: GeoTargets

    def of_rows(self, first: int, last: int) -> Targets:
        """Return the targets of rows among all candidates."""
        return _targets(self.lonlat[first:last], self.candidates, first, self.config)

    def of_candidates(self, first: int, last: int) -> Targets:
        """Return the targets of the first B candidates among the rows."""
        return _targets(self.candidates[first:last], self.lonlat, first, self.config)


def haversine_m(a: Tensor, b: Tensor) -> Tensor:
    """Return great-circle distances.

    Args:
        a: (B, 2) float64 degrees, longitude first.
        b: (N, 2) float64 degrees.

    Returns:
        (B, N) float64 metres on a sphere of the Earth's mean radius.

    Raises:
        ValueError: If an input is not float64.
    """
    if a.dtype != torch.float64 or b.dtype != torch.float64:
        raise ValueError(f"coordinates are {a.dtype} and {b.dtype}, wanted float64")
    lon_a, lat_a = torch.deg2rad(a).unbind(1)
    lon_b, lat_b = torch.deg2rad(b).unbind(1)
    north = torch.sin((lat_b[None, :] - lat_a[:, None]) / 2) ** 2
    east = torch.sin((lon_b[None, :] - lon_a[:, None]) / 2) ** 2
    chord = north + torch.cos(lat_a)[:, None] * torch.cos(lat_b)[None, :] * east
    return 2 * EARTH_RADIUS_M * torch.asin(chord.clamp(0, 1).sqrt())


def geo_targets(lonlat: Tensor, candidates: Tensor, config: GeoTargets) -> Targets:
    """Return the targets of B places among N candidates.

    Args:
        lonlat: (B, 2) float64 degrees.
        candidates: (N, 2) float64 degrees with N >= B; candidate i < B is row i's own.
        config: The distances.

    Returns:
        Targets on the device of `lonlat`.

    Raises:
        ValueError: If an input is not float64 or there are fewer candidates than rows.
    """
    if len(candidates) < len(lonlat):
        raise ValueError(f"{len(candidates)} candidates for {len(lonlat)} rows: each needs its own")
    return TargetsByPlace(lonlat, candidates, config).of_rows(0, len(lonlat))


def _targets(lonlat: Tensor, candidates: Tensor, first: int, config: GeoTargets) -> Targets:
    """Return the targets of places whose own candidates begin at `first`."""
    distance = haversine_m(lonlat, candidates)
    own = torch.zeros_like(distance, dtype=torch.bool)
    own.diagonal(offset=first).fill_(value=True)
    keep = own | (distance >= config.r_mask_m)
    soft = keep & (distance < config.r_soft_m)
    weight = torch.where(soft, torch.exp(-distance / config.scale_m), 0.0)
    return Targets(weight.masked_fill(own, 1.0).float(), keep)
