from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bigfast.data import Encoded
from bigfast.space import BertSpace, Choice, Space

Make = Callable[..., Encoded]

VOCAB = 60
TINY = BertSpace(space=Space("tiny", (Choice("e", (1, 2)), Choice("h", (12, 24, 36)), Choice("f", (16, 32)))), heads=2)


@pytest.fixture
def rows() -> Make:
    """Makes rows of random tokens of different lengths, with classes; every ``unlabelled``-th has none."""

    def make(count: int, *, seed: int = 0, longest: int = 12, labels: int = 3, unlabelled: int = 0) -> Encoded:
        rng = np.random.default_rng(seed)
        lengths = rng.integers(3, longest + 1, count)
        classes = rng.integers(0, labels, count)
        if unlabelled:
            classes[::unlabelled] = -1
        return Encoded(
            ids=tuple(rng.integers(1, VOCAB, length) for length in lengths),
            types=tuple(np.sort(rng.integers(0, 2, length)) for length in lengths),
            labels=classes,
            lengths=lengths,
            pad_id=0,
        )

    return make
