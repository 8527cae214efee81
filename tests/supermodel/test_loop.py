from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bigfast.data import Encoded
from bigfast.errors import InputError, ModelError, StorageError
from bigfast.supermodel import loop
from bigfast.supermodel.loop import BatchOrder, Progress, Recipe, learning_rate_at, run_training

Make = Callable[..., Encoded]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 700])
def test_an_epoch_has_each_row_once(rows: Make, count: int) -> None:
    order = BatchOrder(rows(count), batch_size=8, seed=1)
    per_epoch = math.ceil(count / 8)

    for epoch in range(2):
        seen = np.concatenate([order.batch(epoch * per_epoch + place).rows for place in range(per_epoch)])
        assert sorted(seen) == list(range(count))


def test_batches_follow_from_seed_and_step_alone(rows: Make) -> None:
    encoded = rows(50)
    forwards, backwards = (BatchOrder(encoded, batch_size=8, seed=1) for _ in range(2))
    steps = list(range(20))

    first = {step: forwards.batch(step) for step in steps}
    again = {step: backwards.batch(step) for step in reversed(steps)}

    assert all(np.array_equal(first[step].ids, again[step].ids) for step in steps)


def test_seeds_and_epochs_have_different_batches(rows: Make) -> None:
    encoded = rows(64)
    orders = [BatchOrder(encoded, batch_size=8, seed=seed) for seed in (1, 2)]

    seen = {tuple(order.batch(step).rows) for order in orders for step in (0, 8)}

    assert len(seen) == 4


@pytest.mark.parametrize(("steps", "warmup_share"), [(100, 0.06), (10, 0.5), (1, 0.06), (5, 0.0)])
def test_the_learning_rate_rises_to_its_peak_and_falls_towards_nothing(steps: int, warmup_share: float) -> None:
    recipe = Recipe(steps=steps, warmup_share=warmup_share, learning_rate=0.5)
    peak = max(1, round(warmup_share * steps)) - 1

    rates = np.array([learning_rate_at(step, recipe) for step in range(steps)])

    assert (rates > 0).all()
    assert rates[peak] == rates.max() == 0.5
    assert np.allclose(np.diff(rates[: peak + 1]), 0.5 / (peak + 1))
    assert (np.diff(rates[peak + 1 :]) < 0).all()
    assert learning_rate_at(steps, recipe) == 0


@pytest.mark.parametrize(
    "changes",
    [{"steps": 0}, {"batch_size": 0}, {"sub_batches": 0}, {"draws": 0}, {"sub_batches": 33}, {"hard_share": 1.5}],
)
def test_a_recipe_that_makes_no_sense_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(InputError):
        Recipe(**{"steps": 1, **changes})


class Toy:
    """Two parameters, and gradients that follow from the step; some steps have no finite loss or gradient."""

    def __init__(self, *, bad_losses: tuple[int, ...] = (), bad_gradients: tuple[int, ...] = ()) -> None:
        rng = np.random.default_rng(0)
        self.parameters = {
            "matrix": nn.Parameter(torch.from_numpy(rng.standard_normal((3, 4), dtype=np.float32))),
            "bias": nn.Parameter(torch.from_numpy(rng.standard_normal(4, dtype=np.float32))),
        }
        self.seen: list[int] = []
        self._bad_losses = bad_losses
        self._bad_gradients = bad_gradients

    def backward(self, step: int) -> float:
        self.seen.append(step)
        rng = np.random.default_rng(step)
        for parameter in self.parameters.values():
            gradient = torch.from_numpy(rng.standard_normal(parameter.shape, dtype=np.float32))
            parameter.grad = gradient * (math.inf if step in self._bad_gradients else 1)
        return math.nan if step in self._bad_losses else float(step)

    def train(self, **changes: object) -> list[float]:
        arguments = {"recipe": Recipe(steps=12, learning_rate=0.1), "identity": "toy", **changes}
        return run_training(self.parameters, self.backward, **arguments)  # type: ignore[arg-type]

    def same_as(self, other: Toy) -> bool:
        return all(torch.equal(p, other.parameters[name]) for name, p in self.parameters.items())


