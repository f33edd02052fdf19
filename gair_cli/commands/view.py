"""`gair view`: draw pictures of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

_RASTERS = (".tif", ".tiff", ".vrt")


@click.group("view")
def command() -> None:
    """Draw pictures of embeddings.

    \b
    Example:
      gair view pca emb.tif -o pca.png
    """  # noqa: D301 - click's marker of text to leave as it is


@command.command("pca")
@click.argument("source", type=options.PATH)
@options.output_option(help_text="The PNG.")
@click.option(
    "--max-side",
    type=click.IntRange(min=16),
    default=2048,
    show_default=True,
    help="Pixels of the longer side; a larger raster is thinned.",
)
@options.overwrite_option
@options.quiet_option
def pca(source: Path, output: Path, max_side: int, overwrite: bool, quiet: bool) -> None:  # noqa: FBT001 - click hands options over by name
    """Draw three principal components of SOURCE as red, green and blue.

    \b
    Example:
      gair view pca emb.tif -o pca.png

    SOURCE is a raster of `gair raster`, or an embedding table with places. Pixels without a value
    are transparent.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.commands.streams import say, wrote
    from gair_cli.embedding.picture import raster_picture, table_picture
    from gair_cli.geo.outputs import already_made, fingerprint, record_made

    del quiet
    plan = {"command": "view pca", "source": fingerprint(source), "max_side": max_side}
    if already_made(output, plan, overwrite=overwrite):
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    if source.suffix.lower() in _RASTERS:
        width, height = raster_picture(source, output, max_side=max_side)
        say(f"{width} x {height} pixels")
    else:
        say(f"{table_picture(source, output)} places")
    record_made(output, plan)
    wrote(output)
