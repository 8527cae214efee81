from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bigfast.errors import InputError
from bigfast.predict import fit
from bigfast.predict.conformal import upper_factor


@pytest.mark.parametrize("kind", ["analytic", "xgboost-residual"])
def test_the_upper_bound_covers_about_the_share_of_unseen_rows_that_was_asked(
    table: Callable[[int, int], Any], kind: str
) -> None:
    covered = []
    for seed in range(16):
        fitted, unseen = table(40, seed), table(300, 100 + seed)
        predictor = fit(fitted.features, fitted.seconds, kind=kind, terms="bert", rng=np.random.default_rng(seed))
        covered.append(np.mean(unseen.seconds <= predictor.predict(unseen.features, level=0.9).upper))

    assert 0.83 < np.mean(covered) < 0.97


def test_the_bound_is_the_residual_of_the_conformal_rank() -> None:
    residuals = np.arange(1, 20) / 100

    assert upper_factor(residuals, 0.9) == pytest.approx(1.18)  # 20 x 0.9 = 18th of 19


def test_a_level_beyond_what_the_rows_support_gets_the_largest_residual() -> None:
    assert upper_factor(np.array([0.01, 0.05, -0.02]), 0.99) == pytest.approx(1.05)


def test_the_bound_never_lies_below_the_estimate() -> None:
    assert upper_factor(np.array([-0.3, -0.2, -0.1]), 0.5) == 1.0


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0, float("nan")])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        upper_factor(np.array([0.1]), level)
