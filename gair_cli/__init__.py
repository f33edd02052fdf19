"""One embedding space for satellite tiles, street photos and coordinates.

`load(path)` gives a model with `embed_points`, `embed_photos`, `embed_tiles`, `embed_at` and
`embed_raster`; `encode_points` encodes coordinates without a model; the `gair` command does
everything that this package does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gair_cli.api import Model, load
    from gair_cli.embedding.encode import encode_points

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "encode_points", "load"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first asked for, so that `gair --help` needs no torch."""
    if name in {"Model", "load"}:
        from gair_cli import api

        return getattr(api, name)
    if name == "encode_points":  # without torch, which the API needs
        from gair_cli.embedding.encode import encode_points

        return encode_points
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
