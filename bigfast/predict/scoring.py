"""How good predictions were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.errors import InputError
from bigfast.predict.table import FloatArray, checked_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors relative to the truth (0.03 is 3 %): their mean, their 95th percentile; and whether the order is right.

    ``spearman`` is the rank correlation, 1 for the right order, and 0 where all predictions are equal.
    """

    mape: float
    p95: float
    spearman: float
    n: int


def evaluate(predicted: npt.ArrayLike, actual: npt.ArrayLike) -> Score:
    """Compares predictions with what was measured.

    Args:
        predicted: Seconds, shape (rows,), positive, at least two.
        actual: Seconds, the same.

    Raises:
        InputError: they are not like that.
    """
    rows = int(np.size(predicted))
    if rows < 2:
        raise InputError(f"A score needs at least 2 predictions, not {rows}")
    guess, truth = checked_seconds("predicted", predicted, rows=rows), checked_seconds("actual", actual, rows=rows)
    error = np.abs(guess / truth - 1)
    return Score(
        mape=float(error.mean()), p95=float(np.quantile(error, 0.95)), spearman=_spearman(guess, truth), n=rows
    )


def _spearman(first: FloatArray, second: FloatArray) -> float:
    a, b = _ranks(first), _ranks(second)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1; equal values share the mean of theirs. scipy.stats has it, and takes half a second to import."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[which], dtype=np.float64)
