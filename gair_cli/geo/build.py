"""How the extension was built."""

from __future__ import annotations

import re
from typing import Final

from gair_cli import _rust
from gair_cli.errors import MissingPackageError

_BINDING: Final = re.compile(
    r"GDAL method '\w+' returned a NULL pointer\. Error msg: '(.+)'", re.DOTALL
)


def has_gdal() -> bool:
    """Tell whether the extension can read and write rasters."""
    return bool(_rust.HAS_GDAL)


def gdal_version() -> str | None:
    """Return the version of the linked GDAL, None without it."""
    return _rust.gdal_version() if has_gdal() else None


def require_gdal(what: str) -> None:
    """Refuse work that needs GDAL in a build without it.

    Args:
        what: What needs it, for the message.

    Raises:
        MissingPackageError: In a build without GDAL.
    """
    if not has_gdal():
        raise MissingPackageError(
            f"{what} needs GDAL, and this build of gair has none",
            hint="install libgdal-dev, then: pip install --no-binary gair gair",
        )


def gdal_words(error: Exception) -> str:
    """Return what GDAL said of a file, without the words of the binding around it."""
    return _BINDING.sub(r"\1", str(error))
