"""`gair raster`: embed a scene densely, at any resolution."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.embedding.raster import RasterPlan
    from gair_cli.embedding.raster_file import PreparedRaster, RasterRequest


@click.command("raster")
@click.argument("scene")
@options.model_option
@options.output_option(help_text="The GeoTIFF.")
@options.res_option
@options.space_option
@click.option("--pca", type=click.IntRange(min=1), help="Keep the first N principal components.")
@options.bbox_option
@click.option("--like", type=options.PATH, help="Raster whose grid to take.")
@click.option("--size", type=click.IntRange(min=2), help="Scene pixels of a model tile.")
@click.option("--band-names", metavar="A,B,...", help="Names of the scene's bands, in order.")
@click.option("--nodata", type=float, help="Value of a pixel that is none.")
@click.option("--assume-crs", metavar="EPSG:n", help="CRS of a scene that has none.")
@options.seed_option()
@click.option("--window", type=click.IntRange(min=1), help="Pixels a side done at a time.")
@options.batch_size_option
@options.device_option
@options.overwrite_option
@options.dry_run_option
@options.yes_option
@options.quiet_option
def command(
    model: str | None,
    device: str,
    output: Path,
    window: int | None,
    batch_size: int | None,
    overwrite: bool,  # noqa: FBT001 - click hands options over by name
    dry_run: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Embed SCENE at every pixel: a raster, or a folder of one-band files.

    \b
    Examples:
      gair raster scene.tif --model run --res 10 --pca 3 -o emb.tif
      gair raster scene.tif --model run --bbox 13.3,52.4,13.5,52.6 -o part.tif

    The result is a north-up cloud-optimised GeoTIFF in the scene's CRS. Memory windows and --bbox
    only select: the same place has the same value. Nodata pixels stay nodata (NaN).
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.api import load
    from gair_cli.commands.streams import progress, say
    from gair_cli.embedding.raster import WINDOW, Working, refuse_large
    from gair_cli.embedding.raster_file import prepare_raster, write_raster
    from gair_cli.errors import UsageError

    if model is None:
        raise UsageError(
            "a raster needs a model with a satellite tower",
            hint="pass --model RUN; the packaged model knows coordinates only",
        )
    loaded = load(model, device=device)
    prepared = prepare_raster(loaded.net, loaded.facts, _request(**given))
    plan = prepared.plan
    say(_size(plan))
    if dry_run:
        return
    if not yes:
        refuse_large(plan)
    working = Working(window=window or WINDOW, batch_size=batch_size)
    with progress(plan.window[2] * plan.window[3], "raster", unit="px") as advance:
        done = write_raster(
            loaded.net,
            prepared,
            output,
            working=working,
            overwrite=overwrite,
            manifest={"argv": sys.argv, "model": str(loaded.ref.name)},
            progress=advance,
        )
    if not done:
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    _finish(prepared, output)


def _request(**given: Any) -> RasterRequest:
    from gair_cli.embedding.raster import RasterOptions
    from gair_cli.embedding.raster_file import RasterRequest

    names = given["band_names"]
    return RasterRequest(
        scene=given["scene"],
        options=RasterOptions(
            res_m=given["res"],
            space=given["space"],
            pca=given["pca"],
            bbox=given["bbox"],
            tile_size=given["size"],
            seed=given["seed"],
        ),
        like=given["like"],
        band_names=None if names is None else tuple(name.strip() for name in names.split(",")),
        nodata=given["nodata"],
        assume_crs=given["assume_crs"],
    )


def _size(plan: RasterPlan) -> str:
    _, _, width, height = plan.window
    tiles = len(plan.lattice.columns.starts) * len(plan.lattice.rows.starts)
    return (
        f"{width} x {height} pixels of {plan.bands} float32 numbers, {plan.nbytes / 1e6:.1f} MB; "
        f"{tiles} model tiles over the scene"
    )


def _finish(prepared: PreparedRaster, output: Path) -> None:
    from gair_cli.commands.streams import say, wrote
    from gair_cli.embedding.raster_file import components_path

    if prepared.options.pca is not None:
        say(f"wrote {components_path(output)} (mean and axes of the components)")
    wrote(output, f"gair view pca {output} -o {output.with_suffix('.png')}")
