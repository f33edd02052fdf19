"""`gair eval retrieval` as a library call: from a pair table and a model to scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError, ModelError
from gair_cli.evaluation import bootstrap, city, splits
from gair_cli.evaluation.place_reader import PlaceReader, read_tiles
from gair_cli.evaluation.report import Score, ScoreSource, legend, scores_table
from gair_cli.evaluation.retrieval import Gallery
from gair_cli.geo.outputs import fingerprint
from gair_cli.geo.tables import check_bad, read_frame
from gair_cli.geo.tileset import TileSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gair_cli.models.gair import GairModel

    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Progress = Callable[[int], None]

ALL_SPLITS: Final = "all"

_WITH_INTERVAL: Final = ("R@10", city.LOCATED)
"""The table would be too wide with all of them; the record has all."""


@dataclass(frozen=True, slots=True)
class RetrievalRequest:
    """What to score; fields are the options of the command.

    Attributes:
        pairs: Pair table.
        tiles: Tile set of the pairs.
        model: Model folder, run folder or packaged name.
        split: Value of the `split` column to score, or `all`.
        limit: Photos drawn at random, by the seed.
        shifts_m: Distances of displaced queries.
        radius: Radius of the queries in metres; None is the table's `h_accuracy_m`, else 0.
        block: Edge of the blocks of the bootstrap; None is the table's `block` column, else by
            the extent.
        draws: Bootstrap draws.
        seed: Seed of the draw of photos, the displacements and the bootstrap.
        photos_root: Folder of relative photo paths; None is the pair table's own.
        batch_size: Photos and tiles at a time.
        device: Where to compute.
    """

    pairs: Path
    tiles: Path
    model: str | None = None
    split: str = "test"
    limit: int = 1000
    shifts_m: tuple[float, ...] = city.SHIFTS_M
    radius: float | None = None
    block: str | None = None
    draws: int = bootstrap.DRAWS
    seed: int = 0
    photos_root: Path | None = None
    batch_size: int | None = None
    device: str | None = None

    def plan(self) -> dict[str, Any]:
        """Return what decides the results: options, and hashes of the inputs."""
        from gair_cli.models.weights import resolve_model  # noqa: PLC0415 - needs torch

        record = {k: v for k, v in asdict(self).items() if k not in {"batch_size", "device"}}
        record["pairs"] = fingerprint(self.pairs)
        record["tiles"] = fingerprint(self.tiles)
        record["model"] = fingerprint(resolve_model(self.model).path)
        return record


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Scores of all directions, and what a reader has to know about them.

    Attributes:
        scores: One a direction, query and metric.
        notes: Lines for people.
    """

    scores: tuple[Score, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a results file; it holds no time, host or path."""
        return {
            "kind": "retrieval",
            "scores": [score.to_json() for score in self.scores],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return the tables that people read."""
        table = scores_table(self.scores, decimals=1, with_interval=_WITH_INTERVAL)
        return f"{table}\n\n{legend('R@k and within: percent;', self.scores)}"


@dataclass(frozen=True, slots=True)
class _Vectors:
    """The pairs that can be scored, and their vectors by modality."""

    pairs: pl.DataFrame
    tile_of: Ints
    reader: PlaceReader | None
    sv: Vectors | None
    location: Vectors | None


def run_retrieval(
    request: RetrievalRequest, *, progress: Progress | None = None
) -> RetrievalReport:
    """Score retrieval between photos, satellite places and coordinates.

    Args:
        request: What and how.
        progress: Called with the number of tiles, photos and points embedded.

    Returns:
        Scores of every two modalities that the model has, in both directions.

    Raises:
        InputError: If a file or folder is missing or unreadable.
        DataError: If the split is empty, or a pair's tile is not in the tile set.
        ModelError: If the model has fewer than two towers.
    """
    from gair_cli.models.weights import load_model, model_hash, resolve_model  # noqa: PLC0415

    reference = resolve_model(request.model)
    model = load_model(reference)
    if len(model.config.towers) < 2:  # noqa: PLR2004 - retrieval is between two modalities
        raise ModelError(
            f"{reference.name} has the {model.config.towers[0]} tower only",
            hint="retrieval needs two; pass --model with a model trained on pairs",
        )
    tiles = TileSet.open(request.tiles)
    drawn, found = _draw_pairs(request)
    vectors, notes = _embed(request, model, tiles, drawn, progress)
    lonlat = vectors.pairs.select("lon", "lat").to_numpy().astype(np.float64)
    gallery = Gallery(
        lonlat=lonlat,
        tiles=vectors.tile_of,
        draws=bootstrap.block_draws(
            _blocks(request, vectors.pairs, lonlat), seed=request.seed, draws=request.draws
        ),
        source=ScoreSource(request.pairs.stem, request.seed, model_hash(reference.path)),
        split=request.split,
    )
    blocks = gallery.draws.counts.shape[1]
    first = (
        f"model {Path(reference.name).name}, {len(gallery)} of {found} photos of split "
        f"{request.split}, "
        f"{len(np.unique(vectors.tile_of))} tiles, {blocks} blocks; displaced queries stay in "
        "their own tile"
    )
    return RetrievalReport(tuple(_score(request, vectors, gallery)), (first, *notes))


def _draw_pairs(request: RetrievalRequest) -> tuple[pl.DataFrame, int]:
    """Read the pairs of the split and draw some of them: the drawn rows, and how many there are."""
    pairs = read_frame(request.pairs)
    needed = [name for name in ("path", "tile_id", "lon", "lat", "x", "y") if name not in pairs]
    if needed:
        raise DataError(
            f"{request.pairs} has no column {needed[0]}", hint="give a table made by gair pair"
        )
    if request.split != ALL_SPLITS:
        if "split" not in pairs.columns:
            raise DataError(f"{request.pairs} has no split column", hint="pass --split all")
        names = sorted(set(pairs["split"].drop_nulls().to_list()))
        pairs = pairs.filter(pl.col("split") == request.split)
        if not pairs.height:
            raise DataError(
                f"no pair is in split {request.split!r}; there are {', '.join(names)}",
                hint="choose with --split, or pass --split all",
            )
    order = np.random.default_rng((request.seed, 4)).permutation(pairs.height)
    return pairs[np.sort(order[: request.limit])], pairs.height


def _embed(
    request: RetrievalRequest,
    model: GairModel,
    tiles: TileSet,
    pairs: pl.DataFrame,
    progress: Progress | None,
) -> tuple[_Vectors, list[str]]:
    """Embed photos, tiles and coordinates of the pairs whose photo can be read."""
    from gair_cli.embedding.extract import embed_photos, embed_points  # noqa: PLC0415

    settings: dict[str, Any] = {
        "batch_size": request.batch_size,
        "device": request.device,
        "progress": progress,
    }
    notes: list[str] = []
    sv = None
    if model.has_sv:
        root = request.photos_root or request.pairs.absolute().parent
        named = pairs.drop_nulls("path")
        check_bad(pairs.height - named.height, pairs.height, what="photos")
        photos = embed_photos(model, [root / path for path in named["path"]], **settings)
        usable = photos.status == "ok"
        bad = pairs.height - int(usable.sum())
        check_bad(bad, pairs.height, what="photos")
        if bad == pairs.height:
            raise DataError(
                f"none of the {bad} photos can be read", hint="say where they are: --photos-root"
            )
        if bad:
            notes.append(f"{bad} photos could not be read and are left out")
        pairs, sv = named.filter(usable), photos.vectors[usable]
    rows, tile_of = _tile_numbers(pairs, tiles)
    reader = read_tiles(model, tiles, rows, **settings) if model.has_rs else None
    location = None
    if model.has_location:
        location = embed_points(model, pairs.select("lon", "lat").to_numpy(), **settings)
    return _Vectors(pairs, tile_of, reader, sv, location), notes


def _tile_numbers(pairs: pl.DataFrame, tiles: TileSet) -> tuple[Ints, Ints]:
    """Rows (T,) of the tiles in use, and each pair's number (N,) among them."""
    names, numbers = np.unique(pairs["tile_id"].to_numpy().astype(str), return_inverse=True)
    row_of = {tile: row for row, tile in enumerate(tiles.index["tile_id"].to_list())}
    missing = [name for name in names if name not in row_of]
    if missing:
        raise DataError(
            f"tile {missing[0]} of the pairs is not in the tile set ({len(missing)} are missing)",
            hint="pass the tile set that the pairs were made with",
        )
    return np.array([row_of[name] for name in names], dtype=np.int64), numbers.reshape(-1)


def _blocks(request: RetrievalRequest, pairs: pl.DataFrame, lonlat: Floats) -> Ints:
    if request.block is None and "block" in pairs.columns:
        return np.unique(pairs["block"].to_numpy().astype(str), return_inverse=True)[1].reshape(-1)
    size = splits.parse_block(request.block) if request.block else splits.default_block(lonlat)
    return splits.block_ids(lonlat, size)


def _score(request: RetrievalRequest, vectors: _Vectors, gallery: Gallery) -> list[Score]:
    scores: list[Score] = []
    places = _positions(request, vectors)
    if vectors.sv is not None and vectors.reader is not None:
        photos = city.CityPhotos(vectors.sv, *places)
        scores += city.city_scores(vectors.reader, photos, gallery, shifts_m=request.shifts_m)
    named: dict[str, Vectors | None] = {"SV": vectors.sv, "location": vectors.location}
    if vectors.reader is not None:
        xy, tile_of, radius = places
        named["RS"] = vectors.reader.read(xy, tile_of, radius_m=radius)
    there = {name: found for name, found in named.items() if found is not None}
    for first, second in combinations(there, 2):
        if {first, second} != {"SV", "RS"}:
            items = {city.AT_PHOTO: there[second]}
            scores += city.both_ways(there[first], items, gallery, names=(first, second))
    return scores


def _positions(request: RetrievalRequest, vectors: _Vectors) -> tuple[Floats, Ints, Floats]:
    """Position (N, 2), tile number (N,) and radius (N,) of the queries."""
    pairs = vectors.pairs
    radius = np.full(len(pairs), request.radius or 0.0)
    if request.radius is None and "h_accuracy_m" in pairs.columns:
        radius = pairs["h_accuracy_m"].fill_null(0.0).to_numpy().astype(np.float64)
    return pairs.select("x", "y").to_numpy().astype(np.float64), vectors.tile_of, radius
