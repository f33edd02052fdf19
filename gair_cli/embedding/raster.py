"""Dense satellite embeddings of a scene as a raster, at any resolution, window by window.

The grid, the lattice of model tiles, the blend and the principal components belong to the whole
scene; windows of memory and `bbox` only select pixels, so they change no value (beyond rounding).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.embedding.dense import CACHE_BYTES, DenseField
from gair_cli.embedding.grid import NorthUpGrid, pixel_height_m, scene_grid, select_box
from gair_cli.embedding.lattice import Lattice, default_stride, make_axis
from gair_cli.embedding.pca import Components, fit_components
from gair_cli.embedding.towers import BATCH, evaluating, in_space, rs_config, width_of
from gair_cli.errors import DataError, UsageError
from gair_cli.geo.outputs import atomic_file
from gair_cli.geo.rasters import RasterWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.embedding.extract import Progress
    from gair_cli.embedding.scenes import Scene
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Bounds, Space

SIZE_GUARD_BYTES: Final = 8 * 10**9
WINDOW: Final = 256
SAMPLE_TILES: Final = 64
SAMPLE_POINTS: Final = 64
PROJECT_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class RasterOptions:
    """How a scene becomes an embedding raster.

    Attributes:
        res_m: Pixel size in metres; None is the scene's own.
        space: `joint` or `encoder`.
        pca: Principal components to keep; None keeps the whole vector.
        bbox: west, south, east, north in degrees: which pixels of the scene's grid to write.
        tile_size: Scene pixels of a model tile; None is the model's own size.
        seed: Of the sample that the components are fit on.
    """

    res_m: float | None = None
    space: Space = "joint"
    pca: int | None = None
    bbox: Bounds | None = None
    tile_size: int | None = None
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for plans and manifests."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Working:
    """What changes speed and memory, never values.

    Attributes:
        window: Output pixels on a side of a window.
        batch_size: Model tiles encoded at a time; None is 32.
        cache_bytes: Memory for encoded tiles that are kept.
        device: Where to compute; None is where the model is.
    """

    window: int = WINDOW
    batch_size: int | None = None
    cache_bytes: int = CACHE_BYTES
    device: str | None = None


@dataclass(frozen=True, slots=True)
class RasterPlan:
    """What will be written.

    Attributes:
        whole: The grid over the whole scene.
        window: (col, row, width, height): the pixels of it that are written.
        bands: C, numbers a pixel.
        lattice: The model tiles.
        radius_m: Radius of the queries: half a pixel.
    """

    whole: NorthUpGrid
    window: tuple[int, int, int, int]
    bands: int
    lattice: Lattice
    radius_m: float

    @property
    def grid(self) -> NorthUpGrid:
        """The grid that is written."""
        return self.whole.window(*self.window)

    @property
    def nbytes(self) -> int:
        """Bytes of the raster without compression and overviews, float32."""
        return self.window[2] * self.window[3] * self.bands * 4


def plan_raster(
    model: GairModel, scene: Scene, options: RasterOptions, *, like: NorthUpGrid | None = None
) -> RasterPlan:
    """Decide grid, lattice and size of an embedding raster.

    Args:
        model: A model with a satellite tower.
        scene: The scene.
        options: What is wanted.
        like: A grid to use in place of the scene's.

    Raises:
        UsageError: When an option makes no sense.
        DataError: When the box lies outside the scene, or `like` is in another CRS.
    """
    config = rs_config(model)
    width = width_of(model, "rs_at", options.space)
    if options.pca is not None and not 1 <= options.pca <= width:
        raise UsageError(f"--pca {options.pca}: the vectors have {width} numbers")
    size = options.tile_size or config.input.size
    stride = default_stride(size, config.patch)
    axes = [make_axis(length, size=size, stride=stride) for length in (scene.width, scene.height)]
    if like is not None and like.crs != scene.crs:
        raise DataError(f"the grid to follow is in {like.crs}, the scene in {scene.crs}")
    whole = like or scene_grid(
        scene.crs, scene.transform, width=scene.width, height=scene.height, res_m=options.res_m
    )
    window = (0, 0, whole.width, whole.height)
    if options.bbox is not None:
        window = select_box(whole, options.bbox)
    radius = pixel_height_m(whole) / 2
    return RasterPlan(whole, window, options.pca or width, Lattice(*axes), radius)


def refuse_large(plan: RasterPlan) -> None:
    """Refuse a raster above 8 GB that nobody confirmed.

    Raises:
        UsageError: With its size and what makes it smaller.
    """
    if plan.nbytes > SIZE_GUARD_BYTES:
        raise UsageError(
            f"the raster would take {plan.nbytes / 1e9:.0f} GB "
            f"({plan.window[2]} x {plan.window[3]} pixels of {plan.bands} float32 numbers)",
            hint="pass --pca N, a coarser --res, --bbox, or --yes to write it all the same",
        )


def embed_raster(
    model: GairModel,
    scene: Scene,
    output: Path,
    *,
    options: RasterOptions,
    plan: RasterPlan | None = None,
    working: Working | None = None,
    tags: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> Components | None:
    """Write the dense embedding of a scene as a cloud-optimised GeoTIFF.

    Args:
        model: A model with a satellite tower.
        scene: The scene, opened for the model's bands.
        output: The file; it appears whole or not at all.
        options: What is wanted.
        plan: From `plan_raster`, where the caller has one already.
        working: Windows, batches and memory.
        tags: Texts to store in the file.
        progress: Called with the number of pixels done.

    Returns:
        The principal components, or None. They lie beside the raster as `<output>.pca.json`.

    Raises:
        ModelError: When the model has no satellite tower.
        DataError: When no pixel of the scene is valid, or too few for the components.
    """
    plan = plan or plan_raster(model, scene, options)
    working = working or Working()
    with evaluating(model, working.device) as device:
        size = working.batch_size or BATCH["rs"]
        dense = DenseField(model, scene, plan.lattice, device, size, working.cache_bytes)
        components = None
        if options.pca is not None:
            components = fit_components(sample_field(dense, plan, options), options.pca)
        _write(dense, plan, output, options, components, working.window, tags or {}, progress)
    return components


def _write(
    dense: DenseField,
    plan: RasterPlan,
    output: Path,
    options: RasterOptions,
    components: Components | None,
    window: int,
    tags: dict[str, str],
    progress: Progress | None,
) -> None:
    grid = plan.grid
    writer = RasterWriter(
        output,
        width=grid.width,
        height=grid.height,
        count=plan.bands,
        dtype="float32",
        crs=grid.crs,
        transform=grid.transform,
        nodata=float("nan"),
        band_names=[f"{'pc' if components else 'e'}{i}" for i in range(plan.bands)],
        tags=tags,
    )
    with writer:
        for col, row, width, height in windows_of(grid, window):
            array = _window_array(dense, plan, grid.window(col, row, width, height), options,
                                  components)  # fmt: skip
            writer.write(array, col, row)
            if progress is not None:
                progress(width * height)


def windows_of(grid: NorthUpGrid, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield windows (col, row, width, height) of at most `size` pixels a side, row by row."""
    for row in range(0, grid.height, size):
        for col in range(0, grid.width, size):
            yield col, row, min(size, grid.width - col), min(size, grid.height - row)


