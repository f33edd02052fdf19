"""Windows of a scene whose bands lie on several grids or carry radiometric offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo.cutting import opening_errors_named, thread_count, undecodable
from gair_cli.geo.inputs.finest import pixel_size
from gair_cli.geo.rasters import raster_info

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gair_cli.geo.scene import Band, Scene

    Window = tuple[int, int, int, int]


def is_plain(scene: Scene) -> bool:
    """Return whether every band's file holds the scene's own pixels, to be taken as they are."""
    return all(_is_plain(scene, band) for band in scene.bands)


def _is_plain(scene: Scene, band: Band) -> bool:
    if band.offset or band.resolution != pixel_size(scene.transform):
        return False
    info = raster_info(band.path)
    found = (info.width, info.height, info.transform)
    return found == (scene.width, scene.height, scene.transform)


class ScenePixels:
    """Pixels of a scene on its grid, as its tiles would hold them; its files stay open.

    Args:
        scene: The scene.
        jobs: Threads; None is all cores.
        memory: Most bytes of decoded blocks; None takes what a window needs, within reason.

    Raises:
        InputError: If a file cannot be opened.
        DataError: If bands do not fit together.
    """

    def __init__(self, scene: Scene, *, jobs: int | None = None, memory: int | None = None) -> None:
        self._scene = scene
        with opening_errors_named(scene):
            self._reader = _rust.SceneReader(
                scene, scene.grid, threads=thread_count(jobs), memory=memory
            )

    def read(self, window: Window) -> NDArray[np.generic]:
        """Read a window.

        Args:
            window: col, row, width, height in pixels of the scene's grid.

        Returns:
            (C, h, w) in the scene's type; pixels that are none hold its nodata value.

        Raises:
            InputError: If a file cannot be decoded.
            DataError: If pixels are none and there is no nodata value, or memory does not do.
        """
        try:
            return self._reader.read(window)
        except OSError as error:
            raise undecodable(self._scene, error) from error
        except ValueError as error:
            raise DataError(f"{self._scene.name}: {error}", hint="check --nodata") from error
