"""What a model is made of, as values: towers, their inputs, the query, the heads.

A preset's `[model]` table, a `--config` file's and a model folder's `config.json` hold the same
keys; `--set model.rs.depth=2` changes one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gair_cli.data.transforms import BandStatistics, RsInput, SvInput, band_positions
from gair_cli.errors import UsageError
from gair_cli.models.timm_models import normalisation
from gair_cli.presets import read_preset
from gair_cli.presets.typed import build, merge_tables, to_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Tower: TypeAlias = Literal["rs", "sv", "location"]
QueryMode: TypeAlias = Literal["nili", "nili-fine", "bilinear", "bicubic", "mean"]

TOWERS: tuple[Tower, ...] = ("rs", "sv", "location")

_MOST_DEGREES = 100
"""Of harmonics: (L + 1)^2 features."""


@dataclass(frozen=True, slots=True)
class RsConfig:
    """The satellite tower: a ViT with 2-D ALiBi, or a timm model by its name.

    Attributes:
        input: Bands, statistics and size of a tile.
        patch: Pixels on a side of one patch; divides the input's size.
        width: Width of a token, which is the tower's output dimension.
        depth: Number of blocks.
        heads: Attention heads; divides the width.
        name: A timm model's name: its feature map takes the place of the tokens, and patch, width,
            depth and heads count for nothing.
        stage: Which of its feature maps: -1 is the last, -2 the one before.
    """

    input: RsInput
    patch: int = 8
    width: int = 768
    depth: int = 12
    heads: int = 16
    name: str | None = None
    stage: int = -1

    def __post_init__(self) -> None:
        """Refuse sizes that do not divide."""
        if self.name is not None:
            return
        _at_least_one("model.rs", patch=self.patch, width=self.width, depth=self.depth)
        if self.heads < 1 or self.width % self.heads:
            raise UsageError(f"model.rs.width {self.width} is no multiple of {self.heads} heads")
        if self.input.size % self.patch:
            raise UsageError(
                f"model.rs.input.size {self.input.size} is no multiple of patch {self.patch}"
            )


@dataclass(frozen=True, slots=True)
class SvConfig:
    """The street-photo tower: any timm model.

    Attributes:
        input: Size and normalisation of a photo.
        name: The model's name in timm.
        norm_eps: Epsilon of a ViT's layer norms, where it is not timm's own.
        pooler: Whether tanh(linear(feature)) follows, as in Hugging Face's `ViTModel`.
        pool: timm's `global_pool`, where it is not the model's own: avg, token, map...
    """

    input: SvInput
    name: str
    norm_eps: float | None = None
    pooler: bool = False
    pool: str | None = None


LocationKind: TypeAlias = Literal[
    "rff", "rff-transformer", "sh-siren", "sphere2vec", "xyz", "grid", "geoclip"
]


@dataclass(frozen=True, slots=True)
class LocationConfig:
    """The coordinate tower: a fixed encoding of the place and a network over it.

    Attributes:
        sigmas: Standard deviation of the frequencies, one a scale, in waves per 20,000 km: 256
            turns once in some 80 km, 32768 once in some 600 m (`rff`, `rff-transformer`).
        frequencies: Frequencies a scale; twice as many features (`rff`, `rff-transformer`).
        hidden: Width of the network's hidden layers.
        depth: Number of hidden layers.
        width: Output dimension.
        kind: `rff` is the released one: random Fourier features of several scales, one MLP a
            scale, summed; `rff-transformer` lets the scales attend to each other; `sh-siren` is
            SatCLIP's; `sphere2vec`, `xyz` and `grid` (Space2Vec) have one MLP over their terms;
            `geoclip` is `rff` with GeoCLIP's weights.
        degree: Highest degree of the harmonics (`sh-siren`).
        scales: Number of radii (`sphere2vec`, `grid`).
        min_radius: The smallest radius: 1 / 1000 turns once in some 40 km at the equator.
        max_radius: The largest.
        blocks: Transformer blocks over the scales (`rff-transformer`).
        heads: Their attention heads; divides the width.
    """

    sigmas: tuple[float, ...] = (1.0, 16.0, 256.0)
    frequencies: int = 256
    hidden: int = 1024
    depth: int = 3
    width: int = 768
    kind: LocationKind = "rff"
    degree: int = 39
    scales: int = 16
    min_radius: float = 1e-3
    max_radius: float = 1.0
    blocks: int = 1
    heads: int = 8

    def __post_init__(self) -> None:
        """Refuse an encoder without scales or layers."""
        _at_least_one("model.location", frequencies=self.frequencies, hidden=self.hidden,
                      depth=self.depth, width=self.width, scales=self.scales, blocks=self.blocks,
                      heads=self.heads)  # fmt: skip
        if not self.sigmas or not all(0 < sigma < math.inf for sigma in self.sigmas):
            raise UsageError(f"model.location.sigmas is {list(self.sigmas)}, wanted positive ones")
        if not 0 <= self.degree <= _MOST_DEGREES:
            raise UsageError(f"model.location.degree is {self.degree}, wanted 0 to {_MOST_DEGREES}")
        if not 0 < self.min_radius <= self.max_radius < math.inf:
            raise UsageError("model.location.min_radius is above 0 and at most max_radius")
        if self.kind == "rff-transformer" and self.width % self.heads:
            raise UsageError(
                f"model.location.width {self.width} is no multiple of {self.heads} heads"
            )


@dataclass(frozen=True, slots=True)
class FineConfig:
    """The fine path of query `nili-fine`: maps of the pixels, read over a footprint.

    Attributes:
        channels: Channels of the maps at 1, 2, 4... pixels.
        hidden: Width of the head's hidden layer.
        points: Points that stand for a footprint.
        pixel_m: Metres a pixel of the tower's input, where a tile does not say how large it is.
    """

    channels: tuple[int, ...] = (48, 64, 96)
    hidden: int = 256
    points: int = 12
    pixel_m: float = 10.0

    def __post_init__(self) -> None:
        """Refuse a path without maps."""
        _at_least_one("model.fine", hidden=self.hidden, points=self.points)
        if not self.channels or min(self.channels) < 1:
            raise UsageError(f"model.fine.channels is {list(self.channels)}, wanted positive ones")
        if not 0 < self.pixel_m < math.inf:
            raise UsageError(f"model.fine.pixel_m is {self.pixel_m}, wanted above 0")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A whole model.

    Attributes:
        dim: Dimension of the joint space.
        rs: The satellite tower, or None.
        sv: The photo tower, or None.
        location: The coordinate tower, or None.
        query: How a tile is read at a position: `nili`, with finer maps and a footprint
            `nili-fine`, or by tokens alone `bilinear`, `bicubic`; `mean` reads no position.
        nili_start: Where NILI starts: `identity` reads like bilinear from the first step (ours),
            `random` is the paper's.
        nili_hidden: Width of a hidden layer of NILI's head; 0 is the paper's one linear layer.
        nili_frequencies: Fourier features of NILI's offsets; 0 is the paper's, the offset alone.
        fine: The fine path, for query `nili-fine`.
        heads: Modalities with a linear head into the joint space; the others enter it as they are.
        temperature: Where the temperature starts.
        learn_temperature: Whether it is learnt; else it stays.
    """

    dim: int = 768
    rs: RsConfig | None = None
    sv: SvConfig | None = None
    location: LocationConfig | None = None
    query: QueryMode = "nili"
    nili_start: Literal["identity", "random"] = "identity"
    nili_hidden: int = 0
    nili_frequencies: int = 0
    fine: FineConfig = field(default_factory=FineConfig)
    heads: tuple[Tower, ...] = TOWERS
    temperature: float = 0.07
    learn_temperature: bool = True

    def __post_init__(self) -> None:
        """Refuse a model of nothing."""
        if not self.towers:
            raise UsageError("a model needs a tower", hint=f"set one of model.{', '.join(TOWERS)}")
        _at_least_one("model", dim=self.dim)
        if self.nili_hidden < 0 or self.nili_frequencies < 0:
            raise UsageError("model.nili_hidden and model.nili_frequencies are 0 or more")
        if self.reads_footprints and self.rs is not None:
            smallest = 2 ** (len(self.fine.channels) - 1)
            if self.rs.input.size < 2 * smallest:
                raise UsageError(
                    f"model.fine.channels has {len(self.fine.channels)} maps, too many for tiles "
                    f"of {self.rs.input.size} pixels"
                )
        if not 0 < self.temperature < math.inf:
            raise UsageError(f"model.temperature is {self.temperature}, wanted above 0")

    @property
    def towers(self) -> tuple[Tower, ...]:
        """The towers that are there, in the order rs, sv, location."""
        return tuple(name for name in TOWERS if getattr(self, name) is not None)

    @property
    def reads_footprints(self) -> bool:
        """Whether a query has a radius: tiles are read over a disc, pixels and tokens."""
        return self.rs is not None and self.query == "nili-fine"

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ModelConfig:
        """Return the config that a `[model]` table describes.

        Args:
            table: Nested tables, complete with bands and statistics where there is `rs`.

        Returns:
            A checked config.

        Raises:
            UsageError: If a key is unknown or missing, or a value makes no sense.
        """
        return build(cls, table, "model")

    def to_dict(self) -> dict[str, Any]:
        """Return plain tables for TOML or JSON, from which `from_dict` makes the same config."""
        tables: dict[str, Any] = to_table(self)
        return tables

    def only(self, towers: Collection[Tower]) -> ModelConfig:
        """Return the same config without the towers that are not named.

        Raises:
            UsageError: If no tower is left.
        """
        return replace(
            self,
            rs=self.rs if "rs" in towers else None,
            sv=self.sv if "sv" in towers else None,
            location=self.location if "location" in towers else None,
        )


