"""Named settings: one TOML a preset, with a `[model]` and a `[recipe]` table."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from importlib import resources
from typing import Any

from gair_cli.errors import ModelError


def preset_names() -> list[str]:
    """Return the names of all presets, sorted."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def read_preset(name: str) -> dict[str, Any]:
    """Return one preset as nested dictionaries with the keys `model` and `recipe`.

    Args:
        name: One of `preset_names()`.

    Returns:
        The parsed TOML.

    Raises:
        ModelError: If there is no such preset.
    """
    if name not in preset_names():
        near = get_close_matches(name, preset_names(), n=1)
        asks = f"did you mean {near[0]}? " if near else ""
        raise ModelError(
            f"no preset is called {name!r}", hint=f"{asks}presets: {', '.join(preset_names())}"
        )
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
