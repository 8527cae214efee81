"""Reading what somebody else may have written: bounded files, arrays by name, and JSON of numbers and names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from bigfast.errors import InputError
from bigfast.predict.table import FloatArray

ARRAYS_AT_MOST = 64 * 2**20


def read_bytes(path: Path, *, at_most: int) -> bytes:
    """The whole of a regular file.

    Raises:
        InputError: it is missing, no regular file, unreadable, or larger than ``at_most`` bytes.
    """
    if not path.is_file():  # a pipe would be waited for
        raise InputError("no such file")
    try:
        with path.open("rb") as file:
            data = file.read(at_most + 1)
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})") from error
    if len(data) > at_most:
        raise InputError(f"it is larger than the {at_most:,} bytes that such a file may have")
    return data


def read_arrays(path: Path, *, names: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a safetensors file; their types, shapes and values are still to be checked.

    Raises:
        InputError: it is no such file, or holds arrays of other names.
    """
    expected = sorted(names)
    try:
        data = read_bytes(path, at_most=ARRAYS_AT_MOST)
        arrays = load(data)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    except (AttributeError, KeyError, SafetensorError, TypeError, ValueError) as error:
        raise InputError(f"{path.name}: it is not a safetensors file ({error})") from error
    if sorted(arrays) != expected:
        raise InputError(f"{path.name}: it must hold the arrays {', '.join(expected)}, not {sorted(arrays)!r:.200}")
    return arrays


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object; NaN and Infinity, which JSON does not know, are refused.

    Raises:
        InputError: it is none.
    """
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (RecursionError, ValueError) as error:
        raise InputError(f"it is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"it must hold a JSON object, not {type(value).__name__}")
    return value


def field(state: Mapping[str, Any], name: str) -> Any:  # JSON: the caller checks what it is
    """One field that must be there.

    Raises:
        InputError: it is not.
    """
    if name not in state:
        raise InputError(f"{name!r} is missing")
    return state[name]


def mapping(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that holds an object.

    Raises:
        InputError: it does not.
    """
    value = field(state, name)
    if not isinstance(value, dict):
        raise InputError(f"{name!r} must be an object, not {type(value).__name__}")
    return value


def number(state: Mapping[str, Any], name: str) -> float:
    """A field that holds one finite number.

    Raises:
        InputError: it does not.
    """
    return float(_numbers(name, [field(state, name)])[0])


def positive(state: Mapping[str, Any], name: str) -> float:
    """A field that holds one positive finite number.

    Raises:
        InputError: it does not.
    """
    value = number(state, name)
    if value <= 0:
        raise InputError(f"{name!r} must be positive, not {value:g}")
    return value


def vector(state: Mapping[str, Any], name: str, *, size: int | None = None, least: float | None = None) -> FloatArray:
    """A field that holds a list of finite numbers, at least one, or ``size``, none below ``least``.

    Raises:
        InputError: it does not.
    """
    values = field(state, name)
    if not isinstance(values, list) or not values or len(values) != (size or len(values)):
        raise InputError(f"{name!r} must be a list of {size or 'some'} numbers")
    array = _numbers(name, values)
    if least is not None and array.min() < least:
        raise InputError(f"{name!r} must have no number below {least:g}, but has {array.min():g}")
    return array


def _numbers(name: str, values: list[Any]) -> FloatArray:
    if any(type(value) not in (int, float) for value in values):
        raise InputError(f"{name!r} must consist of numbers")
    try:
        array = np.array([float(value) for value in values])
    except OverflowError as error:
        raise InputError(f"{name!r} has a number that is too large") from error
    if not np.isfinite(array).all():  # 1e999 is JSON
        raise InputError(f"{name!r} has a number that is too large")
    return array


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON knows")
