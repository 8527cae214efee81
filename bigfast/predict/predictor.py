"""A fitted predictor: what something takes, at most, and whether it can know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.predict.conformal import upper_factor
from bigfast.predict.kinds import Model
from bigfast.predict.table import FloatArray, checked_features


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What some rows will take, each array of shape (rows,).

    ``seconds`` is the estimate and ``upper`` lies above the truth for the asked share of unseen rows.
    ``outside`` marks rows beyond the fitted range of any feature: there ``upper`` promises nothing.
    """

    seconds: FloatArray
    upper: FloatArray
    outside: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictor:
    """A model together with the errors it made on rows it had not seen, and the range it was fitted on.

    ``kind`` is what the model is, also where ``auto`` chose it. ``candidates`` has the cross-validated error of each
    kind that was tried. ``residuals`` are actual / predicted - 1 of the rows while they were held out, shape (rows,);
    ``lowest`` and ``highest`` have shape (columns,).
    """

    kind: str
    terms: str
    model: Model
    lowest: FloatArray
    highest: FloatArray
    residuals: FloatArray
    candidates: Mapping[str, float]

    @property
    def mape(self) -> float:
        """Cross-validated mean absolute error, relative to the truth: 0.03 is 3 %."""
        return self.candidates[self.kind]

    @property
    def rows(self) -> int:
        """How many rows it was fitted on."""
        return len(self.residuals)

    def predict(self, features: npt.ArrayLike, level: float = 0.9) -> Prediction:
        """What each row will take.

        Args:
            features: Shape (rows, columns), with the columns that were fitted.
            level: The share of unseen rows that ``upper`` is to cover; what it means, and how high a level few
                rows support, is said in ``bigfast.predict.conformal``.

        Raises:
            InputError: the features have other columns, or are not numbers; the level is not between 0 and 1.
        """
        table = checked_features(features, columns=len(self.lowest))
        factor = upper_factor(self.residuals, level)
        seconds = self.model.predict(table)
        outside = np.any((table < self.lowest) | (table > self.highest), axis=1)
        return Prediction(seconds=seconds, upper=seconds * factor, outside=outside)
