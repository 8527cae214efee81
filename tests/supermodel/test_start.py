from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bigfast.backend import Weights, reference_logits
from bigfast.data import Batch, Encoded, collate
from bigfast.errors import ModelError
from bigfast.space import BertShape, BertSpace, Choice, Space, aligned_space, teacher_space
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.start import cut_to, from_scratch, importance_ordered

SHAPE = BertShape(layers=2, hidden=48, ffn=192, heads=4, vocab=60, positions=16)
ROWS = Callable[..., Encoded]


@pytest.fixture
def batches(rows: ROWS) -> list[Batch]:
    encoded = rows(24)
    return [collate(encoded, range(start, start + 6)) for start in range(0, 24, 6)]


def answers(weights: Weights, batches: list[Batch]) -> np.ndarray:
    return np.concatenate([reference_logits(weights, b.ids, b.mask, b.types) for b in batches])


def test_a_scratch_start_is_distributed_as_the_stock_models() -> None:
    arrays = from_scratch(SHAPE, rng=np.random.default_rng(0)).arrays

    for name, array in arrays.items():
        if name.endswith("LayerNorm.weight"):
            assert (array == 1).all()
        elif name.endswith("bias"):
            assert (array == 0).all()
        elif array.size > 1000:
            assert array.std() == pytest.approx(0.02, rel=0.06)
            assert abs(array.mean()) < 0.002
    assert (arrays["bert.embeddings.word_embeddings.weight"][0] == 0).all()


def test_a_scratch_start_follows_from_its_generator() -> None:
    first, again, other = (from_scratch(SHAPE, rng=np.random.default_rng(seed)).arrays for seed in (1, 1, 2))

    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["classifier.weight"], other["classifier.weight"])


def test_ordering_by_importance_keeps_the_function(batches: list[Batch]) -> None:
    teacher = Weights.random(SHAPE, seed=1)

    ordered = importance_ordered(teacher, batches)

    assert np.abs(answers(ordered, batches) - answers(teacher, batches)).max() < 1e-5
    assert not np.array_equal(ordered.arrays["classifier.weight"], teacher.arrays["classifier.weight"])


def test_ordering_by_importance_permutes_and_changes_no_number(batches: list[Batch]) -> None:
    teacher = Weights.random(SHAPE, seed=1)

    ordered = importance_ordered(teacher, batches)

    for name, array in teacher.arrays.items():
        assert np.array_equal(np.sort(ordered.arrays[name], axis=None), np.sort(array, axis=None))


def test_feed_forward_units_that_do_nothing_come_last_and_can_be_cut(batches: list[Batch]) -> None:
    teacher = Weights.random(SHAPE, seed=1)
    rng = np.random.default_rng(2)
    for layer in range(SHAPE.layers):
        idle = rng.choice(SHAPE.ffn, 64, replace=False)
        teacher.arrays[f"bert.encoder.layer.{layer}.output.dense.weight"][:, idle] = 0
    narrow = BertSpace(
        space=Space("narrow", (Choice("e", (1, 2)), Choice("h", (48,)), Choice("f", (64, 128)))), heads=4
    )

    cut = cut_to(importance_ordered(teacher, batches), narrow)

    assert cut.shape.ffn == 128
    assert np.abs(answers(cut, batches) - answers(teacher, batches)).max() < 1e-5


def test_dimensions_of_a_head_that_do_nothing_come_last_within_it(batches: list[Batch]) -> None:
    teacher = Weights.random(SHAPE, seed=1)
    idle_values = [head * 12 + dimension for head, dimension in ((0, 3), (1, 0), (2, 11), (3, 5))]
    idle_keys = [head * 12 + dimension for head, dimension in ((0, 7), (1, 11), (2, 1), (3, 0))]
    prefix = "bert.encoder.layer.0.attention."
    teacher.arrays[f"{prefix}output.dense.weight"][:, idle_values] = 0
    for part in ("weight", "bias"):
        teacher.arrays[f"{prefix}self.query.{part}"][idle_keys] = 0

    ordered = importance_ordered(teacher, batches).arrays

    last = [head * 12 + 11 for head in range(4)]
    assert not ordered[f"{prefix}output.dense.weight"][:, last].any()
    assert not ordered[f"{prefix}self.query.weight"][last].any()
    assert not ordered[f"{prefix}self.query.bias"][last].any()


def test_a_teacher_cut_to_its_own_size_is_itself() -> None:
    teacher = Weights.random(SHAPE, seed=1)

    cut = cut_to(teacher, teacher_space(SHAPE))

    assert cut.shape == SHAPE
    assert all(np.array_equal(cut.arrays[name], array) for name, array in teacher.arrays.items())


def test_cutting_takes_the_same_corner_as_a_supermodel_does() -> None:
    teacher = Weights.random(SHAPE, seed=1)
    arch = teacher_space(SHAPE).space.arch([1, 40, 128])
    only = BertSpace(
        space=Space("only", tuple(Choice(name, (value,)) for name, value in arch.values)), heads=SHAPE.heads
    )

    cut = cut_to(teacher, only)

    extracted = Supermodel(teacher_space(SHAPE), teacher).extract(arch)
    assert cut.shape == extracted.shape
    assert all(np.array_equal(cut.arrays[name], array) for name, array in extracted.arrays.items())


def test_a_supermodel_that_starts_from_its_ordered_teacher_answers_as_the_teacher(batches: list[Batch]) -> None:
    teacher = Weights.random(SHAPE, seed=1)
    space = teacher_space(SHAPE)

    model = Supermodel(space, cut_to(importance_ordered(teacher, batches), space))

    found = np.concatenate([model.forward(b, space.space.largest).detach().numpy() for b in batches])
    assert np.abs(found - answers(teacher, batches)).max() < 1e-5


@pytest.mark.parametrize("heads", [2, 4])
def test_a_space_that_does_not_fit_into_the_teacher_is_refused_with_a_way_out(heads: int) -> None:
    space = aligned_space() if heads == 4 else teacher_space(BertShape(**{**vars_of(SHAPE), "heads": 2}))

    with pytest.raises(ModelError, match="use --space teacher, or --start scratch"):
        cut_to(Weights.random(SHAPE, seed=0), space)


def vars_of(shape: BertShape) -> dict[str, int]:
    return {name: getattr(shape, name) for name in BertShape.__slots__}
