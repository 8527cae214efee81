"""The table that a predictor is fitted on and asked about, checked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bigfast.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def checked_features(features: npt.ArrayLike, *, columns: int | None = None) -> FloatArray:
    """The features as float64, shape (rows, columns).

    Raises:
        InputError: they are no such table of finite numbers.
    """
    table = _numbers("features", features)
    if table.ndim != 2 or table.shape[1] == 0:
        raise InputError(f"features must have shape (rows, columns), but its shape is {table.shape}")
    if columns is not None and table.shape[1] != columns:
        raise InputError(f"features must have the {columns} columns that were fitted, not {table.shape[1]}")
    return table


def checked_seconds(name: str, seconds: npt.ArrayLike, *, rows: int) -> FloatArray:
    """The seconds as float64, shape (rows,), all positive.

    Raises:
        InputError: they are not, with ``name`` to say which.
    """
    column = _numbers(name, seconds)
    if column.shape != (rows,):
        raise InputError(f"{name} must have shape ({rows},), one for each row, but its shape is {column.shape}")
    if not (column > 0).all():
        raise InputError(f"{name} must be positive, but row {int(np.argmin(column > 0))} has {column.min():g}")
    return column


def distinct(features: FloatArray) -> IntArray:
    """For each row the number of the architecture that it is about, shape (rows,).

    Equal rows are one architecture measured again: they must not be on both sides of a split.
    """
    _, which = np.unique(features, axis=0, return_inverse=True)
    return which.reshape(-1).astype(np.int64)


def _numbers(name: str, values: npt.ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from error
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InputError(f"{name} must be finite numbers, but at {where} there is none: leave that row out")
    return array
