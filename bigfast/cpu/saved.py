"""Reading facts out of JSON that anybody may have written: each is checked, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bigfast.errors import InputError

__all__ = ["fact", "flag", "mapping", "positive", "several", "text", "whole"]

MAX_TEXT = 200
MAX_ENTRIES = 200
MAX_WHOLE = 2**60


def mapping(value: object, name: str) -> Mapping[str, object]:
    """``value`` as a JSON object of at most 200 entries."""
    if not isinstance(value, Mapping) or len(value) > MAX_ENTRIES or not all(isinstance(key, str) for key in value):
        raise _refused(name, f"an object of at most {MAX_ENTRIES} entries", value)
    return value


def fact(entries: Mapping[str, object], key: str, name: str) -> object:
    """What ``entries`` has under ``key``, which it must have."""
    if key not in entries:
        raise InputError(f"{name} must have {key!r}, which is missing: was it written by 'bigfast cpu --json'?")
    return entries[key]


def text(value: object, name: str) -> str:
    """``value`` as one printable line: what is shown on a terminal must not steer it."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise _refused(name, f"a printable text of 1 to {MAX_TEXT} characters", value)
    return value


def whole(value: object, name: str) -> int:
    """``value`` as a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_WHOLE:
        raise _refused(name, "a whole number from 1", value)
    return value


def positive(value: object, name: str) -> float:
    """``value`` as a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_WHOLE:
        raise _refused(name, "a number above 0", value)
    return float(value)


def several(value: object, name: str) -> Sequence[object]:
    """``value`` as a JSON list of at most 200 entries."""
    if not isinstance(value, list | tuple) or len(value) > MAX_ENTRIES:
        raise _refused(name, f"a list of at most {MAX_ENTRIES} entries", value)
    return value


def flag(value: object, name: str) -> bool:
    """``value`` as true or false."""
    if not isinstance(value, bool):
        raise _refused(name, "true or false", value)
    return value


def _refused(name: str, expected: str, value: object) -> InputError:
    shown = ascii(value)[:60] if isinstance(value, str | bool | float | None) else f"a {type(value).__name__}"
    return InputError(f"{name} must be {expected}, not {shown}")
