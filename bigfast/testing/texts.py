"""The models that a backend is tested with, and what they are asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bigfast.backend import IntArray
from bigfast.space import BertShape

VOCAB = 300

SHAPES = (
    BertShape(layers=1, hidden=120, ffn=128, heads=12, vocab=VOCAB, positions=64),  # the paper's smallest; heads of 10
    BertShape(layers=3, hidden=132, ffn=344, heads=12, vocab=VOCAB, positions=64),  # heads of 11
    BertShape(layers=2, hidden=192, ffn=256, heads=6, vocab=VOCAB, positions=64, labels=5),  # heads of 32
    BertShape(layers=1, hidden=60, ffn=100, heads=1, vocab=VOCAB, positions=20, labels=2),  # one head
    # The paper's widest; heads of 47.
    BertShape(layers=1, hidden=564, ffn=1016, heads=12, vocab=VOCAB, positions=128),
)


def texts(batch: int, length: int, *, seed: int) -> tuple[IntArray, IntArray]:
    """Random ids and a full mask, each (batch, length), int64."""
    ids = np.random.default_rng(seed).integers(0, VOCAB, (batch, length), dtype=np.int64)
    return ids, np.ones_like(ids)


def asked(shape: BertShape, *, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Ids and masks of every kind that a model is asked, each (batch, length), int64.

    One text and several, of one token up to all positions; whole, with random amounts of padding at the end, and
    one whose only real token is the first.
    """
    rng = np.random.default_rng(seed)
    for batch, length, padded in (
        (1, 1, False),
        (1, 7, False),
        (3, 9, True),
        (4, 16, False),
        (4, shape.positions, True),
    ):
        ids, mask = texts(batch, length, seed=seed)
        if padded:
            for row in range(1, batch):
                mask[row, rng.integers(1, length + 1) :] = 0
            mask[-1, 1:] = 0
        yield ids, mask
