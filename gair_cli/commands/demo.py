"""`gair demo`: make a city to try everything on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from gair_cli.commands.options import (
    PATH,
    dry_run_option,
    jobs_option,
    overwrite_option,
    quiet_option,
    seed_option,
)
from gair_cli.commands.streams import progress, say, wrote

if TYPE_CHECKING:
    from pathlib import Path


def _parse_size(text: str | None) -> tuple[int, int] | None:
    """Parse a size in pixels, `256x192`.

    Raises:
        click.BadParameter: If it is not two whole numbers.
    """
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise click.BadParameter(f"{text!r} is not a size such as 256x192")
    return int(width), int(height)


@click.command("demo")
@click.argument("folder", type=PATH)
@seed_option()
@click.option(
    "--extent", type=float, default=8.64, show_default=True, help="Edge of the square in km."
)
@click.option("--scenes", type=int, default=1, show_default=True, help="Passes of the satellite.")
@click.option("--photos", type=int, default=300, show_default=True, help="Street photos.")
@click.option("--points", type=int, default=1000, show_default=True, help="Labelled points.")
@click.option(
    "--photo-size",
    metavar="WxH",
    callback=lambda _c, _p, text: _parse_size(text),
    help="Pixels.  [default: 256x192; panoramas 512x256]",
)
@click.option("--panorama", is_flag=True, help="Equirectangular panoramas.")
@jobs_option
@overwrite_option
@dry_run_option
@quiet_option
def command(  # noqa: PLR0913 - one argument an option
    folder: Path,
    seed: int,
    extent: float,
    scenes: int,
    photos: int,
    points: int,
    photo_size: tuple[int, int] | None,
    *,
    panorama: bool,
    jobs: int | None,
    overwrite: bool,
    dry_run: bool,
    quiet: bool,  # noqa: ARG001 - streams asks click for it
) -> None:
    """Make a city that does not exist: scene, street photos, labelled points.

    \b
    Example:
      gair demo city && gair tile city/scene.tif -o tiles

    FOLDER gets scene.tif (12 bands like Sentinel-2) with its classes, photos/ with photos.csv,
    points.csv and a README. Every file says "made data". The same seed gives the same bytes.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.demo.make import count_steps, make_city
    from gair_cli.demo.options import CityOptions

    width, height = photo_size or ((512, 256) if panorama else (256, 192))
    options = CityOptions(
        seed=seed, extent_km=extent, scenes=scenes, photos=photos, photo_width=width,
        photo_height=height, panorama=panorama, points=points,
    )  # fmt: skip
    size = f"{options.extent_m / 1000:g} x {options.extent_m / 1000:g} km"
    what = f"{scenes} scene(s) of {size}, {photos} photos, {points} points (made data)"
    if dry_run:
        say(f"would write {what} to {folder}")
        return
    with progress(count_steps(options), "drawing the city", unit="steps") as advance:
        status = make_city(
            folder, options, jobs=jobs or os.cpu_count() or 1, overwrite=overwrite,
            progress=advance, manifest={"command": "gair demo", "argv": sys.argv[1:]},
        )  # fmt: skip
    if status == "finished":
        say(f"{folder}: nothing to do, it is finished already")
        return
    say(what if status == "new" else f"{what}; went on where an earlier run stopped")
    wrote(folder, f"gair tile {folder / 'scene.tif'} -o tiles")
