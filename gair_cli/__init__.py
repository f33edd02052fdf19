"""One embedding space for satellite tiles, street photos and coordinates.

`load(path)` gives a model with `embed_points`, `embed_photos`, `embed_tiles`, `embed_at` and
`embed_raster`; the `gair` command does everything that this package does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gair_cli.api import Model, load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first asked for, so that `gair --help` needs no torch."""
    if name in {"Model", "load"}:
        from gair_cli import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