def _at_least_one(where: str, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise UsageError(f"{where}.{name} is {size}, wanted at least 1")


def preset_config(
    name: str,
    *,
    bands: BandStatistics | None = None,
    overrides: Mapping[str, Any] | None = None,
    towers: Collection[Tower] = TOWERS,
) -> ModelConfig:
    """Return a preset's model, made to fit the data.

    Args:
        name: One of `presets.preset_names()`.
        bands: Bands and statistics of the tile set, for a preset that names none.
        overrides: A `[model]` table that goes on top, for example from `parse_settings`.
        towers: Towers to keep: those whose half of the data is there.

    Returns:
        A complete config.

    Raises:
        ModelError: If there is no such preset.
        UsageError: If a setting is unknown or makes no sense, or the bands are not known.
    """
    table = merge_tables(read_preset(name)["model"], overrides or {})
    return model_config(table, bands=bands, towers=towers)


def model_config(
    table: Mapping[str, Any],
    *,
    bands: BandStatistics | None = None,
    towers: Collection[Tower] = TOWERS,
) -> ModelConfig:
    """Return the model of a `[model]` table, made to fit the data; see `preset_config`.

    Raises:
        UsageError: If a setting is unknown or makes no sense, or the bands are not known.
        DataError: If a named band is not in the tile set.
    """
    kept = {key: value for key, value in table.items() if key not in TOWERS or key in towers}
    rs = kept.get("rs")
    if isinstance(rs, dict):
        kept["rs"] = {**rs, "input": _fill_bands(rs.get("input", {}), bands)}
    sv = kept.get("sv")
    if isinstance(sv, dict):
        kept["sv"] = {**sv, "input": _fill_colours(sv.get("input", {}), sv.get("name"))}
    return ModelConfig.from_dict(kept)


def _fill_colours(table: Mapping[str, Any], name: object) -> Mapping[str, Any]:
    """Return the photo input's table with the mean and deviation that timm's model expects."""
    if not isinstance(table, dict) or "mean" in table or "std" in table:
        return table
    known = normalisation(name) if isinstance(name, str) else None
    return table if known is None else {**table, "mean": list(known[0]), "std": list(known[1])}


def _fill_bands(table: Mapping[str, Any], bands: BandStatistics | None) -> Mapping[str, Any]:
    """Return the input's table with bands, mean, std and nodata taken from the data."""
    if not isinstance(table, dict) or "mean" in table:
        return table
    if bands is None:
        raise UsageError(
            "model.rs.input has no bands", hint="a tile set gives them, or name bands, mean and std"
        )
    names = table.get("bands", list(bands.names))
    is_list = isinstance(names, list | tuple) and len(names) > 0
    if not is_list or not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"model.rs.input.bands is {names!r}, wanted a list of names", hint='like ["B2", "B8"]'
        )
    at = band_positions(names, bands.names)
    found: dict[str, Any] = {
        "bands": list(names),
        "mean": [bands.mean[i] for i in at],
        "std": [bands.std[i] for i in at],
    }
    if bands.nodata is not None:
        found["nodata"] = bands.nodata
    return {**table, **found}
