"""`gair info`: say what a file or folder is, and which versions run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command("info")
@click.argument("path", type=options.PATH, required=False)
@options.json_option
def command(path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click hands options over by name
    """Say what PATH is, with its key facts; without PATH, which versions run.

    \b
    Examples:
      gair info
      gair info emb.parquet --json

    PATH is a tile set, pair table, training shards, embedding table, model, run or raster.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.embedding.describe import describe, versions

    facts: dict[str, Any] = dict(versions()) if path is None else describe(path)
    if as_json:
        click.echo(json.dumps(facts, indent=2, default=str))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {_text(value)}")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
