"""The facade: `load(ref)` gives a model that embeds points, photos, tiles and scenes, and searches.

Arrays in, float32 arrays out; a table of polars, pandas, geopandas or pyarrow in, the same kind of
table out, with the columns `embedding` and `status`. Longitude comes before latitude.

Example:
    >>> import gair_cli
    >>> model = gair_cli.load("run")  # doctest: +SKIP
    >>> model.embed_points(np.array([[13.4, 52.5]])).shape  # doctest: +SKIP
    (1, 128)
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gair_cli.embedding import extract
from gair_cli.embedding.extract import Embedded
from gair_cli.embedding.facts import model_facts
from gair_cli.embedding.localised import embed_at
from gair_cli.embedding.raster import RasterOptions, Working, embed_raster, plan_raster
from gair_cli.embedding.scenes import open_scene
from gair_cli.embedding.tabular import lonlat_of, paths_of, table_kind, with_embedding
from gair_cli.embedding.towers import pick_device, rs_config, width_of
from gair_cli.errors import BadRowsError
from gair_cli.geo.tileset import TileSet
from gair_cli.models.hub import push_to_hub, save_pretrained
from gair_cli.models.weights import load_model, resolve_model
from gair_cli.search.places import Query, SearchResult, search_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gair_cli.embedding.schema import ModelFacts
    from gair_cli.models.config import ModelConfig
    from gair_cli.models.gair import GairModel
    from gair_cli.models.resolve import ModelRef
    from gair_cli.records import Bounds, Modality, Space

__all__ = ["Model", "load"]


def load(ref: str | Path | None = None, *, device: str = "auto") -> Model:
    """Load a model.

    Args:
        ref: A model or run folder, the name of a packaged model, or `hf:org/repo`; None is the
            packaged `earth-tiny`.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    Returns:
        The model, ready to embed.

    Raises:
        InputError: When there is no such model.
        ModelError: When its files do not fit each other.
        UsageError: When the device is not there.
    """
    found = resolve_model(ref)
    return Model(load_model(found, device=pick_device(device)), found)


class Model:
    """A loaded model.

    Attributes:
        net: The PyTorch module.
        ref: Where it came from.
        facts: Name, hashes and licence, as embedding files state them.
    """

    def __init__(self, net: GairModel, ref: ModelRef) -> None:
        self.net = net
        self.ref = ref
        self.facts: ModelFacts = model_facts(ref)

    def __repr__(self) -> str:
        return f"Model({self.ref.name!r}, towers={list(self.config.towers)}, dim={self.config.dim})"

    @classmethod
    def from_pretrained(cls, ref: str | Path, *, device: str = "auto") -> Model:
        """Load a model; `org/repo` that is no folder here is one of a hub. Otherwise as `load`."""
        text = str(ref)
        is_repo = text.count("/") == 1 and not Path(text).exists() and not text.startswith("hf:")
        return load(f"hf:{text}" if is_repo else ref, device=device)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model as a folder with a card, which `load` and a hub read.

        Returns:
            The folder.
        """
        return save_pretrained(self.net, folder, source=self.ref.path)

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload the model to the Hugging Face hub.

        Args:
            repo_id: `org/name`; made when absent.
            private: Of a repository that is made.
            token: Of the hub; None is the one that is logged in.

        Returns:
            The address of the commit.

        Raises:
            MissingPackageError: If huggingface_hub is missing.
            InputError: If the hub refuses or is not there.
        """
        return push_to_hub(self.net, repo_id, source=self.ref.path, private=private, token=token)

    @property
    def config(self) -> ModelConfig:
        """What the model is made of."""
        return self.net.config

    def width(self, modality: Modality, space: Space = "joint") -> int:
        """Return how many numbers a vector has.

        Raises:
            ModelError: When the model has no tower for the modality.
        """
        return width_of(self.net, modality, space)

    def embed_points(
        self,
        points: Any,
        *,
        space: Space = "joint",
        batch_size: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> Any:
        """Embed coordinates with the location tower.

        Args:
            points: (N, 2) degrees, longitude first; or a table with coordinates.
            space: `joint` or `encoder`.
            batch_size: Points at a time.
            device: Where to compute; None is where the model is.
            progress: Whether to draw a bar on stderr.

        Returns:
            (N, D) float32, or the table with `embedding` and `status`.

        Raises:
            ModelError: When the model has no location tower.
            DataError: When the table has no coordinates.
            UsageError: When a coordinate is not finite or out of range.
        """
        table = table_kind(points) is not None
        lonlat = lonlat_of(points) if table else np.asarray(points, np.float64)
        with _bar(len(lonlat), "points", shown=progress) as advance:
            vectors = extract.embed_points(
                self.net,
                lonlat,
                space=space,
                batch_size=batch_size,
                device=device,
                progress=advance,
            )
        if not table:
            return vectors
        return with_embedding(points, Embedded(vectors, np.full(len(vectors), "ok", "<U10")))

    def embed_photos(
        self,
        photos: Any,
        *,
        space: Space = "joint",
        batch_size: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> Any:
        """Embed street photos with the photo tower.

        Args:
            photos: N paths, JPEG bytes or (h, w, 3) uint8 arrays; (N, h, w, 3) uint8; or a table
                with a column of paths.
            space: `joint` or `encoder`.
            batch_size: Photos at a time.
            device: Where to compute; None is where the model is.
            progress: Whether to draw a bar on stderr.

        Returns:
            (N, D) float32, or the table with `embedding` (null for a photo that cannot be read)
            and `status`.

        Raises:
            ModelError: When the model has no photo tower.
            BadRowsError: When a photo of a list cannot be read.
        """
        table = table_kind(photos) is not None
        items = paths_of(photos) if table else list(photos)
        with _bar(len(items), "photos", shown=progress) as advance:
            embedded = extract.embed_photos(
                self.net,
                items,
                space=space,
                batch_size=batch_size,
                device=device,
                progress=advance,
            )
        if table:
            return with_embedding(photos, embedded)
        return _all_readable(embedded)

    def embed_tiles(
        self,
        tiles: TileSet | str | Path | Sequence[np.ndarray] | np.ndarray,
        *,
        space: Space = "joint",
        batch_size: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> np.ndarray:
        """Embed whole satellite tiles.

        Args:
            tiles: A tile set or its folder; or N arrays (C, H, W) with the model's bands in its
                order, NaN for nodata.
            space: `joint` or `encoder`.
            batch_size: Tiles at a time.
            device: Where to compute; None is where the model is.
            progress: Whether to draw a bar on stderr.

        Returns:
            (N, D) float32, in the order of the index; NaN for a tile without a valid pixel.

        Raises:
            ModelError: When the model has no satellite tower.
            DataError: When a band is missing.
        """
        if isinstance(tiles, str | Path):
            tiles = TileSet.open(Path(tiles))
        with _bar(len(tiles), "tiles", shown=progress) as advance:
            options: dict[str, Any] = {
                "space": space,
                "batch_size": batch_size,
                "device": device,
                "progress": advance,
            }
            if isinstance(tiles, TileSet):
                return extract.embed_tiles(self.net, tiles, **options).vectors
            return extract.embed_tile_arrays(self.net, list(tiles), **options)

    def embed_at(
        self,
        tiles: TileSet | str | Path,
        points: Any,
        *,
        radius_m: float | np.ndarray = 0.0,
        space: Space = "joint",
        batch_size: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> Any:
        """Embed the satellite image at points.

        Args:
            tiles: A tile set or its folder.
            points: (N, 2) degrees, longitude first; or a table with coordinates.
            radius_m: Radius of the queries in metres, one number or (N,).
            space: `joint` or `encoder`.
            batch_size: Tiles at a time.
            device: Where to compute; None is where the model is.
            progress: Whether to draw a bar on stderr.

        Returns:
            (N, D) float32, NaN outside the tiles and on nodata; or the table with `embedding` and
            `status`.

        Raises:
            ModelError: When the model has no satellite tower.
            DataError: When a band or the coordinates are missing.
        """
        source = tiles if isinstance(tiles, TileSet) else TileSet.open(Path(tiles))
        table = table_kind(points) is not None
        lonlat = lonlat_of(points) if table else np.asarray(points, np.float64)
        with _bar(len(lonlat), "points", shown=progress) as advance:
            embedded = embed_at(
                self.net,
                source,
                lonlat,
                radius_m=radius_m,
                space=space,
                batch_size=batch_size,
                device=device,
                progress=advance,
            )
        return with_embedding(points, embedded) if table else embedded.vectors

    def embed_raster(
        self,
        scene: str | Path,
        output: str | Path,
        *,
        res: float | None = None,
        space: Space = "joint",
        pca: int | None = None,
        bbox: Bounds | None = None,
        tile_size: int | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        progress: bool = False,
    ) -> Path:
        """Write the dense embedding of a scene as a cloud-optimised GeoTIFF.

        Args:
            scene: What `gair tile` takes as one scene: a file, folder or address.
            output: The file.
            res: Pixel size in metres; None is the scene's own.
            space: `joint` or `encoder`.
            pca: Principal components to keep.
            bbox: west, south, east, north in degrees.
            tile_size: Scene pixels of a model tile; None is the model's own size.
            batch_size: Model tiles at a time.
            device: Where to compute; None is where the model is.
            progress: Whether to draw a bar on stderr.

        Returns:
            The output.

        Raises:
            ModelError: When the model has no satellite tower.
            DataError: When the scene lacks a CRS or a band, or the box lies outside it.
        """
        opened = open_scene(scene, rs_config(self.net).input)
        options = RasterOptions(res, space, pca, bbox, tile_size)
        plan = plan_raster(self.net, opened, options)
        working = Working(batch_size=batch_size, device=device)
        with _bar(plan.window[2] * plan.window[3], "pixels", shown=progress) as advance:
            embed_raster(
                self.net,
                opened,
                Path(output),
                options=options,
                plan=plan,
                working=working,
                progress=advance,
            )
        return Path(output)

    def search(self, query: Query, table: str | Path, *, k: int = 10) -> SearchResult:
        """Find the k rows of an embedding table that are closest to a photo, place or row.

        Args:
            query: What to look for.
            table: An embedding file of this model.
            k: How many rows.

        Returns:
            The rows, best first, and the query's own place.

        Raises:
            ModelError: When the table is of another model or space, or a tower is missing.
        """
        return search_table(query, Path(table), k=k, model=self.net, facts=self.facts)


@contextmanager
def _bar(total: int, unit: str, *, shown: bool) -> Iterator[extract.Progress | None]:
    """Yield what advances a bar on stderr, or None."""
    if not shown:
        yield None
        return
    from tqdm import tqdm  # noqa: PLC0415 - only where a bar is asked for

    with tqdm(total=total, unit=unit) as bar:
        yield lambda count: _advance(bar, count)


def _advance(bar: Any, count: int) -> None:
    bar.update(count)


def _all_readable(embedded: Embedded) -> np.ndarray:
    if embedded.reasons:
        row, reason = next(iter(embedded.reasons.items()))
        raise BadRowsError(
            f"{len(embedded.reasons)} of {len(embedded)} photos cannot be read; photo {row}: "
            f"{reason}",
            hint="pass a table to get a status for each row",
        )
    return embedded.vectors
