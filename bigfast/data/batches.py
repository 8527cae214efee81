"""Rows put together for one forward pass, and the order in which an epoch visits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bigfast.data.encode import Encoded
from bigfast.errors import InputError

IntArray = NDArray[np.int64]

POOL_BATCHES = 32  # rows are sorted by length inside pools of this many batches: little padding, much chance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Rows of one length, by padding.

    Attributes:
        ids: Token ids, shape (batch, length), int64.
        mask: 1 for a token, 0 for padding, shape (batch, length), int64.
        types: Segment of each token, shape (batch, length), int64.
        labels: Class of each row, shape (batch,), int64; -1 where it has none.
        rows: Index of each row in what was encoded, shape (batch,), int64.
    """

    ids: IntArray
    mask: IntArray
    types: IntArray
    labels: IntArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.rows)


def collate(encoded: Encoded, rows: Sequence[int] | IntArray, *, pad_to: int | None = None) -> Batch:
    """Puts rows together, padded on the right to the longest of them.

    Args:
        encoded: Where the rows are.
        rows: Their indices, at least one.
        pad_to: Pad to this many tokens instead.

    Raises:
        InputError: there is no row, or one is longer than ``pad_to``.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    if not len(chosen):
        raise InputError("A batch needs at least one row, but none was given")
    lengths = encoded.lengths[chosen]
    longest = int(lengths.max())
    width = longest if pad_to is None else pad_to
    if longest > width:
        raise InputError(f"A batch with a row of {longest} tokens cannot be padded to {width}")
    tokens = np.arange(width) < lengths[:, None]  # (batch, length)
    ids = np.full(tokens.shape, encoded.pad_id, dtype=np.int64)
    types = np.zeros(tokens.shape, dtype=np.int64)
    ids[tokens] = np.concatenate([encoded.ids[row] for row in chosen])
    types[tokens] = np.concatenate([encoded.types[row] for row in chosen])
    return Batch(ids=ids, mask=tokens.astype(np.int64), types=types, labels=encoded.labels[chosen], rows=chosen)


def epoch_batches(lengths: IntArray, *, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
    """The batches of one epoch: every row once, rows of like length together, in random order.

    The same arguments give the same batches, so training resumes at (epoch, position).

    Args:
        lengths: Tokens of each row, shape (rows,), int64.
        batch_size: Rows a batch; one batch of the epoch may be smaller.
        seed: Of the whole training.
        epoch: Counted from 0.

    Returns:
        Row indices of each batch, int64.
    """
    _check(batch_size)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches: list[IntArray] = []
    for start in range(0, len(order), batch_size * POOL_BATCHES):
        pool = order[start : start + batch_size * POOL_BATCHES]
        batches += _cut(pool[np.argsort(lengths[pool], kind="stable")], batch_size)
    return [batches[i] for i in rng.permutation(len(batches))]


def equal_length_batches(lengths: IntArray, *, batch_size: int) -> list[IntArray]:
    """Batches whose rows all have one length, shortest first: nothing to pad.

    Args:
        lengths: Tokens of each row, shape (rows,), int64.
        batch_size: The most rows a batch.

    Returns:
        Row indices of each batch, int64; every row once.
    """
    _check(batch_size)
    order = np.argsort(lengths, kind="stable")  # ties keep their order, so that a run repeats
    edges = np.flatnonzero(np.diff(lengths[order])) + 1
    return [batch for group in np.split(order, edges) for batch in _cut(group, batch_size)]


def _cut(rows: IntArray, size: int) -> list[IntArray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _check(batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"A batch needs a size of at least 1, not {batch_size}")
