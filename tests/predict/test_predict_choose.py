from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bigfast.errors import InputError, UnknownName
from bigfast.predict import KINDS, LEAST_ROWS, evaluate, fit
from bigfast.predict.choose import folds
from bigfast.predict.mlp import MlpPaper

Tables = Callable[[int, int], Any]
QUICK = [kind for kind in KINDS if kind != "mlp-paper"]


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's network takes seconds to fit; where it only has to take part, a small one will do."""
    monkeypatch.setattr(MlpPaper.__init__, "__kwdefaults__", {"width": 32, "epochs": 20})


@pytest.mark.parametrize("seed", range(4))
def test_analytic_cost_needs_sixty_rows_for_an_error_below_three_and_a_half_percent(table: Tables, seed: int) -> None:
    fitted, unseen = table(60, seed), table(400, 100 + seed)

    predictor = fit(fitted.features, fitted.seconds, kind="analytic", terms="bert", rng=np.random.default_rng(seed))

    assert evaluate(predictor.predict(unseen.features).seconds, unseen.seconds).mape < 0.035


@pytest.mark.parametrize("kind", QUICK)
@pytest.mark.parametrize("terms", ["bert", "generic"])
def test_the_cross_validated_error_is_near_the_error_on_unseen_rows(table: Tables, kind: str, terms: str) -> None:
    reported, actual = [], []
    for seed in range(6):
        fitted, unseen = table(40, seed), table(400, 100 + seed)
        predictor = fit(fitted.features, fitted.seconds, kind=kind, terms=terms, rng=np.random.default_rng(seed))
        reported.append(predictor.mape)
        actual.append(evaluate(predictor.predict(unseen.features).seconds, unseen.seconds).mape)

    assert 0.8 < np.mean(reported) / np.mean(actual) < 1.5


def test_the_papers_network_learns_the_table(table: Tables) -> None:
    fitted, unseen = table(60, 0), table(400, 100)

    model = MlpPaper().fit(fitted.features, fitted.seconds, rng=np.random.default_rng(0))

    assert evaluate(model.predict(unseen.features), unseen.seconds).mape < 0.10


@pytest.mark.usefixtures("small_network")
def test_auto_is_never_much_worse_than_the_best_kind(table: Tables) -> None:
    for seed in range(3):
        fitted, unseen = table(40, seed), table(300, 100 + seed)
        errors = {}
        for kind in (*KINDS, "auto"):
            predictor = fit(fitted.features, fitted.seconds, kind=kind, terms="bert", rng=np.random.default_rng(seed))
            errors[kind] = evaluate(predictor.predict(unseen.features).seconds, unseen.seconds).mape

        assert errors["auto"] < 1.25 * min(errors.values())


@pytest.mark.usefixtures("small_network")
def test_auto_is_the_kind_it_chose_and_shows_what_it_chose_from(table: Tables) -> None:
    fitted = table(30, 0)

    chosen = fit(fitted.features, fitted.seconds, terms="bert", rng=np.random.default_rng(7))
    asked = fit(fitted.features, fitted.seconds, kind=chosen.kind, terms="bert", rng=np.random.default_rng(7))

    assert set(chosen.candidates) == set(KINDS)
    assert chosen.mape == min(chosen.candidates.values()) == asked.mape
    np.testing.assert_array_equal(
        chosen.predict(fitted.features).seconds, asked.predict(fitted.features).seconds, strict=True
    )


@pytest.mark.usefixtures("small_network")
def test_auto_chooses_something_else_where_cost_does_not_add_up() -> None:
    rng = np.random.default_rng(0)
    threads = rng.integers(1, 17, 60).astype(np.float64)

    predictor = fit(threads[:, None], 1 / threads, rng=rng)

    assert predictor.kind.startswith("xgboost")


@pytest.mark.usefixtures("small_network")
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_predictor(table: Tables, kind: str) -> None:
    fitted, unseen = table(20, 0), table(50, 1)

    first, second = (
        fit(fitted.features, fitted.seconds, kind=kind, terms="bert", rng=np.random.default_rng(3)) for _ in range(2)
    )

    one, other = first.predict(unseen.features), second.predict(unseen.features)
    np.testing.assert_array_equal(one.upper, other.upper, strict=True)


