"""Accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from bigfast.data import accuracy
from bigfast.errors import InputError


def test_accuracy_is_the_share_of_right_rows_with_its_error() -> None:
    logits = np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)

    result = accuracy(logits, np.array([0, 1, 1, 1]))

    assert (result.share, result.n) == (0.75, 4)
    assert result.standard_error == pytest.approx(np.sqrt(0.75 * 0.25 / 4))


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0], "one label a row"), ([0, -1], "row 1 has none")],
)
def test_accuracy_needs_a_label_for_every_row(labels: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        accuracy(np.zeros((2, 3)), np.array(labels))


def test_accuracy_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="at least one row"):
        accuracy(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
