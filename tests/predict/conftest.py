"""Tables of made-up latencies over the paper's space, with noise as a quiet machine has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from bigfast.space import paper_space

FloatArray = npt.NDArray[np.float64]

SPACE = paper_space().space.enumerate().astype(np.float64)


@dataclass(frozen=True, slots=True)
class Table:
    features: FloatArray  # the columns of BERT_FEATURES
    seconds: FloatArray


def true_seconds(features: FloatArray) -> FloatArray:
    """Matrix products at 350 Gop/s whose inner widths fill registers, attention, element-wise passes, overheads."""
    layers, hidden, ffn, heads, length, batch = features.T
    tokens = batch * length
    wide_hidden, wide_ffn, wide_head = (np.ceil(width / 16) * 16 for width in (hidden, ffn, hidden / heads))
    products = tokens * 2 * (4 * hidden * wide_hidden + 2 * hidden * wide_ffn) / 350e9
    attention = batch * heads * length**2 * wide_head * 4 / 60e9
    passes = tokens * (6 * hidden + ffn) * 1e-9
    return np.asarray(1e-3 + layers * (2e-4 + products + attention + passes), dtype=np.float64)


@pytest.fixture
def table() -> Callable[[int, int], Table]:
    """A function of (rows, seed) that makes a table of different architectures, times with 2 % noise."""

    def make(rows: int, seed: int) -> Table:
        rng = np.random.default_rng(seed)
        chosen = SPACE[rng.choice(len(SPACE), rows, replace=False)]
        features = np.column_stack([chosen, np.full(rows, 12.0), np.full(rows, 128.0), np.ones(rows)])
        return Table(features, true_seconds(features) * np.exp(rng.normal(0, 0.02, rows)))

    return make
