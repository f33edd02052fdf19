"""Where a run's settings come from: preset, then config file, then `--set`."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from gair_cli.errors import InputError, UsageError
from gair_cli.presets import read_preset
from gair_cli.presets.typed import merge_tables, parse_settings
from gair_cli.training.config import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEFAULT_PRESET = "tiny"
_TABLES = {"model", "recipe"}


def read_settings(
    preset: str | None, config: Path | None, settings: Sequence[str]
) -> tuple[dict[str, Any], Recipe]:
    """Return the `[model]` table and the recipe.

    Args:
        preset: Name of a preset; None takes `tiny`, unless a config file has a model of its own.
        config: TOML file with `[model]` and `[recipe]`, on top of the preset.
        settings: `KEY=VALUE` texts, on top of both.

    Returns:
        A table for `model_config`, and the recipe.

    Raises:
        InputError: If the config file cannot be read.
        UsageError: If a table or key is unknown, or a value makes no sense.
        ModelError: If there is no such preset.
    """
    given = {} if config is None else _read_config(config)
    base = {} if preset is None and "model" in given else read_preset(preset or DEFAULT_PRESET)
    tables = merge_tables(merge_tables(base, given), parse_settings(settings))
    unknown = set(tables) - _TABLES
    if unknown:
        raise UsageError(
            f"unknown table {min(unknown)}",
            hint="settings are model.KEY or recipe.KEY, such as recipe.steps=300",
        )
    if not isinstance(tables["model"], dict):
        raise UsageError(
            f"model is {tables['model']!r}, wanted a table of settings",
            hint="like model.query=mean",
        )
    return tables["model"], Recipe.from_table(tables.get("recipe", {}))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
