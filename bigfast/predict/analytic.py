"""Analytic cost: the time is a sum of amounts of work, and no work has a negative price."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.optimize import nnls

from bigfast.predict.reading import positive, vector
from bigfast.predict.table import FloatArray
from bigfast.predict.terms import cost_terms

FLOOR = 0.1  # no prediction lies below this share of the fastest row: zero work would otherwise take no time


class Analytic:
    """Non-negative least squares on cost terms, every row weighted by 1 / seconds so that errors are relative."""

    lowest_: FloatArray
    highest_: FloatArray
    prices_: FloatArray
    floor_s_: float

    def __init__(self, *, terms: str) -> None:
        self.terms = terms

    def fit(self, features: FloatArray, seconds: FloatArray, *, rng: np.random.Generator) -> Self:
        """Learns the price of each term, in seconds for one unit of its work; leaves nothing to chance."""
        self.lowest_, self.highest_ = features.min(axis=0), features.max(axis=0)
        self.floor_s_ = FLOOR * float(seconds.min())
        work = self._work(features) / seconds[:, None]
        scale = np.linalg.norm(work, axis=0)
        scale[scale == 0] = 1.0  # no row has any of this work
        prices, _ = nnls(work / scale, np.ones(len(seconds)), maxiter=100 * work.shape[1])
        self.prices_ = prices / scale
        return self

    def predict(self, features: FloatArray) -> FloatArray:
        """Seconds, shape (rows,)."""
        return np.maximum(self._work(features) @ self.prices_, self.floor_s_)

    def save(self, directory: Path) -> dict[str, Any]:
        """All of it is JSON."""
        return {
            "lowest": self.lowest_.tolist(),
            "highest": self.highest_.tolist(),
            "prices_s": self.prices_.tolist(),
            "floor_s": self.floor_s_,
        }

    def restore(self, state: Mapping[str, Any], directory: Path, *, columns: int) -> Self:
        """The inverse of ``save``.

        Raises:
            InputError: the state is not that of an analytic model of so many columns.
        """
        self.lowest_ = vector(state, "lowest", size=columns)
        self.highest_ = vector(state, "highest", size=columns)
        self.floor_s_ = positive(state, "floor_s")
        count = self._work(np.maximum(self.highest_, 1.0)[None, :]).shape[1]
        self.prices_ = vector(state, "prices_s", size=count, least=0.0)
        return self

    def _work(self, features: FloatArray) -> FloatArray:
        return cost_terms(self.terms, features, lowest=self.lowest_, highest=self.highest_)
