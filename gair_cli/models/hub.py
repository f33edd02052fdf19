"""Models on the Hugging Face hub: the folder that `save_model` writes, as it is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gair_cli.errors import InputError, MissingPackageError
from gair_cli.models.resolve import CONFIG_FILE, WEIGHTS_FILE
from gair_cli.models.weights import CARD_FILE, read_config, save_model

if TYPE_CHECKING:
    from gair_cli.models.gair import GairModel

_FRONT = """\
---
library_name: gair
pipeline_tag: feature-extraction
license: {licence}
tags: [geospatial, remote-sensing, street-view, embeddings]
---

"""
_LICENCES = {"CC BY-NC 4.0": "cc-by-nc-4.0", "Apache-2.0": "apache-2.0", "MIT": "mit"}


def save_pretrained(model: GairModel, folder: str | Path, *, source: Path | None = None) -> Path:
    """Write a model as a folder with a card that a hub shows.

    Args:
        model: The model.
        folder: Made when absent.
        source: The folder it was loaded from: what it says of its training, and its card, go along.

    Returns:
        The folder.
    """
    folder = Path(folder)
    training = {} if source is None else dict(read_config(source).get("training", {}))
    card = None if source is None else source / CARD_FILE
    text = card.read_text("utf-8") if card is not None and card.is_file() else None
    save_model(model, folder, extra=training, card=text)
    path = folder / CARD_FILE
    words = path.read_text("utf-8")
    if not words.startswith("---"):
        licence = str(training.get("licence") or "other")
        path.write_text(_FRONT.format(licence=_LICENCES.get(licence, "other")) + words, "utf-8")
    return folder


def push_to_hub(
    model: GairModel,
    repo_id: str,
    *,
    source: Path | None = None,
    private: bool = False,
    token: str | None = None,
    revision: str | None = None,
    message: str = "Upload a gair model",
) -> str:
    """Upload a model; only this function ever does.

    Args:
        model: The model.
        repo_id: `org/name`; made when absent.
        source: As of `save_pretrained`.
        private: Of a repository that is made.
        token: Of the hub; None is the one that is logged in.
        revision: Branch.
        message: Of the commit.

    Returns:
        The address of the commit.

    Raises:
        MissingPackageError: If huggingface_hub is missing.
        InputError: If the hub refuses or is not there.
    """
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingPackageError(
            "a hub needs huggingface_hub", hint="pip install 'gair[hub]'"
        ) from error
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as name:
        folder = save_pretrained(model, name, source=source)
        try:
            api.create_repo(repo_id, private=private, exist_ok=True)
            done = api.upload_folder(
                repo_id=repo_id,
                folder_path=str(folder),
                allow_patterns=[WEIGHTS_FILE, CONFIG_FILE, CARD_FILE],
                commit_message=message,
                revision=revision,
            )
        except Exception as error:  # its errors are of many packages, and change with its version
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"cannot upload to {repo_id}: {reason}") from error
    return str(getattr(done, "commit_url", done))
