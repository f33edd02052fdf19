"""`gair tile`: scenes in, a tile set out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import tile_words as words
from gair_cli.commands.options import (
    PATH,
    bbox_option,
    dry_run_option,
    jobs_option,
    json_option,
    output_option,
    overwrite_option,
    quiet_option,
    region_option,
    res_option,
)
from gair_cli.commands.tile_words import reading

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.tile_plan import TilingOptions


@click.command("tile")
@click.argument("scene", nargs=-1, type=str)
@output_option(help_text="Folder of the tile set.")
@click.option("--size", default="96", show_default=True, callback=reading(words.parse_size), metavar="N|full", help="Pixels a side, or `full` for one tile a raster.")  # fmt: skip  # noqa: E501
@click.option("--stride", type=click.IntRange(min=1), help="Pixels between tiles; default: the size.")  # fmt: skip  # noqa: E501
@click.option("--grid", default="scene", show_default=True, callback=reading(words.parse_grid), metavar="GRID", help="scene (its own pixels), utm, xyz:Z (web maps) or majortom:KM.")  # fmt: skip  # noqa: E501
@click.option("--reproject", metavar="EPSG:n", help="CRS to resample scenes to before they are cut.")  # fmt: skip  # noqa: E501
@res_option
@click.option("--partial", type=click.Choice(["skip", "pad", "shift"]), default="skip", show_default=True, help="Tiles that reach over a scene's edge.")  # fmt: skip  # noqa: E501
@click.option("--bands", callback=reading(words.parse_names), metavar="A,B,...", help="Bands to keep, by name.")  # fmt: skip  # noqa: E501
@click.option("--band-names", callback=reading(words.parse_names), metavar="A,B,...", help="Names for the bands, in file order.")  # fmt: skip  # noqa: E501
@click.option("--stack", is_flag=True, help="Inputs are (folders of) one-band files of one scene.")
@click.option("--band-pattern", metavar="REGEX", help="With --stack: finds the band in a file's name, as group `band` or the first group.")  # fmt: skip  # noqa: E501
@click.option("--resampling", callback=reading(words.parse_kernels), metavar="KERNEL|BAND=KERNEL,...", help="nearest, bilinear, cubic or average, where pixels are not the tiles'; default: bilinear, classes nearest.")  # fmt: skip  # noqa: E501
@click.option("--offset", callback=reading(words.parse_offsets), metavar="N|BAND=N,...", help="Radiometric offset added to valid pixels; default: the product's.")  # fmt: skip  # noqa: E501
@click.option("--nodata", type=float, help="Value of a pixel that is none; default: the file's.")
@click.option("--max-nodata", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Greatest share of nodata in a tile; nodata-only tiles never stay.")  # fmt: skip  # noqa: E501
@click.option("--cloud-source", type=click.Choice(["scl", "qa60", "bqa", "none"]), help="What says where clouds are; default: what the product has.")  # fmt: skip  # noqa: E501
@click.option("--max-cloud", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Greatest share of cloudy pixels in a tile.")  # fmt: skip  # noqa: E501
@bbox_option
@region_option
@click.option("--datetime", "period", callback=reading(words.parse_period), metavar="A/B", help="Only scenes taken from A to B: dates or RFC 3339; `..` is an open end.")  # fmt: skip  # noqa: E501
@click.option("--assume-crs", metavar="EPSG:n", help="CRS of scenes that have none.")
@click.option("--compress", default="zstd:1", show_default=True, callback=reading(words.parse_codec), metavar="zstd:LEVEL|none", help="Compression of the tiles, LEVEL 1 to 19.")  # fmt: skip  # noqa: E501
@click.option("--shard-size", default="256MB", show_default=True, callback=reading(words.parse_bytes), help="Most bytes of a shard.")  # fmt: skip  # noqa: E501
@click.option("--memory", callback=reading(words.parse_bytes), metavar="SIZE", help="Most bytes of decoded blocks; default: what decoding once needs, in reason.")  # fmt: skip  # noqa: E501
@jobs_option
@click.option("--append", is_flag=True, help="Add scenes to the tile set that is there.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on with unfinished work of the same inputs and options.")  # fmt: skip  # noqa: E501
@overwrite_option
@click.option("--export", type=PATH, metavar="DIR", help="Copy the tiles out as loose GeoTIFFs with a STAC-GeoParquet table.")  # fmt: skip  # noqa: E501
@click.option("--preview", is_flag=True, help="Draw the tiles on a map, and some of them in colour: <output>.preview.png.")  # fmt: skip  # noqa: E501
@dry_run_option
@json_option
@quiet_option
def command(
    scene: tuple[str, ...],
    output: Path,
    *,
    export: Path | None,
    preview: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Cut satellite scenes into a tile set.

    \b
    Example:
      gair tile scene.tif -o tiles
      gair tile S2*.SAFE.zip -o tiles --bands B2,B3,B4,B8 --max-cloud 0.2
      gair tile bands/ --stack --nodata 255 -o tiles --grid utm --res 10

    SCENE is a GeoTIFF, COG, VRT or JP2 in any CRS, a Sentinel-2 .SAFE folder or zip, a Landsat
    folder, a STAC item, an address (https://, s3://, /vsi...), a pattern, a text file of these or
    `-` for such lines from standard input; with --stack a folder of one-band files. Scenes of
    several CRSs go into one tile set if their bands agree. --bbox and --region keep tiles whose
    footprint shares area with them. Without SCENE, --export and --preview take OUTPUT as it is.
    """  # noqa: D301 - click's marker of text to leave as it is
    # numpy's threads for linear algebra, of which there is none here, spin for a tenth of a second
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from gair_cli.commands import tile_steps as steps

    steps.require_folder(output)
    if scene or not (export or preview):
        options = tiling_options(given)
        plan = steps.planned(scene, options)
        if dry_run:
            steps.show_estimate(plan, options, as_json=as_json)
            return
        report = steps.cut(scene, output, plan, options)
    else:
        report = None
    if export is not None:
        steps.export(output, export, overwrite=given["overwrite"])
    if preview:
        steps.draw(output)
    steps.close(report, output, as_json=as_json)


def tiling_options(given: dict[str, Any]) -> TilingOptions:
    """Return the options of the command as those of the library."""
    from gair_cli.geo.scenes import SceneOptions
    from gair_cli.geo.tile_plan import TilingOptions

    reading_names = (
        "band_names", "bands", "nodata", "assume_crs", "stack", "band_pattern", "offset",
        "resampling", "cloud_source",
    )  # fmt: skip
    cutting_names = (
        "size", "stride", "grid", "reproject", "res", "partial", "max_nodata", "max_cloud",
        "bbox", "region", "memory", "jobs", "append", "overwrite", "resume",
    )  # fmt: skip
    cutting = {name: given[name] for name in cutting_names}
    if given["period"] is not None:
        cutting["period"] = given["period"]
    return TilingOptions(
        scenes=SceneOptions(**{name: given[name] for name in reading_names}),
        level=given["compress"],
        shard_bytes=given["shard_size"],
        **cutting,
    )
