from __future__ import annotations

import numpy as np
import pytest

from bigfast.backend import check_inputs
from bigfast.errors import InputError


@pytest.mark.parametrize(
    ("ids", "mask", "types", "words"),
    [
        ((2, 5), (2, 4), None, r"same shape \(batch, length\), not \(2, 5\), \(2, 4\) and \(2, 5\)"),
        ((2, 5), (2, 5), (1, 5), r"not \(2, 5\), \(2, 5\) and \(1, 5\)"),
        ((5,), (5,), None, r"same shape \(batch, length\)"),
        ((0, 5), (0, 5), None, r"same shape \(batch, length\)"),
        ((1, 9), (1, 9), None, "This model has 8 positions, but the texts have 9 tokens: cut them to 8"),
    ],
)
def test_what_no_session_can_answer_is_refused(
    ids: tuple[int, ...], mask: tuple[int, ...], types: tuple[int, ...] | None, words: str
) -> None:
    arrays = [np.ones(shape, dtype=np.int64) for shape in (ids, mask)]
    kinds = None if types is None else np.zeros(types, dtype=np.int64)

    with pytest.raises(InputError, match=words):
        check_inputs(arrays[0], arrays[1], kinds, positions=8)


def test_a_text_of_all_positions_is_let_through() -> None:
    ids = np.ones((3, 8), dtype=np.int64)

    check_inputs(ids, ids, None, positions=8)
