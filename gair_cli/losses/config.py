"""What a recipe says about losses, as values; no tensors here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gair_cli.errors import UsageError

Pair: TypeAlias = Literal["incl", "secl_sv", "secl_rs"]

PAIRS: tuple[Pair, ...] = ("incl", "secl_sv", "secl_rs")
"""Photo with place, photo with coordinate, place with coordinate."""

Form: TypeAlias = Literal["infonce", "sigmoid", "global"]


@dataclass(frozen=True, slots=True)
class GeoTargets:
    """Distances that decide.

    Attributes:
        r_mask_m: Other candidates nearer than this many metres are not compared; 0 is off.
        r_soft_m: From `r_mask_m` up to this many metres a candidate is a soft target of weight
            exp(-distance / `scale_m`); not above `r_mask_m` is off.
        scale_m: Metres in which the weight falls to 1 / e.
    """

    r_mask_m: float = 25.0
    r_soft_m: float = 0.0
    scale_m: float = 25.0

    def __post_init__(self) -> None:
        """Refuse distances that make no sense."""
        if min(self.r_mask_m, self.r_soft_m) < 0 or self.scale_m <= 0:
            raise UsageError(
                f"geo targets of {self.r_mask_m}, {self.r_soft_m}, {self.scale_m} m: wanted "
                "0 or more, and a scale above 0"
            )


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Which pairs count, how much, in which form, and what is no negative.

    Attributes:
        pairs: Pairs in use; one whose modality a batch lacks is skipped.
        incl_weight: Weight of `incl`.
        secl_weight: Weight of `secl_sv` and of `secl_rs`.
        symmetric: Whether SECL also finds the photo or place of a coordinate; the paper's is
            one-way. INCL always goes both ways. The sigmoid form knows no ways.
        geo: Geo-aware targets, or None: every other candidate is a negative.
        form: `infonce` (the paper's), `sigmoid` (each pair of row and candidate on its own), or
            `global` (contrast with all rows of the data, by a memory of each row).
        sigmoid_bias: Where the sigmoid form's learnable bias starts.
        gamma_end: Share of the present batch in the global form's memory at the end of the run; it
            falls there from 1 along a cosine.
        tile_rows: Rows that are compared at once; 0 is all. Smaller needs less memory: the scores
            of a batch of 32,768 take 4 GiB whole, and are computed twice in tiles.
    """

    pairs: tuple[Pair, ...] = PAIRS
    incl_weight: float = 1.0
    secl_weight: float = 1.0
    symmetric: bool = True
    geo: GeoTargets | None = None
    form: Form = "infonce"
    sigmoid_bias: float = -10.0
    gamma_end: float = 0.2
    tile_rows: int = 0

    def __post_init__(self) -> None:
        """Refuse a loss of nothing, and forms that cannot do what is asked."""
        if not self.pairs:
            raise UsageError(
                "recipe.loss.pairs is empty, wanted one or more",
                hint=f"known there: {', '.join(PAIRS)}",
            )
        if self.tile_rows < 0:
            raise UsageError(f"recipe.loss.tile_rows is {self.tile_rows}, wanted 0 or more")
        if not 0 < self.gamma_end <= 1:
            raise UsageError(f"recipe.loss.gamma_end is {self.gamma_end}, wanted above 0, up to 1")
