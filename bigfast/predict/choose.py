"""Fitting a predictor, and choosing its kind by errors on rows that were held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bigfast.errors import InputError, UnknownName
from bigfast.predict.kinds import KINDS, kind_named
from bigfast.predict.predictor import Predictor
from bigfast.predict.table import FloatArray, IntArray, checked_features, checked_seconds, distinct
from bigfast.predict.terms import check_terms

AUTO = "auto"
LEAST_ROWS = 8


def fit(
    features: npt.ArrayLike,
    seconds: npt.ArrayLike,
    *,
    kind: str = AUTO,
    terms: str = "generic",
    rng: np.random.Generator,
) -> Predictor:
    """Learns from a table of what was measured to predict what was not; any table of numbers will do.

    Whatever the kind, it is first cross-validated, in 5 parts (``mlp-paper``: 3), for its error and its upper bound,
    and then fitted on all rows. Rows with equal features are never on both sides of a split.

    Args:
        features: What was measured, shape (rows, columns), at least 8 different rows.
        seconds: How long it took, shape (rows,), positive.
        kind: One of ``KINDS``, or ``auto``: the simplest of them whose cross-validated error cannot be told from the
            lowest, see ``simplest_of_the_best``.
        terms: What the kinds on analytic cost take for work: ``generic`` for any table, ``bert`` if the columns are
            ``BERT_FEATURES``.
        rng: All chance comes from it; it is advanced by one number.

    Raises:
        InputError: the table is not like that.
        UnknownName: there is no such kind or no such terms.
    """
    table = checked_features(features)
    measured = checked_seconds("seconds", seconds, rows=len(table))
    check_terms(terms, table)
    if kind not in (*KINDS, AUTO):
        raise UnknownName("kind of predictor", kind, (*KINDS, AUTO))
    different = len(np.unique(distinct(table)))
    if different < LEAST_ROWS:
        raise InputError(f"A predictor needs at least {LEAST_ROWS} different rows, not {different}: measure more")

    seed = int(rng.integers(2**63))
    tried = KINDS if kind == AUTO else (kind,)
    residuals = {name: held_out_residuals(table, measured, kind=name, terms=terms, seed=seed) for name in tried}
    candidates = {name: float(np.abs(1 / (1 + rest) - 1).mean()) for name, rest in residuals.items()}
    chosen = simplest_of_the_best(residuals)
    model = kind_named(chosen).make(terms).fit(table, measured, rng=np.random.default_rng([seed, 0]))
    return Predictor(
        kind=chosen,
        terms=terms,
        model=model,
        lowest=table.min(axis=0),
        highest=table.max(axis=0),
        residuals=residuals[chosen],
        candidates=candidates,
    )


def simplest_of_the_best(residuals: Mapping[str, FloatArray]) -> str:
    """The first kind whose mean error is within one standard error of the best's (Breiman et al. 1984, sec. 3.4.3).

    On a few tens of rows the lowest of several errors is often luck, and a simple model errs less where luck ends.

    Args:
        residuals: Of each kind, simplest first, actual / predicted - 1 of the same rows, shape (rows,).
    """
    errors = {name: np.abs(1 / (1 + rest) - 1) for name, rest in residuals.items()}
    best = min(errors, key=lambda name: float(errors[name].mean()))
    for name, error in errors.items():
        worse = error - errors[best]  # paired, since all kinds were held against the same rows
        if worse.mean() <= worse.std(ddof=1) / np.sqrt(len(worse)):
            return name
    return best


def held_out_residuals(features: FloatArray, seconds: FloatArray, *, kind: str, terms: str, seed: int) -> FloatArray:
    """Relative errors, actual / predicted - 1 of every row, by a model that was fitted without it, shape (rows,)."""
    made = kind_named(kind)
    parts = folds(distinct(features), count=made.folds, rng=np.random.default_rng([seed, 1]))
    predicted = np.empty(len(seconds))
    for number in range(made.folds):
        held_out = parts == number
        rng = np.random.default_rng([seed, 2 + number])
        model = made.make(terms).fit(features[~held_out], seconds[~held_out], rng=rng)
        predicted[held_out] = model.predict(features[held_out])
    return seconds / predicted - 1


def folds(which: IntArray, *, count: int, rng: np.random.Generator) -> IntArray:
    """For each row the part that it is in, 0 to count - 1, equally large but for one architecture.

    Args:
        which: For each row the number of its architecture, from 0 without gaps, shape (rows,).
        count: How many parts.
        rng: Deals the architectures out.
    """
    return (rng.permutation(int(which.max()) + 1) % count)[which]
