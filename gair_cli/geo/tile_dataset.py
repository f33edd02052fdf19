"""What `dataset.json` says of the tiles of a run, and of those that were there before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from gair_cli.geo.tile_append import shards_of
from gair_cli.geo.tile_index import pooled
from gair_cli.geo.tileset import BandFacts, TileSetInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from gair_cli.geo.scene import Scene
    from gair_cli.geo.tile_options import TilingOptions
    from gair_cli.geo.tileset import TileSet

    T = TypeVar("T")

_PREDICTORS: Final = {"float32": 3, "float64": 3, "int64": 1, "uint64": 1}
_NO_PREDICTOR: Final = 1


def dataset_info(
    scenes: Sequence[Scene],
    rows: pl.DataFrame,
    index: pl.DataFrame,
    *,
    options: TilingOptions,
    earlier: TileSet | None,
    digest: str,
) -> TileSetInfo:
    """Describe a tile set.

    Args:
        scenes: Those that were cut in this run, also the ones of which no tile is left.
        rows: Their index rows with the private columns, in the order of the plan.
        index: The rows of all tiles.
        options: How they were cut.
        earlier: The tile set that they were added to, if any.
        digest: Hash of the plan.
    """
    first = scenes[0]
    before = () if earlier is None else earlier.info.statistics
    products = () if earlier is None else earlier.info.products
    return TileSetInfo(
        bands=first.band_names,
        dtype=first.dtype,
        size=options.size,
        stride=options.stride or options.size,
        nodata=first.nodata,
        statistics=pooled(rows, len(first.bands), earlier=before),
        counts={
            "tiles": index.height,
            "scenes": index["scene_id"].n_unique(),
            "shards": len(shards_of(index)),
        },
        grid=options.grid_name,
        partial=options.partial,
        predictor=predictor_of(first.dtype, options.level),
        plan_hash=digest,
        level=options.level,
        res=options.res,
        facts=tuple(_facts(scenes, band, earlier) for band in range(len(first.bands))),
        products=(*products, *(_product(scene) for scene in scenes)),
    )


def predictor_of(dtype: str, level: int | None) -> int:
    """Return the TIFF predictor of tiles of a type."""
    return _NO_PREDICTOR if level is None else _PREDICTORS.get(dtype, 2)


def _facts(scenes: Sequence[Scene], number: int, earlier: TileSet | None) -> BandFacts:
    """Return what holds of a band in every scene; None where they differ."""
    bands = [scene.bands[number] for scene in scenes]
    found = [
        BandFacts(band.resolution, band.scale, band.unit_offset, band.offset, band.resampling)
        for band in bands
    ]
    if earlier is not None and earlier.info.facts:
        found.append(earlier.info.facts[number])
    return BandFacts(
        common(one.resolution for one in found),
        common(one.scale for one in found),
        common(one.unit_offset for one in found),
        common(one.radiometric_offset for one in found),
        common(one.resampling for one in found),
    )


def common(values: Iterable[T]) -> T | None:
    """Return the value that all have, None if they differ."""
    found = list(values)
    return found[0] if all(value == found[0] for value in found) else None


def _product(scene: Scene) -> dict[str, Any]:
    """Return what is recorded of a scene."""
    return {"scene_id": scene.scene_id, "cloud_source": scene.cloud_source, **scene.product}
