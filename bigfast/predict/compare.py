"""All kinds of predictor on the same rows: what ``bigfast predict --compare`` shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.errors import InputError
from bigfast.predict.choose import AUTO, LEAST_ROWS, fit
from bigfast.predict.kinds import KINDS
from bigfast.predict.scoring import Score, evaluate
from bigfast.predict.table import FloatArray, checked_features, checked_seconds, distinct


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One kind, on average over the splits.

    ``score`` is over all held-out rows of all splits; but ``spearman`` is the mean of the splits', since the order
    matters among predictions of one model. ``covered`` is the share of those rows that took no longer than ``upper``
    at level 0.9. ``fit_s`` includes cross-validation, ``predict_s`` is for all held-out rows of a split.
    """

    kind: str
    score: Score
    covered: float
    fit_s: float
    predict_s: float


@dataclass(frozen=True, slots=True)
class _Trial:
    predicted: FloatArray
    actual: FloatArray
    upper: FloatArray
    fit_s: float
    predict_s: float


def compare(
    features: npt.ArrayLike,
    seconds: npt.ArrayLike,
    *,
    kinds: Sequence[str] = (*KINDS, AUTO),
    splits: int = 3,
    test_fraction: float = 0.3,
    terms: str = "generic",
    rng: np.random.Generator,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Comparison, ...]:
    """Fits each kind on the same rows and scores it on the same others, over several random splits.

    Args:
        features: Shape (rows, columns).
        seconds: Shape (rows,).
        kinds: Which to compare; the rows of the answer have their order.
        splits: How many times to split anew.
        test_fraction: The share of different rows that is held out.
        terms: As ``fit`` takes them.
        rng: Draws the splits, and the seed that all kinds share in a split.
        clock: Read before and after each fit and each prediction.

    Raises:
        InputError: the table is none, or too small to be split like that.
        UnknownName: there is no such kind or no such terms.
    """
    table = checked_features(features)
    measured = checked_seconds("seconds", seconds, rows=len(table))
    if splits < 1:
        raise InputError(f"A comparison needs at least 1 split, not {splits}")
    which = distinct(table)
    different = int(which.max()) + 1 if len(which) else 0
    held = round(different * test_fraction)
    if held < 2 or different - held < LEAST_ROWS:
        raise InputError(
            f"A comparison needs at least {LEAST_ROWS} different rows to fit and 2 to hold out, but test_fraction "
            f"{test_fraction:g} of {different} leaves {different - held} and {held}"
        )
    trials: dict[str, list[_Trial]] = {kind: [] for kind in kinds}
    for _ in range(splits):
        held_out = (rng.permutation(different) < held)[which]
        seed = int(rng.integers(2**63))
        for kind, done in trials.items():
            done.append(_trial(table, measured, held_out, kind=kind, terms=terms, seed=seed, clock=clock))
    return tuple(_summary(kind, done) for kind, done in trials.items())


def _trial(
    features: FloatArray,
    seconds: FloatArray,
    held_out: npt.NDArray[np.bool_],
    *,
    kind: str,
    terms: str,
    seed: int,
    clock: Callable[[], float],
) -> _Trial:
    started = clock()
    predictor = fit(features[~held_out], seconds[~held_out], kind=kind, terms=terms, rng=np.random.default_rng(seed))
    fitted = clock()
    prediction = predictor.predict(features[held_out], level=0.9)
    ended = clock()
    return _Trial(prediction.seconds, seconds[held_out], prediction.upper, fitted - started, ended - fitted)


def _summary(kind: str, trials: list[_Trial]) -> Comparison:
    actual = np.concatenate([trial.actual for trial in trials])
    upper = np.concatenate([trial.upper for trial in trials])
    score = evaluate(np.concatenate([trial.predicted for trial in trials]), actual)
    spearman = np.mean([evaluate(trial.predicted, trial.actual).spearman for trial in trials])
    return Comparison(
        kind=kind,
        score=Score(mape=score.mape, p95=score.p95, spearman=float(spearman), n=score.n),
        covered=float(np.mean(actual <= upper)),
        fit_s=float(np.mean([trial.fit_s for trial in trials])),
        predict_s=float(np.mean([trial.predict_s for trial in trials])),
    )
