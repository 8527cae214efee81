"""A supermodel's directory: its largest model as stock transformers loads it, and the space it serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from bigfast.backend import read_stock
from bigfast.backend.stock import save_stock
from bigfast.errors import InputError, ModelError
from bigfast.space import BertSpace
from bigfast.store import published_directory, read_json, write_json
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.teacher import tokenizer_in

FORMAT = "bigfast.supermodel"
SCHEMA_VERSION = 1
DOCUMENT = "supermodel.json"


def save_supermodel(
    model: Supermodel,
    directory: Path,
    *,
    labels: Sequence[str],
    tokenizer: PreTrainedTokenizerFast,
    about: Mapping[str, Any],
) -> None:
    """Writes a supermodel in one step.

    Args:
        model: What to write.
        directory: Where; an older one there is replaced.
        labels: The words of its classes, in order.
        tokenizer: The one it was trained with.
        about: What a reader should know: data, recipe, figures; JSON-compatible.
    """
    with published_directory(directory) as place:
        save_stock(model.extract(model.space.space.largest), labels, place)
        tokenizer.save_pretrained(place)
        document = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "space": model.space.to_json()}
        write_json(place / DOCUMENT, {**document, "about": dict(about)})


def load_supermodel(directory: Path) -> tuple[Supermodel, tuple[str, ...], PreTrainedTokenizerFast]:
    """Reads a supermodel, the words of its classes, and its tokenizer.

    Raises:
        ModelError: there is none, it is of a newer version, or it makes no sense.
    """
    if not (directory / DOCUMENT).is_file():
        raise ModelError(f"{directory} is not a supermodel: it has no {DOCUMENT}; make one with 'bigfast train'")
    document = read_json(directory / DOCUMENT, error=ModelError)
    if document.get("format") != FORMAT or document.get("schema_version") != SCHEMA_VERSION:
        raise ModelError(
            f"{directory} has format {document.get('format')} {document.get('schema_version')}, and this bigfast "
            f"reads {FORMAT} {SCHEMA_VERSION}"
        )
    try:
        space = BertSpace.from_json(document["space"])
        stock = read_stock(directory)
        return Supermodel(space, stock.weights), stock.labels, tokenizer_in(directory)
    except ModelError:
        raise
    except (KeyError, InputError) as error:
        raise ModelError(f"{directory} does not hold a sound supermodel: {error}") from error
