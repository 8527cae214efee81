"""The embedded task: does the first sentence entail the second, contradict it, or neither?

Sentences are drawn from a small grammar and labelled by ``semantics.judge``. Rules of different depth
are mixed, so that accuracy grows with the model: one word within another, a quantifier that turns the
direction round, a rule applied to an individual, orders that follow through two or three steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bigfast.data.dataset import Rows, TaskData
from bigfast.data.grammar import Dice, draw_pair
from bigfast.errors import DataError, InputError

LABELS = ("entailment", "neutral", "contradiction")  # in the order of the constants of semantics


def _rows(dice: Dice, count: int, seen: set[tuple[str, str]], classes: Sequence[int]) -> Rows:
    pairs: list[tuple[str, str]] = []
    labels: list[int] = []
    while len(pairs) < count:
        label = len(pairs) % len(LABELS)
        pair = draw_pair(dice, label)
        if pair not in seen:
            seen.add(pair)
            pairs.append(pair)
            labels.append(classes[label])
    first, second = zip(*pairs, strict=True)
    return Rows(first, second, np.array(labels, dtype=np.int64))


def synthetic_task(
    seed: int,
    *,
    train: int = 20_000,
    validation: int = 2_000,
    dev: int = 4_000,
    label_order: tuple[str, ...] | None = None,
) -> TaskData:
    """Generates the task; the same arguments give the same rows on every machine.

    Classes are balanced and no pair of sentences occurs twice, in any split.

    Args:
        seed: At least 0.
        train: Rows to train on.
        validation: Rows that a search may look at.
        dev: Rows for the final figures; they are generated when they are read.
        label_order: The teacher's label words, in class order.

    Raises:
        DataError: ``label_order`` lacks one of the three labels.
        InputError: the seed is negative, or a split has no rows.
    """
    if seed < 0 or min(train, validation, dev) < 1:
        raise InputError(
            f"The synthetic task needs a seed of at least 0 and splits of at least 1 row, not "
            f"seed={seed}, train={train}, validation={validation}, dev={dev}"
        )
    words = label_order or LABELS
    folded = [word.casefold() for word in words]
    missing = [label for label in LABELS if label not in folded]
    if missing:
        raise DataError(
            f"The teacher does not know the label {missing[0]!r} of the synthetic task, but {', '.join(words)}"
        )
    classes = tuple(folded.index(label) for label in LABELS)
    dice = Dice(np.random.default_rng([seed, 0]))
    seen: set[tuple[str, str]] = set()
    train_rows = _rows(dice, train, seen, classes)
    validation_rows = _rows(dice, validation, seen, classes)
    return TaskData(
        name=f"synthetic:{seed}",
        labels=tuple(words),
        train=train_rows,
        validation=validation_rows,
        dev_source=partial(_read_dev, seed, dev, train_rows, validation_rows, classes),
    )


def _read_dev(seed: int, count: int, train: Rows, validation: Rows, classes: tuple[int, ...]) -> Rows:
    seen = {pair for rows in (train, validation) for pair in zip(rows.first, rows.second or (), strict=True)}
    return _rows(Dice(np.random.default_rng([seed, 1])), count, seen, classes)
