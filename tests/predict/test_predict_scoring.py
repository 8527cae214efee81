from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from bigfast.errors import InputError, UnknownName
from bigfast.predict import compare, evaluate

ROWS = np.random.default_rng(0).random((30, 2))
SECONDS = 1 + ROWS.sum(axis=1)


def test_the_order_is_judged_as_scipy_judges_it_with_ties() -> None:
    rng = np.random.default_rng(0)
    predicted, actual = rng.integers(1, 9, 50).astype(float), rng.integers(1, 9, 50).astype(float)

    assert evaluate(predicted, actual).spearman == pytest.approx(spearmanr(predicted, actual).statistic)


def test_errors_are_relative_to_the_truth() -> None:
    score = evaluate([1.1, 1.8, 4.0], [1.0, 2.0, 4.0])

    assert score.mape == pytest.approx(0.2 / 3)
    assert score.p95 == pytest.approx(0.1)
    assert score.spearman == pytest.approx(1.0)
    assert score.n == 3


def test_predictions_that_are_all_equal_have_no_order() -> None:
    assert evaluate([1, 1, 1], [1, 2, 3]).spearman == 0.0


@pytest.mark.parametrize(("predicted", "actual"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([0.0, 1.0], [1.0, 1.0])])
def test_what_cannot_be_scored_is_refused(predicted: list[float], actual: list[float]) -> None:
    with pytest.raises(InputError):
        evaluate(predicted, actual)


def test_a_comparison_has_a_row_for_each_kind_in_the_order_asked() -> None:
    rows = compare(ROWS, SECONDS, kinds=["xgboost", "analytic"], splits=2, rng=np.random.default_rng(0))

    assert [(row.kind, row.score.n) for row in rows] == [("xgboost", 18), ("analytic", 18)]
    assert rows[1].score.mape < rows[0].score.mape


def test_a_comparison_takes_its_times_from_the_clock_it_is_given() -> None:
    ticks = itertools.accumulate(itertools.cycle([100.0, 5.0, 2.0]))  # before the fit, after it, after predicting

    (row,) = compare(ROWS, SECONDS, kinds=["analytic"], rng=np.random.default_rng(0), clock=lambda: next(ticks))

    assert (row.fit_s, row.predict_s) == (5.0, 2.0)


def test_a_comparison_repeats_with_its_seed() -> None:
    one, other = (
        compare(ROWS, SECONDS, kinds=["analytic", "xgboost-residual"], rng=np.random.default_rng(4), clock=lambda: 0.0)
        for _ in range(2)
    )

    assert one == other


def test_a_table_too_small_to_be_split_is_refused() -> None:
    with pytest.raises(InputError, match="of 10 leaves 7 and 3"):
        compare(ROWS[:10], SECONDS[:10], rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="at least 1 split"):
        compare(ROWS, SECONDS, splits=0, rng=np.random.default_rng(0))
    with pytest.raises(UnknownName, match="kind of predictor"):
        compare(ROWS, SECONDS, kinds=["forest"], rng=np.random.default_rng(0))
