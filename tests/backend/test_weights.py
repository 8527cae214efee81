from __future__ import annotations

import numpy as np
import pytest
import torch

from bigfast.backend import FloatArray, IntArray, Weights, array_shapes, disagreement, reference_logits
from bigfast.backend.stock import shape_of, stock_config, stock_model, weights_of
from bigfast.errors import InputError
from bigfast.space import BertShape

SHAPES = [
    BertShape(layers=1, hidden=24, ffn=16, heads=2, vocab=50, positions=20),
    BertShape(layers=3, hidden=120, ffn=140, heads=12, vocab=80, positions=40, labels=2),
    BertShape(layers=2, hidden=96, ffn=64, heads=3, vocab=60, positions=16, types=3, labels=5),
]
SMALL = SHAPES[0]


def texts(shape: BertShape, *, seed: int, batch: int = 4, length: int = 13) -> tuple[IntArray, IntArray, IntArray]:
    """Random ids, masks that pad all but the first text, and random types."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, shape.vocab, (batch, length))
    mask = np.ones_like(ids)
    for row in range(1, batch):
        mask[row, rng.integers(1, length) :] = 0
    return ids, mask, rng.integers(0, shape.types, (batch, length))


def stock_answer(weights: Weights, ids: IntArray, mask: IntArray, types: IntArray | None) -> FloatArray:
    with torch.inference_mode():
        logits = stock_model(weights)(
            input_ids=torch.from_numpy(ids),
            attention_mask=torch.from_numpy(mask),
            token_type_ids=None if types is None else torch.from_numpy(types),
        ).logits
    return np.asarray(logits.numpy())


@pytest.mark.parametrize("with_types", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_reference_answers_as_the_stock_model_does(shape: BertShape, with_types: bool) -> None:
    weights = Weights.random(shape, seed=1)
    ids, mask, types = texts(shape, seed=2)

    found = reference_logits(weights, ids, mask, types if with_types else None)

    assert found.dtype == np.float32
    assert np.abs(found - stock_answer(weights, ids, mask, types if with_types else None)).max() < 1e-5


def test_random_weights_follow_from_shape_and_seed() -> None:
    first, again, other = (Weights.random(SMALL, seed=seed) for seed in (1, 1, 2))

    assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in first.arrays)
    assert not np.array_equal(first.arrays["classifier.weight"], other.arrays["classifier.weight"])


def test_random_weights_give_logits_of_order_one() -> None:
    """Otherwise agreement with float32 would mean nothing."""
    shape = SHAPES[1]
    ids, mask, types = texts(shape, seed=3, batch=32)

    logits = reference_logits(Weights.random(shape, seed=0), ids, mask, types)

    assert 0.1 < logits.std() < 5


def test_models_of_one_table_share_their_word_embeddings() -> None:
    table = np.random.default_rng(0).standard_normal(5000, dtype=np.float32)

    weights = Weights.random(SMALL, seed=1, table=table)

    assert np.shares_memory(weights.arrays["bert.embeddings.word_embeddings.weight"], table)


@pytest.mark.parametrize("name", list(array_shapes(SMALL)))
def test_an_array_of_another_shape_is_refused_by_name(name: str) -> None:
    arrays = dict(Weights.random(SMALL, seed=0).arrays)
    arrays[name] = np.zeros((*arrays[name].shape, 1), dtype=np.float32)

    with pytest.raises(InputError, match=f"{name}' must be float32 of shape"):
        Weights(SMALL, arrays)


def test_an_array_of_another_type_is_refused() -> None:
    arrays = dict(Weights.random(SMALL, seed=0).arrays)
    arrays["classifier.bias"] = arrays["classifier.bias"].astype(np.float64)

    with pytest.raises(InputError, match=r"classifier\.bias' must be float32 .* not float64"):
        Weights(SMALL, arrays)


def test_a_missing_and_a_superfluous_array_are_refused_by_name() -> None:
    whole = dict(Weights.random(SMALL, seed=0).arrays)
    less = {name: array for name, array in whole.items() if name != "classifier.bias"}

    for arrays, name in ((less, "classifier.bias"), ({**whole, "odd": whole["classifier.bias"]}, "odd")):
        with pytest.raises(InputError, match=f"'{name}' is missing or superfluous"):
            Weights(SMALL, arrays)


def test_disagreement_is_a_share_of_the_largest_logit() -> None:
    reference = np.array([[1.0, -4.0]], dtype=np.float32)

    assert disagreement(reference + np.float32(0.5), reference) == pytest.approx(0.125)


def test_disagreement_of_nan_lies_within_no_bound() -> None:
    reference = np.array([[1.0, -4.0]], dtype=np.float32)

    assert not disagreement(reference * np.float32("nan"), reference) <= 1e9


@pytest.mark.parametrize("shape", SHAPES)
def test_stock_configuration_and_shape_are_the_same_thing(shape: BertShape) -> None:
    assert shape_of(stock_config(shape)) == shape


def test_the_weights_of_a_stock_model_are_those_it_was_made_of() -> None:
    weights = Weights.random(SMALL, seed=4)

    found = weights_of(stock_model(weights))

    assert found.shape == SMALL
    assert all(np.array_equal(found.arrays[name], array) for name, array in weights.arrays.items())
    assert not any(np.shares_memory(found.arrays[name], array) for name, array in weights.arrays.items())
