"""How good an answer is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bigfast.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A share of right answers among ``n``, both from 0 to 1."""

    share: float
    n: int

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 <= self.share <= 1:
            raise InputError(f"An accuracy is a share from 0 to 1 of at least 1 row, not {self.share} of {self.n}")

    @property
    def standard_error(self) -> float:
        """The binomial standard error of the share."""
        return math.sqrt(self.share * (1 - self.share) / self.n)


def accuracy(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Accuracy:
    """The share of rows whose largest logit is the label's.

    Args:
        logits: Shape (rows, classes), any float type.
        labels: Classes, shape (rows,), int64.

    Raises:
        InputError: the shapes do not fit, there is no row, or a row has no label.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise InputError(f"Logits of shape {logits.shape} need one label a row, but labels have shape {labels.shape}")
    if not len(labels):
        raise InputError("Accuracy needs at least one row, but there is none")
    if labels.min() < 0:
        raise InputError(f"Accuracy needs a label for every row, but row {int(np.argmin(labels))} has none")
    return Accuracy(share=float(np.mean(logits.argmax(axis=1) == labels)), n=len(labels))
