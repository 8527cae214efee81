"""The kinds of model, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from bigfast.errors import UnknownName
from bigfast.predict.table import FloatArray


class Model(Protocol):
    """What a kind implements; the table it gets has been checked."""

    def fit(self, features: FloatArray, seconds: FloatArray, *, rng: np.random.Generator) -> Self:
        """Learns the table of shape (rows, columns) and (rows,); returns itself."""
        ...

    def predict(self, features: FloatArray) -> FloatArray:
        """Seconds, shape (rows,), all positive."""
        ...

    def save(self, directory: Path) -> dict[str, Any]:
        """Writes large arrays into files of its own, and returns the rest as JSON."""
        ...

    def restore(self, state: Mapping[str, Any], directory: Path, *, columns: int) -> Self:
        """The inverse of ``save``; trusts nothing that it reads.

        Raises:
            InputError: something is missing, has another type or shape, or is not finite.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How to make a model of one kind, and into how many parts cross-validation cuts the table for it."""

    make: Callable[[str], Model]
    folds: int = 5


def _analytic(terms: str) -> Model:
    from bigfast.predict.analytic import Analytic

    return Analytic(terms=terms)


def _xgboost(terms: str) -> Model:
    from bigfast.predict.boosting import Boosting

    return Boosting(increasing=terms == "bert")


def _xgboost_residual(terms: str) -> Model:
    from bigfast.predict.boosting import ResidualBoosting

    return ResidualBoosting(terms=terms)


def _mlp_paper(terms: str) -> Model:
    from bigfast.predict.mlp import MlpPaper

    return MlpPaper()


# The simplest first: it wins a tie. The network is slow to fit, so it gets three folds: its error is then that of
# two thirds of the table where the others have four fifths.
_KINDS = {
    "analytic": Kind(_analytic),
    "xgboost-residual": Kind(_xgboost_residual),
    "xgboost": Kind(_xgboost),
    "mlp-paper": Kind(_mlp_paper, folds=3),
}
KINDS = tuple(_KINDS)


def kind_named(name: str) -> Kind:
    """The kind of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in _KINDS:
        raise UnknownName("kind of predictor", name, KINDS)
    return _KINDS[name]
