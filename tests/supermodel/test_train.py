from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bigfast.backend import FloatArray, Weights
from bigfast.data import Encoded, collate
from bigfast.errors import UnknownName
from bigfast.space import BertSpace, Choice, Space
from bigfast.supermodel import loop
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.loop import BatchOrder, Progress, Recipe
from bigfast.supermodel.loss import distillation_loss
from bigfast.supermodel.sampling import sampling_named, sandwich, uniform
from bigfast.supermodel.start import from_scratch
from bigfast.supermodel.train import (
    PROBE_STEPS,
    _SupermodelStep,
    supermodel_steps_in,
    train_one,
    train_supermodel,
    training_identity,
)

Make = Callable[..., Encoded]

TINY = BertSpace(space=Space("tiny", (Choice("e", (1, 2)), Choice("h", (12, 24, 36)), Choice("f", (16, 32)))), heads=2)
SHAPE = TINY.shape(TINY.space.largest, vocab=60, positions=16, labels=3)
RECIPE = Recipe(steps=10, batch_size=8, learning_rate=1e-2, sub_batches=2, draws=3, seed=5)


def start() -> Supermodel:
    return Supermodel(TINY, from_scratch(SHAPE, rng=np.random.default_rng(0)))


def teacher_of(encoded: Encoded) -> FloatArray:
    return np.random.default_rng(1).standard_normal((len(encoded), 3), dtype=np.float32)


def same(first: Supermodel, second: Supermodel) -> bool:
    return all(torch.equal(p, second.parameters[name]) for name, p in first.parameters.items())


def stop_at(step: int, error: type[BaseException] = KeyboardInterrupt) -> Callable[[Progress], None]:
    def told(progress: Progress) -> None:
        if progress.step == step:
            raise error

    return told


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TOLD_EVERY_S", 0.0)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("changes", [{}, {"bf16": True, "sampling": "uniform", "draws": 1, "sub_batches": 1}])
def test_an_interrupted_supermodel_resumes_to_the_same_bits(
    rows: Make, tmp_path: Path, changes: dict[str, object]
) -> None:
    """With one uniform draw a step, some parameters have no gradient yet when the checkpoint is written."""
    encoded, recipe = rows(30, unlabelled=4), replace(RECIPE, **changes)
    whole, stopped, resumed = start(), start(), start()
    arguments = (encoded, teacher_of(encoded), recipe)
    losses = train_supermodel(whole, *arguments, identity="x")

    with pytest.raises(KeyboardInterrupt):
        train_supermodel(stopped, *arguments, identity="x", checkpoint=tmp_path / "c", told=stop_at(3))
    rest = train_supermodel(resumed, *arguments, identity="x", checkpoint=tmp_path / "c")

    assert same(resumed, whole)
    assert rest == losses[3:]


@pytest.mark.usefixtures("eager")
def test_one_model_with_dropout_resumes_to_the_same_bits(rows: Make, tmp_path: Path) -> None:
    encoded = rows(30)
    recipe = replace(RECIPE, sub_batches=1)
    weights = from_scratch(SHAPE, rng=np.random.default_rng(0))

    def trained(**changes: object) -> Weights:
        return train_one(weights, encoded, None, recipe, dropout=0.2, identity="x", **changes)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        trained(checkpoint=tmp_path / "c", told=stop_at(4))
    resumed, whole = trained(checkpoint=tmp_path / "c"), trained()

    assert all(np.array_equal(resumed.arrays[name], array) for name, array in whole.arrays.items())


def test_training_one_model_leaves_its_start_untouched(rows: Make) -> None:
    weights = from_scratch(SHAPE, rng=np.random.default_rng(0))

    found = train_one(weights, rows(16), None, replace(RECIPE, steps=2), identity="x")

    again = from_scratch(SHAPE, rng=np.random.default_rng(0))
    assert all(np.array_equal(weights.arrays[name], array) for name, array in again.arrays.items())
    assert not np.array_equal(found.arrays["classifier.weight"], weights.arrays["classifier.weight"])


def test_dropout_matters_in_training_and_follows_from_the_seed(rows: Make) -> None:
    weights, encoded = from_scratch(SHAPE, rng=np.random.default_rng(0)), rows(16)
    recipe = replace(RECIPE, steps=2)

    none, first, again = (
        train_one(weights, encoded, None, recipe, dropout=dropout, identity="x").arrays["classifier.weight"]
        for dropout in (0.0, 0.3, 0.3)
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, none)


def test_a_supermodel_learns_rows_by_heart_at_both_ends(rows: Make) -> None:
    encoded = rows(16)
    model = start()

    train_supermodel(model, encoded, None, Recipe(steps=150, batch_size=16, learning_rate=1e-2, draws=2), identity="x")

    batch = collate(encoded, range(16))
    for arch in (TINY.space.smallest, TINY.space.largest):
        right = model.forward(batch, arch).argmax(dim=1).numpy() == encoded.labels
        assert right.mean() > 0.9


