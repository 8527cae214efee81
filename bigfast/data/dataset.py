"""What a model must be good at: rows of text with labels, and the splits of one task."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bigfast.errors import InputError

HELD_OUT_SHARE = 0.05
HELD_OUT_LEAST = 200


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Texts, and the class of each where it is known.

    Attributes:
        first: The sentences, or the first of each pair.
        second: The second of each pair; None for single sentences.
        labels: Class of each row, shape (rows,), int64; None where nothing is labelled.
    """

    first: tuple[str, ...]
    second: tuple[str, ...] | None
    labels: NDArray[np.int64] | None

    def __post_init__(self) -> None:
        for name, values in (("second", self.second), ("labels", self.labels)):
            if values is not None and len(values) != len(self.first):
                raise InputError(f"Rows have {len(self.first)} first texts, but {len(values)} in {name!r}")

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Rows:
        """These rows, in this order."""
        order = np.asarray(indices, dtype=np.int64)
        return Rows(
            first=tuple(self.first[i] for i in order),
            second=None if self.second is None else tuple(self.second[i] for i in order),
            labels=None if self.labels is None else self.labels[order],
        )


def no_rows() -> Rows | None:
    """The development set of a task that has none."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskData:
    """One task: what is trained on, what a search may look at, and what it may not.

    Attributes:
        name: Where it came from.
        labels: The label words, in class order.
        train: Labelled rows to train on.
        validation: Labelled rows that a search may look at.
        unlabelled: Rows for distillation only.
        notes: What was done to the data on the way in, a sentence each.
        dev_source: Reads the development set; only ``read_dev`` calls it.
    """

    name: str
    labels: tuple[str, ...]
    train: Rows
    validation: Rows
    unlabelled: Rows | None = None
    notes: tuple[str, ...] = ()
    dev_source: Callable[[], Rows | None] = field(default=no_rows, repr=False)

    def read_dev(self) -> Rows | None:
        """The development set, read now and never before: for final figures only.

        Returns:
            Its labelled rows, or None if the task has none.

        Raises:
            DataError: it cannot be read.
        """
        return self.dev_source()

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with the label words and with any row of train or validation."""
        digest = hashlib.sha256()
        for part in (self.labels, *_content(self.train), *_content(self.validation)):
            digest.update(f"{len(part)}\x1d".encode())
            digest.update("\x1e".join(part).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]

    def limited(self, *, train: int | None = None, validation: int | None = None) -> TaskData:
        """The same task with only the first rows of each split, for quick runs.

        Raises:
            InputError: a limit is below 1.
        """
        if (train is not None and train < 1) or (validation is not None and validation < 1):
            raise InputError(f"A split can be limited to 1 row or more, not train={train}, validation={validation}")
        return dataclasses.replace(
            self,
            train=self.train.take(range(min(len(self.train), train or len(self.train)))),
            validation=self.validation.take(range(min(len(self.validation), validation or len(self.validation)))),
        )


def _content(rows: Rows) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    labels = () if rows.labels is None else tuple(map(str, rows.labels.tolist()))
    return rows.first, rows.second or (), labels


def hold_out(train: Rows, *, seed: int) -> tuple[Rows, Rows, str]:
    """Validation rows for a task that comes without: 5 % of train, at least 200 rows, at most half.

    Returns:
        What is left of train, the validation rows (each in the order they had), and a note that says so.
    """
    count = min(max(HELD_OUT_LEAST, int(len(train) * HELD_OUT_SHARE)), len(train) // 2)
    order = np.random.default_rng(seed).permutation(len(train))
    rest, held = np.sort(order[count:]), np.sort(order[:count])
    note = f"Validation is {count} rows held out of the {len(train)} of train, with seed {seed}."
    return train.take(rest), train.take(held), note
