"""The synthetic task as a data set."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import bigfast.data.source
from bigfast.data import Rows, TaskData, read_data, synthetic_task
from bigfast.errors import DataError, InputError


@pytest.fixture(scope="module")
def task() -> TaskData:
    return synthetic_task(1, train=3_000, validation=600, dev=600)


def pairs(rows: Rows | None) -> list[tuple[str, str]]:
    assert rows is not None
    assert rows.second is not None
    return list(zip(rows.first, rows.second, strict=True))


def test_no_pair_occurs_twice_in_any_split(task: TaskData) -> None:
    everything = pairs(task.train) + pairs(task.validation) + pairs(task.read_dev())

    assert len(everything) == len(set(everything)) == 4_200


def test_classes_are_balanced(task: TaskData) -> None:
    assert task.train.labels is not None
    assert np.bincount(task.train.labels).tolist() == [1_000, 1_000, 1_000]


def test_seed_alone_decides_the_rows(task: TaskData) -> None:
    again = synthetic_task(1, train=3_000, validation=600, dev=600)

    assert (again.fingerprint, pairs(again.read_dev())) == (task.fingerprint, pairs(task.read_dev()))
    assert synthetic_task(2, train=3_000, validation=600, dev=600).fingerprint != task.fingerprint


def test_fewer_training_rows_leave_those_that_stay(task: TaskData) -> None:
    assert pairs(synthetic_task(1, train=300, validation=6, dev=6).train) == pairs(task.train)[:300]


def test_hypothesis_alone_gives_little_away(task: TaskData) -> None:
    """A bag of words and word pairs of the hypothesis, which chance would answer in 1 of 3 rows."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = CountVectorizer(ngram_range=(1, 2))
    train = vectorizer.fit_transform(task.train.second)
    model = LogisticRegression(C=0.1, max_iter=500).fit(train, task.train.labels)

    assert model.score(vectorizer.transform(task.validation.second), task.validation.labels) < 0.45


def test_words_of_a_teacher_give_the_order_of_classes(task: TaskData) -> None:
    order = ("NEUTRAL", "contradiction", "Entailment")
    other = synthetic_task(1, train=3_000, validation=600, dev=600, label_order=order)

    def words(data: TaskData, rows: Rows | None) -> list[str]:
        assert rows is not None
        assert rows.labels is not None
        return [data.labels[label].lower() for label in rows.labels]

    assert other.labels == order
    assert words(other, other.train) == words(task, task.train)
    assert words(other, other.read_dev()) == words(task, task.read_dev())


def test_teacher_without_the_three_labels_is_refused() -> None:
    with pytest.raises(DataError, match="does not know the label 'neutral'"):
        synthetic_task(1, label_order=("entailment", "contradiction", "other"))


def test_split_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="dev=0"):
        synthetic_task(1, dev=0)


@pytest.mark.parametrize(("spec", "name"), [("synthetic:7", "synthetic:7"), ("synthetic", "synthetic:3")])
def test_name_gives_the_seed(spec: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigfast.data.source, "synthetic_task", partial(synthetic_task, train=3, validation=3, dev=3))

    assert read_data(spec, seed=3).name == name


def test_seed_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="expected synthetic:SEED"):
        read_data("synthetic:one")
