"""The model: up to three towers, a query that reads a tile at a position, heads, a temperature.

Source: GAIR (arXiv 2503.16683). RS and location alone make a SatCLIP-like model, SV and location a
GeoCLIP-like one. Every parameter gets a gradient when the batch has what the towers take.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch
from torch import Tensor, nn

from gair_cli.data.embeddings import Embeddings
from gair_cli.errors import ModelError
from gair_cli.models.field import TileField
from gair_cli.models.fine import FinePath, beyond, footprint
from gair_cli.models.heads import Heads
from gair_cli.models.location_kinds import new_location_encoder
from gair_cli.models.nili import Nili
from gair_cli.models.rs_encoder import RsEncoder, RsTower
from gair_cli.models.rs_timm import TimmRsEncoder
from gair_cli.models.sampling import read_bicubic, read_bilinear
from gair_cli.models.sv_encoder import SvEncoder

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from gair_cli.data.batch import Batch
    from gair_cli.models.config import ModelConfig, RsConfig, Tower
    from gair_cli.records import Modality

M = TypeVar("M", bound=nn.Module)

_NILI = ("nili", "nili-fine")

MAX_LOGIT_SCALE = 100.0
"""Largest 1 / temperature, as in CLIP (arXiv 2103.00020)."""


class GairModel(nn.Module):
    """One embedding space for satellite tiles, street photos and coordinates.

    Axis letters are those of `data.batch`. Random weights come from torch's global generator; use
    `new_model` for a seed of their own.

    Args:
        config: Towers, query, heads and temperature.

    Attributes:
        towers_dtype: Number type in which the satellite and the photo tower compute (autocast), or
            None for that of their weights. Location, query and heads are never cast: a frequency
            of 256 turns by radians in bfloat16.

    Raises:
        ModelError: If a tower cannot be built, or without a head does not fit the joint space.
    """

    logit_scale: Tensor
    towers_dtype: torch.dtype | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.towers_dtype = None
        self.frozen: list[nn.Module] = []
        self.rs = _start_rs(config.rs) if config.rs else None
        self.sv = SvEncoder(config.sv) if config.sv else None
        self.location = new_location_encoder(config.location) if config.location else None
        width = 0 if self.rs is None else self.rs.width
        self.nili = _start_nili(config, width) if width and config.query in _NILI else None
        self.fine = _start_fine(config, width) if config.reads_footprints else None
        self.head = Heads(config, {name: self.width(name) for name in config.towers})
        logit_scale = torch.tensor(-math.log(config.temperature), dtype=torch.float32)
        if config.learn_temperature:
            self.logit_scale = nn.Parameter(logit_scale)
        else:
            self.register_buffer("logit_scale", logit_scale)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Set training or evaluation mode; parts in `frozen` stay in evaluation mode."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    @property
    def has_rs(self) -> bool:
        """Whether there is a satellite tower."""
        return self.rs is not None

    @property
    def has_sv(self) -> bool:
        """Whether there is a photo tower."""
        return self.sv is not None

    @property
    def has_location(self) -> bool:
        """Whether there is a coordinate tower."""
        return self.location is not None

    def width(self, modality: Modality) -> int:
        """Return how many numbers a modality has before its head (space `encoder`).

        Raises:
            ModelError: If the model has no such tower.
        """
        if modality == "sv":
            return self._present(self.sv, modality).width
        if modality == "location":
            return self._present(self.location, modality).width
        return self._present(self.rs, modality).width

    def encode_rs(self, rs: Tensor) -> Tensor:
        """Return token grids (T, D, h, w) of tiles (T, C, H, W) prepared by `config.rs.input`.

        Raises:
            ModelError: If the model has no satellite tower.
        """
        tower = self._present(self.rs, "rs")
        with self._cast(rs):
            tokens: Tensor = tower(rs)
        return tokens if self.towers_dtype is None else tokens.float()

    def pool_rs(self, tokens: Tensor) -> Tensor:
        """Return the whole tile's vector (T, D): the mean of its tokens (T, D, h, w)."""
        return tokens.mean(dim=(2, 3))

    def encode_tiles(self, rs: Tensor, *, size_m: Tensor | None = None) -> TileField:
        """Encode tiles with all that the config's query reads of them.

        Args:
            rs: (T, C, H, W) tiles prepared by `config.rs.input`.
            size_m: (T, 2) width and height of each tile on the ground in metres, for footprints;
                None takes `config.fine.pixel_m`.

        Returns:
            Tiles that `localize` reads, and `pool_rs` by their `tokens`.

        Raises:
            ModelError: If the model has no satellite tower.
        """
        tokens = self.encode_rs(rs)
        if self.fine is None:
            return TileField(tokens, size_m=size_m)
        if size_m is None:
            sides = torch.tensor([rs.shape[3], rs.shape[2]], dtype=torch.float32)
            size_m = (sides * self.config.fine.pixel_m).to(rs.device).expand(rs.shape[0], 2)
        return TileField(tokens, self.fine.encode(rs), size_m)

    def localize(
        self,
        tiles: TileField | Tensor,
        xy: Tensor,
        *,
        tile_of: Tensor | None = None,
        radius_m: Tensor | None = None,
    ) -> Tensor:
        """Read tiles at positions, by the config's query.

        Any number of positions may lie in one tile: with more positions than cells the grid is
        convolved once and sampled.

        Args:
            tiles: T tiles from `encode_tiles`; or, for queries without a fine path, their tokens
                (T, D, h, w) from `encode_rs`.
            xy: (B, 2) in [-1, 1], x along columns, y along rows.
            tile_of: (B,) int64 in [0, T); None means tile i for position i, or the only tile.
            radius_m: (B,) metres; None is the point itself. Queries without a fine path ignore it.

        Returns:
            (B, D), not normalised.

        Raises:
            ValueError: If `tile_of` is left out and T is neither 1 nor B, or the query reads pixels
                and only tokens are given.
        """
        field = TileField(tiles) if isinstance(tiles, Tensor) else tiles
        tokens = field.tokens
        xy = xy.to(device=tokens.device, dtype=torch.float32)
        tile_of = _tiles_of(tokens, xy, tile_of)
        if self.config.query == "mean":
            return self.pool_rs(tokens).index_select(0, tile_of)
        if self.fine is not None:
            return self._read_finely(field, xy, tile_of, radius_m)
        if self.nili is not None:
            read_nili: Tensor = self.nili(tokens, xy, tile_of)
            return read_nili
        read = read_bicubic if self.config.query == "bicubic" else read_bilinear
        return read(tokens, xy, tile_of)

    def _read_finely(
        self, field: TileField, xy: Tensor, tile_of: Tensor, radius_m: Tensor | None
    ) -> Tensor:
        """Read tokens and finer maps over a footprint, and add what the fine path says."""
        fine, nili = self.fine, self.nili
        if fine is None or nili is None or not field.fine or field.size_m is None:
            raise ValueError("query nili-fine reads pixels, too: encode tiles by encode_tiles")
        if radius_m is None:
            coarse = nili(field.tokens, xy, tile_of)
            nowhere = torch.zeros_like(xy[:, 0])
            at_point: Tensor = coarse + fine(coarse, fine.read(field.fine, xy, tile_of), nowhere)
            return at_point
        radius_m = radius_m.to(xy)
        size_m = field.size_m.to(xy).index_select(0, tile_of)  # (B, 2)
        points = footprint(xy, radius_m, size_m, fine.spiral)  # (B, K, 2)
        shape = (xy.shape[0], points.shape[1], -1)
        all_points, all_tiles = points.flatten(0, 1), tile_of.repeat_interleave(shape[1])
        coarse = nili(field.tokens, all_points, all_tiles).view(shape).mean(dim=1)
        finer = fine.read(field.fine, all_points, all_tiles).view(shape).mean(dim=1)
        far = beyond(radius_m, size_m)
        coarse = torch.lerp(coarse, nili.mean(field.tokens)[tile_of], far.to(coarse.dtype))
        radius_px = radius_m * field.fine[0].shape[3] / size_m[:, 0]
        near = (1 - far).to(coarse.dtype)  # the mean of a tile is that of its tokens alone
        over_disc: Tensor = coarse + near * fine(coarse, finer, radius_px)
        return over_disc

    def encode_sv(self, sv: Tensor) -> Tensor:
        """Return vectors (B, D) of photos (B, 3, h, w) prepared by `config.sv.input`.

        Raises:
            ModelError: If the model has no photo tower.
        """
        tower = self._present(self.sv, "sv")
        with self._cast(sv):
            vectors: Tensor = tower(sv)
        return vectors if self.towers_dtype is None else vectors.float()

    def encode_location(self, lonlat: Tensor) -> Tensor:
        """Return vectors (B, D) of coordinates (B, 2) float64 in degrees, longitude first.

        Raises:
            ModelError: If the model has no coordinate tower.
        """
        vectors: Tensor = self._present(self.location, "location")(lonlat)
        return vectors

    def project(self, vectors: Tensor, modality: Modality) -> Tensor:
        """Return tower outputs (N, D) in the joint space: (N, config.dim) of length 1."""
        return self.head.project(vectors, modality)

    def forward(self, batch: Batch) -> Embeddings:
        """Return the joint embeddings of a batch; a modality without data or tower is None."""
        rs_at, rs_exact = self._embed_rs_at(batch)
        return Embeddings(
            sv=self._embed_sv(batch),
            rs_at=rs_at,
            location=self._embed_location(batch.lonlat),
            logit_scale=self.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE),
            rs_exact=rs_exact,
        )

    def _cast(self, pixels: Tensor) -> AbstractContextManager[Any]:
        """Return what makes a tower compute in `towers_dtype`."""
        if self.towers_dtype is None:
            return nullcontext()
        return torch.autocast(pixels.device.type, dtype=self.towers_dtype)

    def _embed_sv(self, batch: Batch) -> Tensor | None:
        if self.sv is None or batch.sv is None:
            return None
        return self.project(self.encode_sv(batch.sv), "sv")

    def _embed_rs_at(self, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """Return tiles read where the batch asks, and where it was displaced from."""
        if self.rs is None or batch.rs is None or batch.xy is None:
            return None, None
        tiles = self.encode_tiles(batch.rs, size_m=batch.size_m)
        read = self.localize(tiles, batch.xy, tile_of=batch.tile_of, radius_m=batch.radius_m)
        at = self.project(read, "rs_at")
        if batch.exact_xy is None:
            return at, None
        exact = self.localize(
            tiles, batch.exact_xy, tile_of=batch.tile_of, radius_m=batch.exact_radius_m
        )
        return at, self.project(exact, "rs_at")

    def _embed_location(self, lonlat: Tensor) -> Tensor | None:
        if self.location is None:
            return None
        return self.project(self.encode_location(lonlat), "location")

    def _present(self, tower: M | None, modality: Modality) -> M:
        if tower is None:
            there = ", ".join(self.config.towers)
            raise ModelError(f"this model has no {modality} tower", hint=f"it has: {there}")
        return tower


def new_model(config: ModelConfig, *, seed: int) -> GairModel:
    """Return a model with random weights that depend on the seed alone.

    Args:
        config: What the model is made of.
        seed: Seed of the weights and of the location encoder's frequencies.

    Returns:
        A model in training mode on the CPU; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GairModel(config)


def blank_model(config: ModelConfig) -> GairModel:
    """Return a model that waits for its weights: `load_state_dict(..., assign=True)`.

    Nothing is drawn, which for the released size takes longer than reading the weights. A timm
    model that reads numbers while it is built, or has buffers that no file holds, is built in
    full.

    Args:
        config: What the model is made of.

    Returns:
        A model on torch's meta device where that will do, else on the CPU.
    """
    try:
        with torch.device("meta"):
            model = GairModel(config)
    except RuntimeError:  # a meta tensor has no numbers to read
        return new_model(config, seed=0)
    saved = model.state_dict()
    whole = all(name in saved for name, _ in model.named_buffers())
    return model if whole else new_model(config, seed=0)


def keep_towers(model: GairModel, towers: Collection[Tower]) -> GairModel:
    """Return a model of some of the towers, with the same weights and the same joint space.

    Args:
        model: It is not changed.
        towers: Towers to keep, for example the coordinate tower alone.

    Returns:
        A model in the same mode, on the same device.

    Raises:
        UsageError: If no tower is left.
    """
    kept = blank_model(model.config.only(towers))
    state = model.state_dict()
    kept.load_state_dict({key: state[key].clone() for key in kept.state_dict()}, assign=True)
    return kept.to(model.logit_scale.device).train(model.training)


def _start_rs(config: RsConfig) -> RsTower:
    return RsEncoder(config) if config.name is None else TimmRsEncoder(config)


def _start_nili(config: ModelConfig, width: int) -> Nili:
    return Nili(
        width,
        identity=config.nili_start == "identity",
        hidden=config.nili_hidden,
        frequencies=config.nili_frequencies,
    )


def _start_fine(config: ModelConfig, width: int) -> FinePath:
    bands = config.rs.input.bands if config.rs else ()
    return FinePath(len(bands), width, config.fine)


def _tiles_of(tokens: Tensor, xy: Tensor, tile_of: Tensor | None) -> Tensor:
    if tile_of is not None:
        return tile_of.to(tokens.device)
    if len(tokens) == 1:
        return torch.zeros(len(xy), dtype=torch.int64, device=tokens.device)
    if len(tokens) != len(xy):
        raise ValueError(f"{len(xy)} positions in {len(tokens)} tiles need tile_of")
    return torch.arange(len(xy), device=tokens.device)