def stop_at(step: int, error: type[BaseException]) -> Callable[[Progress], None]:
    def told(progress: Progress) -> None:
        if progress.step == step:
            raise error

    return told


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is told after every step."""
    monkeypatch.setattr(loop, "TOLD_EVERY_S", 0.0)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("bad_losses", [(), (2, 7)])
@pytest.mark.parametrize("at", [1, 5, 11])
def test_a_training_that_was_interrupted_resumes_to_the_same_bits(
    tmp_path: Path, at: int, bad_losses: tuple[int, ...]
) -> None:
    whole, stopped, resumed = (Toy(bad_losses=bad_losses) for _ in range(3))
    losses = whole.train()

    with pytest.raises(KeyboardInterrupt):
        stopped.train(checkpoint=tmp_path / "c", told=stop_at(at, KeyboardInterrupt))
    rest = resumed.train(checkpoint=tmp_path / "c")

    assert resumed.seen == list(range(at, 12))
    assert resumed.same_as(whole)
    assert np.array_equal(rest, losses[at:], equal_nan=True)


@pytest.mark.usefixtures("eager")
def test_a_training_that_died_resumes_from_its_last_checkpoint_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    whole, stopped, resumed = Toy(), Toy(), Toy()
    whole.train()

    with pytest.raises(MemoryError):
        stopped.train(checkpoint=tmp_path / "c", told=stop_at(6, MemoryError))
    resumed.train(checkpoint=tmp_path / "c")

    assert resumed.seen == list(range(5, 12))
    assert resumed.same_as(whole)


def test_an_interrupt_inside_a_step_keeps_the_steps_before_it(tmp_path: Path) -> None:
    class Interrupted(Toy):
        def backward(self, step: int) -> float:
            loss = super().backward(step)
            if step == 4:
                raise KeyboardInterrupt
            return loss

    whole, resumed = Toy(), Toy()
    whole.train()

    with pytest.raises(KeyboardInterrupt):
        Interrupted().train(checkpoint=tmp_path / "c")
    resumed.train(checkpoint=tmp_path / "c")

    assert resumed.seen == list(range(4, 12))
    assert resumed.same_as(whole)


@pytest.mark.usefixtures("eager")
def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Toy().train(checkpoint=tmp_path / "c", told=stop_at(3, KeyboardInterrupt))

    with pytest.raises(ModelError, match="checkpoint of another training: choose another directory, or delete it"):
        Toy().train(checkpoint=tmp_path / "c", identity="another")


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("keep", [0, 5, 100, -3])
def test_a_damaged_checkpoint_is_a_model_error(tmp_path: Path, keep: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        Toy().train(checkpoint=tmp_path / "c", told=stop_at(3, KeyboardInterrupt))
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:keep])

    with pytest.raises(ModelError, match=r"damaged .*: delete it to train anew"):
        Toy().train(checkpoint=tmp_path / "c")


@pytest.mark.usefixtures("eager")
def test_a_checkpoint_that_lacks_a_parameter_is_a_model_error(tmp_path: Path) -> None:
    class Less(Toy):
        def __init__(self) -> None:
            super().__init__()
            del self.parameters["bias"]

    with pytest.raises(KeyboardInterrupt):
        Less().train(checkpoint=tmp_path / "c", told=stop_at(3, KeyboardInterrupt))

    with pytest.raises(ModelError, match="damaged"):
        Toy().train(checkpoint=tmp_path / "c")


@pytest.mark.usefixtures("eager")
def test_a_checkpoint_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError):
        Toy().train(checkpoint=tmp_path / "file" / "c", told=stop_at(3, KeyboardInterrupt))


@pytest.mark.parametrize("bad", [{"bad_losses": (3,)}, {"bad_gradients": (3,)}])
def test_a_step_without_finite_loss_or_gradient_changes_nothing(bad: dict[str, tuple[int, ...]]) -> None:
    broken, stopped = Toy(**bad), Toy()

    losses = broken.train(recipe=Recipe(steps=4, learning_rate=0.1, warmup_share=1.0))
    # The same rates in the first three steps: they rise by the same amount.
    stopped.train(recipe=Recipe(steps=3, learning_rate=0.075, warmup_share=1.0))

    assert np.isnan(losses).tolist() == [False, False, False, True]
    assert broken.same_as(stopped)


@pytest.mark.parametrize("kind", ["bad_losses", "bad_gradients"])
def test_ten_steps_without_finite_loss_end_the_training(kind: str) -> None:
    steps = tuple(range(2, 12))

    with pytest.raises(ModelError, match="10 steps had no finite loss or gradient: lower the learning rate"):
        Toy(**{kind: steps}).train(recipe=Recipe(steps=40))


def test_nine_steps_without_finite_loss_do_not() -> None:
    losses = Toy(bad_losses=tuple(range(2, 11))).train(recipe=Recipe(steps=40))

    assert np.isnan(losses).sum() == 9


def test_gradients_are_clipped_and_matrices_alone_decay() -> None:
    toy = Toy()
    before = {name: p.detach().clone() for name, p in toy.parameters.items()}

    def nothing(step: int) -> float:
        for parameter in toy.parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        return 0.0

    recipe = Recipe(steps=1, learning_rate=0.1, weight_decay=0.5)
    run_training(toy.parameters, nothing, recipe, identity="")

    assert torch.allclose(toy.parameters["matrix"], before["matrix"] * (1 - 0.1 * 0.5))
    assert torch.equal(toy.parameters["bias"], before["bias"])


def test_progress_is_told_at_the_end_at_the_latest() -> None:
    told: list[Progress] = []
    seconds = iter(np.arange(0, 100, 0.01).tolist())

    Toy().train(told=told.append, clock=lambda: next(seconds))

    assert (told[-1].step, told[-1].steps, told[-1].remaining_s) == (12, 12, 0)
    assert len(told) == 1
