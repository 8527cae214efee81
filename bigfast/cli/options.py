"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document; everything else goes to stderr.")]
Out = Annotated[Path, typer.Option("--out", help="The directory to write; the same again resumes it.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
Data = Annotated[str, typer.Option(help="'synthetic', 'synthetic:SEED', a directory, or hf:REPOSITORY:CONFIG.")]
Teacher = Annotated[str, typer.Option(help="A fine-tuned BERT classifier: a directory or hub id.")]
TextColumns = Annotated[
    str | None, typer.Option(help="One or two columns of text, separated by a comma, where the names differ.")
]
LabelColumn = Annotated[str | None, typer.Option(help="The column of labels, where its name differs.")]
LatencyMs = Annotated[str | None, typer.Option(help="Limits on the median latency in ms: 5,10,15,20.")]
Deployed = Annotated[
    str | None,
    typer.Option("--backend", help="To deploy on, such as torch-int8 or torch-int8@2; default: the fastest int8."),
]
ProfiledLength = Annotated[int | None, typer.Option("--length", help="Tokens of a text; default: the first measured.")]
ProfiledBatch = Annotated[int | None, typer.Option("--batch", help="Texts in a call; default: the first measured.")]
Minutes = Annotated[float, typer.Option(min=0.01, help="How long it may take.")]


def limits(text: str | None) -> tuple[float, ...]:
    """Limits in ms from ``5,10,15``.

    Raises:
        InputError: one is not a positive number.
    """
    if text is None:
        return ()
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InputError(f"--latency-ms takes numbers of milliseconds like 5,10, not {text!r}") from error
    if not values or not all(0 < value < 1e6 for value in values):
        raise InputError(f"--latency-ms takes numbers of milliseconds above 0 like 5,10, not {text!r}")
    return values


def whole_numbers(text: str, name: str) -> tuple[int, ...]:
    """Numbers from ``32,128``, without repetition.

    Raises:
        InputError: one is not a whole number from 1.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and len(part) < 7 and int(part) for part in parts):
        raise InputError(f"{name} takes whole numbers from 1 like 32,128, not {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def columns(text: str | None) -> tuple[str, ...] | None:
    """Column names from ``premise,hypothesis``."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
