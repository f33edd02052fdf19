"""What this machine brings: packages, the extension, memory, disk, accelerators."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from gair_cli import __version__

REQUIRED: Final = (
    "click", "jinja2", "matplotlib", "numpy", "pillow", "polars", "pyarrow", "safetensors",
    "timm", "threadpoolctl", "torch", "tqdm",
)  # fmt: skip
OPTIONAL: Final = {
    "scikit-learn": "gair[eval]",
    "scipy": "gair[eval]",
    "huggingface_hub": "gair[hub]",
    "rasterio": "gair[peers]",
    "geopandas": "gair[peers]",
    "duckdb": "gair[peers]",
    "geoclip": "gair[peers]",
}
_LITTLE_MEMORY_GB: Final = 4
_LITTLE_DISK_GB: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict: `ok`, `warn`, `fail` or `note`, with the fix if there is one."""

    verdict: Literal["ok", "warn", "fail", "note"]
    subject: str
    detail: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding as plain texts."""
        return asdict(self)


def examine() -> list[Finding]:
    """Return what is there and what is missing, in a fixed order."""
    return [
        Finding("ok", "gair", f"{__version__}, Python {platform.python_version()}"),
        _extension(),
        *(_package(name) for name in REQUIRED),
        *(_optional(name, extra) for name, extra in OPTIONAL.items()),
        _accelerator(),
        _memory(),
        _disk(),
    ]


def _extension() -> Finding:
    from gair_cli.geo.build import gdal_version, has_gdal  # noqa: PLC0415 - may fail to load

    if has_gdal():
        return Finding("ok", "GDAL", f"{gdal_version()}: tile, raster and demo work")
    return Finding(
        "warn",
        "GDAL",
        "not built in: training and embedding from tile sets work; tile, raster and demo do not",
        "install libgdal-dev and build again with the default features",
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Finding:
    found = _version(name)
    if found is None:
        return Finding("fail", name, "missing", f"pip install {name}")
    return Finding("ok", name, found)


def _optional(name: str, extra: str) -> Finding:
    found = _version(name)
    if found is None:
        return Finding("note", name, "not installed (optional)", f"pip install '{extra}'")
    return Finding("ok", name, found)


def _accelerator() -> Finding:
    import torch  # noqa: PLC0415 - takes seconds

    if torch.cuda.is_available():
        return Finding("ok", "device", torch.cuda.get_device_name(0))
    if torch.backends.mps.is_available():
        return Finding("ok", "device", "mps")
    return Finding("ok", "device", f"cpu, {torch.get_num_threads()} threads; no accelerator found")


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    enough = total >= _LITTLE_MEMORY_GB
    fix = "" if enough else "use --batch-size and the tiny preset"
    return Finding("ok" if enough else "warn", "memory", f"{total:.1f} GB", fix)


def _disk() -> Finding:
    folders = {str(Path.cwd()), tempfile.gettempdir()}
    free = {folder: shutil.disk_usage(folder).free / 1e9 for folder in sorted(folders)}
    enough = min(free.values()) >= _LITTLE_DISK_GB
    text = ", ".join(f"{gigabytes:.0f} GB free in {folder}" for folder, gigabytes in free.items())
    return Finding("ok" if enough else "warn", "disk", text, "" if enough else "free some space")
