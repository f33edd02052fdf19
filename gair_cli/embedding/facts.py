"""Which model made a vector: the facts that every embedding file carries."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from gair_cli.embedding.schema import ModelFacts
from gair_cli.models.resolve import packaged_models
from gair_cli.models.weights import model_hash, read_config

if TYPE_CHECKING:
    from gair_cli.models.resolve import ModelRef

UNSTATED: Final = "not stated"


def model_facts(ref: ModelRef) -> ModelFacts:
    """Return name, hashes and licence of a model folder.

    The name is that of a packaged model, else `gair-` and the first digits of the weights' hash:
    the same model gives the same bytes wherever it lies.

    Args:
        ref: From `resolve_model`.

    Raises:
        InputError: When the folder cannot be read.
    """
    config = read_config(ref.path)
    sha256 = model_hash(ref.path)
    text = json.dumps(config["model"], sort_keys=True)
    name = ref.path.name if ref.name in packaged_models() else f"gair-{sha256[:12]}"
    licence = str(config.get("training", {}).get("licence") or UNSTATED)
    return ModelFacts(name, sha256, hashlib.sha256(text.encode()).hexdigest(), licence)
