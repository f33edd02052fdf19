"""What numbers depend on: processor, memory, versions; never who the machine belongs to."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS: Final = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
from gair_cli.geo.build import gdal_version

def of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not here"

found = {"gair": f"{of('gair')} with GDAL {gdal_version()}"}
for name in sys.argv[1:]:
    found[name] = of(name)
    if name == "rasterio" and found[name] != "not here":
        import rasterio
        found[name] += f" with GDAL {rasterio.__gdal_version__}"
print(json.dumps(found))
"""
"""Run by a process of its own, which keeps the harness small."""


def machine(packages: Sequence[str]) -> dict[str, str]:
    """Return the processor, memory, system, and the versions of gair and some Python packages."""
    facts = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.partition(":")[2] for line in facts if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = subprocess.run(
        [sys.executable, "-c", VERSIONS, *packages], check=True, capture_output=True, text=True
    )
    return {
        "processor": model.strip() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "Linux": platform.release().partition("-")[0],
        "Python": platform.python_version(),
        **json.loads(found.stdout),
    }


def debian_version(package: str) -> str:
    """Return the version of a package of Debian."""
    if shutil.which("dpkg-query") is None:
        return "unknown"
    words = ["dpkg-query", "-W", "-f", "${Version}", package]
    found = subprocess.run(words, check=False, capture_output=True, text=True)
    return found.stdout.strip() or "not here"
