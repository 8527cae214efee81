from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost

from bigfast.predict.growing import grow, train


@pytest.mark.parametrize("increasing", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_arrays_predict_what_xgboost_predicts(
    table: Callable[[int, int], Any], increasing: bool, depth: int
) -> None:
    fitted, unseen = table(40, 0), table(3000, 1)
    target = np.log(fitted.seconds)

    trees = grow(
        fitted.features,
        target,
        rounds=50,
        settings={"max_depth": depth},
        increasing=increasing,
        rng=np.random.default_rng(0),
    )

    booster = train(fitted.features, target, 50, {"max_depth": depth}, increasing, np.random.default_rng(0))
    np.testing.assert_allclose(
        trees.predict(unseen.features), booster.predict(xgboost.DMatrix(unseen.features)), rtol=0, atol=1e-5
    )


def test_trees_that_increase_never_fall(table: Callable[[int, int], Any]) -> None:
    fitted, unseen = table(40, 0), table(100, 1)
    trees = grow(
        fitted.features,
        np.log(fitted.seconds),
        rounds=100,
        settings={"max_depth": 3},
        increasing=True,
        rng=np.random.default_rng(0),
    )

    assert (trees.predict(unseen.features + np.array([1, 36, 48, 0, 0, 0])) >= trees.predict(unseen.features)).all()
