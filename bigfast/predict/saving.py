"""A predictor in a directory: ``predictor.json``, and beside it weights or trees where its kind has them.

Loading executes nothing, and believes nothing: the directory may have come from a stranger.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bigfast.errors import InputError, ProfileError, StorageError
from bigfast.predict.kinds import KINDS, Model, kind_named
from bigfast.predict.predictor import Predictor
from bigfast.predict.reading import field, mapping, parse_object, read_bytes, vector
from bigfast.predict.table import FloatArray
from bigfast.predict.terms import TERMS

FORMAT = "bigfast.predictor"
SCHEMA_VERSION = 1
JSON_FILE = "predictor.json"
JSON_AT_MOST = 8 * 2**20


def save(predictor: Predictor, directory: Path) -> None:
    """Writes a predictor into a directory, which is made if need be; ``predictor.json`` comes last.

    Raises:
        StorageError: there is no room, or no right to write.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        value = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "kind": predictor.kind,
            "terms": predictor.terms,
            "lowest": predictor.lowest.tolist(),
            "highest": predictor.highest.tolist(),
            "residuals": predictor.residuals.tolist(),
            "mape": predictor.mape,
            "candidates": dict(predictor.candidates),
            "model": predictor.model.save(directory),
        }
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
        (directory / JSON_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"The predictor cannot be written to {directory}: {error}") from error


def load(directory: Path) -> Predictor:
    """Reads a predictor that ``save`` wrote; it predicts the same numbers.

    Raises:
        ProfileError: a file is missing, or holds anything but such a predictor.
    """
    path = directory / JSON_FILE
    try:
        value = parse_object(read_bytes(path, at_most=JSON_AT_MOST))
        predictor = _parse(value, directory)
    except InputError as error:
        raise ProfileError(
            f"{path} does not hold a predictor that can be used: {error}: fit it anew from the measurements"
        ) from error
    return predictor


def _parse(value: dict[str, Any], directory: Path) -> Predictor:
    if field(value, "format") != FORMAT:
        raise InputError(f"'format' must be {FORMAT!r}, not {value['format']!r:.80}")
    version = field(value, "schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(f"'schema_version' must be {SCHEMA_VERSION}, not {version!r:.80}: a newer bigfast may read it")
    kind, terms = _name(value, "kind", KINDS), _name(value, "terms", TERMS)
    lowest = vector(value, "lowest")
    highest = vector(value, "highest", size=len(lowest))
    if not (lowest <= highest).all():
        raise InputError("'lowest' must not lie above 'highest'")
    residuals = vector(value, "residuals")
    if residuals.min() <= -1:
        raise InputError("'residuals' must lie above -1")
    errors = mapping(value, "candidates")
    candidates = {_known(name, KINDS, "candidates"): _error(errors, name) for name in errors}
    if kind not in candidates:
        raise InputError(f"'candidates' must have the error of {kind!r}")
    if _error(value, "mape") != candidates[kind]:
        raise InputError(f"'mape' must be the error that 'candidates' has for {kind!r}")
    model = kind_named(kind).make(terms).restore(mapping(value, "model"), directory, columns=len(lowest))
    _check_numbers(model, np.stack([lowest, highest]))
    return Predictor(
        kind=kind,
        terms=terms,
        model=model,
        lowest=lowest,
        highest=highest,
        residuals=residuals,
        candidates=candidates,
    )


def _check_numbers(model: Model, features: FloatArray) -> None:
    with np.errstate(all="ignore"):
        seconds = model.predict(features)
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise InputError("at the ends of its range it predicts no positive number of seconds")


def _name(value: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    return _known(field(value, name), known, name)


def _known(value: object, known: tuple[str, ...], name: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{name!r} must be one of {', '.join(known)}, not {value!r:.80}")
    return value


def _error(errors: Mapping[str, Any], name: str) -> float:
    return float(vector({name: [field(errors, name)]}, name, least=0.0)[0])
