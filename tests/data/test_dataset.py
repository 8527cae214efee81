"""Rows and tasks as values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import bigfast.data
from bigfast.data import Rows, TaskData
from bigfast.data.dataset import hold_out
from bigfast.errors import InputError


def some_rows(count: int, *, word: str = "text") -> Rows:
    return Rows(
        tuple(f"{word} {i}" for i in range(count)),
        tuple(f"other {i}" for i in range(count)),
        np.arange(count, dtype=np.int64) % 2,
    )


def some_task(dev_source: Callable[[], Rows | None] = lambda: None, **changed: Rows) -> TaskData:
    rows = {"train": some_rows(10), "validation": some_rows(4, word="held"), **changed}
    return TaskData(name="task", labels=("no", "yes"), dev_source=dev_source, **rows)


def test_rows_are_taken_in_the_order_asked_for() -> None:
    rows = some_rows(5).take([3, 0])

    assert (rows.first, rows.second) == (("text 3", "text 0"), ("other 3", "other 0"))
    assert rows.labels is not None
    assert rows.labels.tolist() == [1, 0]


def test_rows_of_single_sentences_stay_so_when_taken() -> None:
    rows = Rows(("a", "b"), None, None).take([1])

    assert (rows.first, rows.second, rows.labels) == (("b",), None, None)


def test_rows_refuse_columns_of_different_length() -> None:
    with pytest.raises(InputError, match="2 first texts, but 1 in 'second'"):
        Rows(("a", "b"), ("c",), None)


def test_dev_is_read_only_when_asked_for() -> None:
    reads: list[str] = []

    def read() -> Rows:
        reads.append("dev")
        return some_rows(3)

    task = some_task(read)
    before = (task.limited(train=2), task.fingerprint, repr(task), len(reads))[-1]
    task.read_dev()

    assert (before, reads) == (0, ["dev"])


@pytest.mark.parametrize(
    "changed",
    [
        {"train": some_rows(10).take(range(9))},
        {"train": Rows(some_rows(10).first, some_rows(10).second, np.ones(10, dtype=np.int64))},
        {"validation": some_rows(4, word="other")},
        {"validation": Rows(some_rows(4, word="held").second or (), some_rows(4, word="held").first, None)},
    ],
)
def test_fingerprint_changes_with_any_row(changed: dict[str, Rows]) -> None:
    assert some_task().fingerprint == some_task().fingerprint
    assert some_task(**changed).fingerprint != some_task().fingerprint


def test_limited_keeps_the_first_rows_and_at_most_all() -> None:
    task = some_task().limited(train=3, validation=99)

    assert task.train.first == ("text 0", "text 1", "text 2")
    assert len(task.validation) == 4


def test_limited_refuses_an_empty_split() -> None:
    with pytest.raises(InputError, match="1 row or more, not train=0"):
        some_task().limited(train=0)


@pytest.mark.parametrize(("rows", "held"), [(10, 5), (1_000, 200), (10_000, 500)])
def test_held_out_rows_are_five_per_cent_at_least_200_and_at_most_half(rows: int, held: int) -> None:
    train, validation, note = hold_out(some_rows(rows), seed=3)

    assert len(validation) == held
    assert {*train.first, *validation.first} == {*some_rows(rows).first}
    assert note == f"Validation is {held} rows held out of the {rows} of train, with seed 3."


def test_holding_out_depends_on_the_seed_alone() -> None:
    first, again, other = (hold_out(some_rows(1_000), seed=seed)[1].first for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_public_names_are_sorted_and_exist() -> None:
    assert bigfast.data.__all__ == sorted(bigfast.data.__all__)
    assert all(hasattr(bigfast.data, name) for name in bigfast.data.__all__)


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = "torch", "transformers", "datasets", "tokenizers", "pyarrow"
    code = f"import sys, bigfast.data; print([name for name in {heavy} if name in sys.modules])"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
