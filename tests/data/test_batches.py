"""Batches and the order of an epoch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigfast.data import Encoded, collate, epoch_batches, equal_length_batches
from bigfast.errors import InputError

LENGTHS = st.lists(st.integers(1, 40), max_size=300).map(lambda values: np.array(values, dtype=np.int64))


@pytest.fixture
def encoded() -> Encoded:
    ids = tuple(np.arange(1, length + 1, dtype=np.int64) for length in (3, 1, 2))
    return Encoded(
        ids=ids,
        types=tuple((row > 1).astype(np.int64) for row in ids),
        labels=np.array([2, -1, 1]),
        lengths=np.array([3, 1, 2]),
        pad_id=9,
    )


def test_batch_is_padded_to_its_longest_row(encoded: Encoded) -> None:
    batch = collate(encoded, [2, 1])

    assert batch.ids.tolist() == [[1, 2], [1, 9]]
    assert batch.mask.tolist() == [[1, 1], [1, 0]]
    assert batch.types.tolist() == [[0, 1], [0, 0]]
    assert (batch.labels.tolist(), batch.rows.tolist()) == ([1, -1], [2, 1])


def test_batch_can_be_padded_further_and_never_cuts(encoded: Encoded) -> None:
    assert collate(encoded, [2, 1], pad_to=5).ids.shape == (2, 5)
    with pytest.raises(InputError, match="row of 3 tokens cannot be padded to 2"):
        collate(encoded, [0, 1], pad_to=2)


def test_batch_of_no_rows_is_refused(encoded: Encoded) -> None:
    with pytest.raises(InputError, match="at least one row"):
        collate(encoded, [])


@given(LENGTHS, st.integers(1, 20), st.integers(0, 5))
def test_an_epoch_visits_every_row_once(lengths: np.ndarray, size: int, epoch: int) -> None:
    batches = epoch_batches(lengths, batch_size=size, seed=1, epoch=epoch)

    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)


def test_an_epoch_repeats_and_the_next_one_differs() -> None:
    lengths = np.random.default_rng(0).integers(5, 30, 500)
    first, again, other = (
        np.concatenate(epoch_batches(lengths, batch_size=16, seed=4, epoch=epoch)).tolist() for epoch in (0, 0, 1)
    )

    assert first == again
    assert first != other


def test_rows_of_a_batch_have_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(5, 30, 3_200)
    batches = epoch_batches(lengths, batch_size=32, seed=0, epoch=0)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)

    assert padded < 1.06 * lengths.sum()


@given(LENGTHS, st.integers(1, 20))
def test_equal_length_batches_need_no_padding(lengths: np.ndarray, size: int) -> None:
    batches = equal_length_batches(lengths, batch_size=size)

    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(lengths)))
    assert all(0 < len(batch) <= size and len(set(lengths[batch].tolist())) == 1 for batch in batches)


def test_batches_of_no_size_are_refused() -> None:
    with pytest.raises(InputError, match="size of at least 1, not 0"):
        equal_length_batches(np.array([1]), batch_size=0)