def _window_array(
    dense: DenseField,
    plan: RasterPlan,
    grid: NorthUpGrid,
    options: RasterOptions,
    components: Components | None,
) -> np.ndarray:
    """Return a window (C, h, w) float32, NaN where the scene has no value."""
    vectors = field_vectors(dense, dense.scene.pixels_of(grid), plan.radius_m, options.space)
    if components is not None:
        vectors = components.apply(vectors)
    return np.ascontiguousarray(vectors.T).reshape(-1, grid.height, grid.width)  # (C, h, w)


def field_vectors(
    dense: DenseField, pixels: np.ndarray, radius_m: float, space: Space
) -> np.ndarray:
    """Return the field's vectors in a space at positions (N, 2); (N, D) float32, NaN for none."""
    values, valid = dense.read(pixels, radius_m=radius_m)
    parts = [
        in_space(dense.model, values[start : start + PROJECT_ROWS], "rs_at", space)
        for start in range(0, len(values), PROJECT_ROWS)
    ]
    vectors = np.concatenate(parts)
    vectors[~valid] = np.nan
    return vectors


def sample_field(dense: DenseField, plan: RasterPlan, options: RasterOptions) -> np.ndarray:
    """Return the vectors of a seeded sample of the whole scene, whatever window is written.

    Up to 64 tiles of the lattice are drawn, and 64 positions in each.

    Returns:
        (n, D) float32, valid positions only.

    Raises:
        DataError: When no position is valid.
    """
    rng = np.random.default_rng(options.seed)
    columns, rows = plan.lattice.columns, plan.lattice.rows
    tiles = rng.permutation(len(columns.starts) * len(rows.starts))[:SAMPLE_TILES]
    found = []
    for tile in sorted(tiles.tolist()):
        i, j = tile % len(columns.starts), tile // len(columns.starts)
        start = np.array([columns.starts[i], rows.starts[j]])
        reach = np.minimum(columns.size, [dense.scene.width, dense.scene.height])
        pixels = start + rng.random((SAMPLE_POINTS, 2)) * reach
        vectors = field_vectors(dense, pixels, plan.radius_m, options.space)
        found.append(vectors[np.isfinite(vectors).all(axis=1)])
    sample = np.concatenate(found)
    if not len(sample):
        raise DataError("no pixel of the scene is valid", hint="check its nodata value")
    return sample


def write_components(components: Components, path: Path) -> None:
    """Write principal components as JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(components.to_dict()) + "\n", encoding="utf-8")