@pytest.mark.usefixtures("small_network")
@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_leaves_everybody_elses_chance_and_threads_alone(table: Tables, kind: str) -> None:
    import torch

    fitted = table(20, 0)

    def shared() -> tuple[list[int], str, int]:
        return torch.random.get_rng_state().tolist(), repr(np.random.get_state()), torch.get_num_threads()

    before = shared()

    fit(fitted.features, fitted.seconds, kind=kind, terms="bert", rng=np.random.default_rng(3))

    assert shared() == before


@pytest.mark.usefixtures("small_network")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_a_table_with_columns_that_never_vary_and_negative_ones(kind: str) -> None:
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.normal(size=20), np.zeros(20), np.full(20, -3.0)])

    prediction = fit(features, np.exp(features[:, 0]), kind=kind, rng=rng).predict(features - 10)

    assert np.isfinite(prediction.seconds).all()
    assert (prediction.seconds > 0).all()


def test_an_architecture_measured_twice_is_in_one_part() -> None:
    which = np.repeat(np.arange(11), 3)

    parts = folds(which, count=5, rng=np.random.default_rng(0)).reshape(11, 3)

    assert (parts == parts[:, :1]).all()
    assert sorted(np.bincount(parts[:, 0])) == [2, 2, 2, 2, 3]


def test_rows_outside_the_fitted_range_are_said_to_be(table: Tables) -> None:
    fitted = table(20, 0)
    predictor = fit(fitted.features, fitted.seconds, kind="analytic", terms="bert", rng=np.random.default_rng(0))
    longer = fitted.features.copy()
    longer[3, 4] = 256

    assert predictor.predict(fitted.features).outside.sum() == 0
    assert np.flatnonzero(predictor.predict(longer).outside).tolist() == [3]


def test_a_predictor_refuses_other_columns_than_it_was_fitted_on(table: Tables) -> None:
    fitted = table(20, 0)
    predictor = fit(fitted.features, fitted.seconds, kind="analytic", rng=np.random.default_rng(0))

    with pytest.raises(InputError, match="must have the 6 columns that were fitted, not 5"):
        predictor.predict(fitted.features[:, :5])


ROWS = np.arange(24.0).reshape(12, 2)
SECONDS = np.arange(1.0, 13.0)


@pytest.mark.parametrize(
    ("features", "seconds", "message"),
    [
        (SECONDS, SECONDS, r"features must have shape \(rows, columns\), but its shape is \(12,\)"),
        (ROWS[:, :0], SECONDS, "features must have shape"),
        (ROWS, SECONDS[:5], r"seconds must have shape \(12,\), one for each row, but its shape is \(5,\)"),
        (ROWS, SECONDS[:, None], "seconds must have shape"),
        (np.where(ROWS == 5, np.nan, ROWS), SECONDS, r"features must be finite numbers, but at \[2, 1\] there is none"),
        (ROWS, np.where(SECONDS == 3, np.inf, SECONDS), r"seconds must be finite numbers, but at \[2\]"),
        (ROWS, SECONDS - 1, "seconds must be positive, but row 0 has 0"),
        ([["a", "b"]] * 12, SECONDS, "features must be an array of numbers"),
        (ROWS[: LEAST_ROWS - 1], SECONDS[: LEAST_ROWS - 1], "at least 8 different rows, not 7"),
        (ROWS // 8, SECONDS, "at least 8 different rows, not 3"),
        (ROWS[:0], SECONDS[:0], "at least 8 different rows, not 0"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(features: Any, seconds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(features, seconds, rng=np.random.default_rng(0))


def test_unknown_names_are_refused_before_anything_is_fitted() -> None:
    with pytest.raises(UnknownName, match="did you mean 'analytic'"):
        fit(ROWS, SECONDS, kind="analitic", rng=np.random.default_rng(0))
    with pytest.raises(UnknownName, match="did you mean 'bert'"):
        fit(ROWS, SECONDS, terms="brt", rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="terms 'bert' need the 6 columns layers, hidden"):
        fit(ROWS, SECONDS, terms="bert", rng=np.random.default_rng(0))
