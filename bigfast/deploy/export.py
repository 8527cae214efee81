"""What the user takes away: a stock directory, the backends' artefacts, and a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from bigfast.backend import Backend, Options, Weights, variant_name
from bigfast.backend.stock import save_stock
from bigfast.cpu import Machine
from bigfast.deploy.card import model_card
from bigfast.errors import ModelError
from bigfast.store import published_directory, read_json, write_json, write_text

FORMAT = "bigfast.model"
SCHEMA_VERSION = 1
DOCUMENT = "bigfast.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One backend that the model is prepared for, and how."""

    backend: Backend
    options: Options
    threads: int


def export_model(
    weights: Weights,
    directory: Path,
    *,
    labels: Sequence[str],
    tokenizer: PreTrainedTokenizerFast,
    targets: Sequence[Target],
    machine: Machine,
    about: Mapping[str, Any],
) -> None:
    """Writes a model's directory in one step.

    ``AutoModelForSequenceClassification.from_pretrained`` loads it in float32; each backend that deploys a
    file of its own finds it in the sub-directory of the backend's name. Nothing is a pickle.

    Args:
        weights: The model.
        directory: Where; an older model there is replaced.
        labels: The words of its classes, in order.
        tokenizer: Its tokenizer.
        targets: What it is prepared for; the first is the one it was searched for.
        machine: This machine.
        about: What the card tells: architecture, accuracy, latency, limit; JSON-compatible.

    Raises:
        StorageError: there is no room, or no right to write.
        BackendError: a backend refuses the model.
    """
    with published_directory(directory) as place:
        save_stock(weights, labels, place)
        tokenizer.save_pretrained(place)
        artefacts: dict[str, list[str]] = {}
        for target in targets:
            session = target.backend.prepare(weights, machine=machine, threads=target.threads, options=target.options)
            try:
                folder = place / target.backend.name
                folder.mkdir()
                names = session.save(folder)
                if names:
                    artefacts[target.backend.name] = [f"{target.backend.name}/{name}" for name in names]
                else:
                    folder.rmdir()
            finally:
                session.close()
        first = targets[0]
        files = sorted(file for file in place.rglob("*") if file.is_file())
        document = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "backend": first.backend.name,
            "options": dict(first.options),
            "variant": variant_name(first.options),
            "threads": first.threads,
            "artefacts": artefacts,
            "bytes": {str(file.relative_to(place)): file.stat().st_size for file in files},
            **about,
        }
        write_json(place / DOCUMENT, document)
        write_text(place / "README.md", model_card(document, labels=labels))


def read_export(directory: Path) -> dict[str, Any]:
    """What an exported model's directory says of itself.

    Raises:
        ModelError: it is not one of ours, or of a newer version.
    """
    if not (directory / DOCUMENT).is_file():
        raise ModelError(f"{directory} is not a model that bigfast exported: it has no {DOCUMENT}")
    document = read_json(directory / DOCUMENT, error=ModelError)
    if document.get("format") != FORMAT or document.get("schema_version") != SCHEMA_VERSION:
        raise ModelError(f"{directory / DOCUMENT} is of another version: update bigfast")
    return document
