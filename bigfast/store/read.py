"""Reading files that may be missing, damaged or hostile: bounded, and nothing in them is ever executed."""

from __future__ import annotations

import hashlib
import json
import math
import stat
from pathlib import Path
from typing import Any, NoReturn

from bigfast.errors import InputError

JSON_AT_MOST_BYTES = 32 * 2**20


def _refuse(token: str) -> NoReturn:
    raise ValueError(f"{token} is not a JSON number")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)  # 1e999 is written like a number


def parse_json(text: str) -> Any:  # Any: JSON is whatever it is; the caller checks
    """Strict JSON: NaN and infinity are refused.

    Raises:
        ValueError: the text is not JSON, or too deeply nested.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_bytes(path: Path, *, at_most: int, error: type[InputError] = InputError) -> bytes:
    """A whole file of bounded size.

    Raises:
        error: it is missing, no regular file, unreadable or too large.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for
            raise error(f"{path} is not a regular file")
        if state.st_size > at_most:
            raise error(f"{path} has {state.st_size:,} bytes, more than the {at_most:,} that such a file may have")
        return path.read_bytes()
    except FileNotFoundError as missing:
        raise error(f"{path} does not exist") from missing
    except OSError as unreadable:
        raise error(f"{path} cannot be read: {unreadable.strerror or unreadable}") from unreadable


def read_json(path: Path, *, error: type[InputError] = InputError) -> dict[str, Any]:
    """A JSON file whose top is an object.

    Raises:
        error: it is missing, too large, not JSON, or something else than an object.
    """
    content = read_bytes(path, at_most=JSON_AT_MOST_BYTES, error=error)
    try:
        value = parse_json(content.decode())
    except ValueError as problem:
        raise error(f"{path} is not valid JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise error(f"{path} must hold a JSON object, not {type(value).__name__}")
    return value


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