@pytest.mark.parametrize("sub_batches", [1, 2, 3])
def test_the_gradient_of_a_step_is_the_mean_over_parts_and_draws(rows: Make, sub_batches: int) -> None:
    encoded = rows(20, unlabelled=3)
    teacher = teacher_of(encoded)
    recipe = replace(RECIPE, sub_batches=sub_batches, sampling="uniform")
    model, by_hand = start(), start()

    loss = _SupermodelStep(model, encoded, teacher, recipe).backward(4)

    batch = BatchOrder(encoded, batch_size=8, seed=5).batch(4)
    rng = np.random.default_rng([5, 1, 4])
    gradients = {name: torch.zeros_like(p) for name, p in by_hand.parameters.items()}
    losses = []
    for part in np.array_split(batch.rows, sub_batches):
        for arch in uniform(TINY.space, 3, rng):
            for parameter in by_hand.parameters.values():
                parameter.grad = None
            one = distillation_loss(
                by_hand.forward(collate(encoded, part), arch),
                torch.from_numpy(encoded.labels[part]),
                torch.from_numpy(teacher[part]),
                hard_share=recipe.hard_share,
                temperature=recipe.temperature,
            )
            one.backward()  # type: ignore[no-untyped-call]
            losses.append(float(one.detach()))
            for name, parameter in by_hand.parameters.items():
                if parameter.grad is not None:
                    gradients[name] += parameter.grad
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    for name, parameter in model.parameters.items():
        expected = gradients[name] / len(losses)
        found = torch.zeros_like(expected) if parameter.grad is None else parameter.grad
        assert torch.allclose(found, expected, atol=1e-6), name


def test_an_epochs_smaller_last_batch_is_divided_too(rows: Make) -> None:
    encoded = rows(9)
    step = _SupermodelStep(start(), encoded, None, replace(RECIPE, sub_batches=4))

    assert all(np.isfinite(step.backward(number)) for number in range(2))


def test_probing_the_speed_changes_nothing(rows: Make) -> None:
    encoded = rows(20)
    probed = start()
    seconds = iter([100.0, 100.0 + PROBE_STEPS])

    steps = supermodel_steps_in(50.0, probed, encoded, None, RECIPE, clock=lambda: next(seconds))

    assert steps == 49  # 1 s each, and a little for the update
    assert same(probed, start())
    assert all(p.grad is None for p in probed.parameters.values())


def test_an_identity_changes_with_the_recipe_and_with_anything_else_that_decides() -> None:
    identities = [
        training_identity(RECIPE, "data", 1),
        training_identity(replace(RECIPE, seed=6), "data", 1),
        training_identity(RECIPE, "other", 1),
        training_identity(RECIPE, "data", 2),
        training_identity(RECIPE, "data", 1, "more"),
    ]

    assert len(set(identities)) == 5
    assert training_identity(RECIPE, "data", 1) == identities[0]


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("hard_share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_the_loss_is_the_written_formula(hard_share: float, temperature: float) -> None:
    rng = np.random.default_rng(0)
    student, teacher = rng.standard_normal((2, 6, 3))
    labels = np.array([0, -1, 2, 1, -1, 0])
    known = labels >= 0

    found = distillation_loss(
        torch.from_numpy(student), torch.from_numpy(labels), torch.from_numpy(teacher),
        hard_share=hard_share, temperature=temperature,
    )  # fmt: skip

    hard = -np.log(softmax(student)[known, labels[known]]).mean()
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    soft = (p * np.log(p / q)).sum(axis=1).mean() * temperature**2
    assert float(found) == pytest.approx(hard_share * hard + (1 - hard_share) * soft, rel=1e-5)


def test_without_a_teacher_the_labels_alone_count() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])

    found = distillation_loss(logits, torch.tensor([0, -1]), None, hard_share=0.1, temperature=2.0)

    assert float(found) == pytest.approx(np.log(1 + np.exp(-2)))


def test_rows_without_any_label_are_learnt_from_the_teacher_alone() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    teacher = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

    found = distillation_loss(logits, torch.tensor([-1, -1]), teacher, hard_share=0.5, temperature=1.0)
    found.backward()

    assert 0 < float(found.detach()) < 1
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_a_student_that_says_what_its_teacher_says_has_no_soft_loss() -> None:
    teacher = torch.tensor([[1.0, -2.0, 0.5]])

    assert float(distillation_loss(teacher, torch.tensor([-1]), teacher, hard_share=0.0, temperature=3.0)) == 0


def test_a_sandwich_has_both_ends() -> None:
    archs = sandwich(TINY.space, 5, np.random.default_rng(0))

    assert archs[:2] == [TINY.space.largest, TINY.space.smallest]
    assert len(archs) == 5


def test_a_sandwich_of_one_is_sometimes_either_end() -> None:
    rng = np.random.default_rng(0)

    drawn = [sandwich(TINY.space, 1, rng) for _ in range(60)]

    assert {len(archs) for archs in drawn} == {1}
    assert {TINY.space.largest, TINY.space.smallest} < {archs[0] for archs in drawn}


@pytest.mark.parametrize("name", ["sandwich", "uniform"])
def test_a_sampling_follows_from_its_generator_and_stays_in_the_space(name: str) -> None:
    draw = sampling_named(name)

    first, again = (draw(TINY.space, 20, np.random.default_rng(3)) for _ in range(2))

    assert first == again
    assert all(arch in TINY.space for arch in first)


def test_an_unknown_sampling_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sandwich'"):
        sampling_named("sandwhich")
