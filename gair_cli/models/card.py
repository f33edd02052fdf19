"""The model card: what a model folder says about itself to a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.models.config import LocationConfig, ModelConfig
    from gair_cli.models.gair import GairModel

_CARD = """\
# A gair model

Embeds {modalities} in one space of {dim} dimensions.

| part | what |
|---|---|
{parts}

Coordinates are longitude, latitude in degrees (EPSG:4326). Use it with
`gair embed --model FOLDER` or `gair_cli.load("FOLDER")`.

## Training

```json
{training}
```

## Limits

The vectors are as good as the data above; places and sensors that it does not hold are guesses.
"""
_NAMES = {"rs": "satellite tiles", "sv": "street photos", "location": "coordinates"}


def model_card(model: GairModel, *, training: Mapping[str, Any]) -> str:
    """Return a card in Markdown.

    Args:
        model: Whose config and sizes are told.
        training: JSON values about data and recipe.

    Returns:
        The text of `README.md`.
    """
    config = model.config
    return _CARD.format(
        modalities=" and ".join(_NAMES[name] for name in config.towers),
        dim=config.dim,
        parts="\n".join(f"| {name} | {what} |" for name, what in _parts(model, config).items()),
        training=json.dumps(training, indent=2) if training else "{}",
    )


def _parts(model: GairModel, config: ModelConfig) -> dict[str, str]:
    parts = {}
    if config.rs:
        size, bands = config.rs.input.size, ", ".join(config.rs.input.bands)
        tower = config.rs.name or f"ViT {config.rs.width} x {config.rs.depth}"
        parts["tiles"] = f"{tower}, {size} px, bands {bands}"
        parts["query"] = config.query
    if config.sv:
        size_text = f"{config.sv.input.height}x{config.sv.input.width}"
        parts["photos"] = f"{config.sv.name}, {size_text} px"
    if config.location:
        parts["coordinates"] = _encoding(config.location)
    parts["parameters"] = f"{sum(value.numel() for value in model.parameters()):,}"
    return parts


def _encoding(location: LocationConfig) -> str:
    """Return what a coordinate tower is, in words."""
    if location.kind in {"rff", "rff-transformer", "geoclip"}:
        sigmas = ", ".join(f"{sigma:g}" for sigma in location.sigmas)
        words = f"random Fourier features, sigma {sigmas}"
        return words if location.kind == "rff" else f"{location.kind}: {words}"
    if location.kind == "sh-siren":
        return f"sh-siren: harmonics to degree {location.degree}"
    if location.kind == "xyz":
        return "xyz: unit vectors"
    radii = f"{location.scales} radii, {location.min_radius:g} to {location.max_radius:g}"
    return f"{location.kind}: {radii}"
