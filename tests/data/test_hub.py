"""Data sets of the hub, here from local files through ``datasets`` itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from bigfast.data import read_data, read_hub
from bigfast.errors import DataError

NAMES = ["entailment", "neutral", "contradiction"]


def split(rows: int, *, label: int | None = None) -> datasets.Dataset:
    features = datasets.Features(
        premise=datasets.Value("string"), hypothesis=datasets.Value("string"), label=datasets.ClassLabel(names=NAMES)
    )
    columns = {
        "premise": [f"premise {i}" for i in range(rows)],
        "hypothesis": [f"hypothesis {i}" for i in range(rows)],
        "label": [i % 3 if label is None else label for i in range(rows)],
    }
    return datasets.Dataset.from_dict(columns, features=features)


def serve(monkeypatch: pytest.MonkeyPatch, **splits: datasets.Dataset) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def load(*arguments: str | None) -> datasets.DatasetDict:
        calls.append(arguments)
        return datasets.DatasetDict(splits)

    monkeypatch.setattr(datasets, "load_dataset", load)
    return calls


def test_hub_data_has_the_class_names_and_holds_validation_out(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = serve(monkeypatch, train=split(600), validation_matched=split(9), test_matched=split(9, label=-1))

    task = read_data("hf:nyu-mll/glue:mnli", seed=1)

    assert calls == [("nyu-mll/glue", "mnli")]
    assert task.labels == ("contradiction", "entailment", "neutral")
    assert (len(task.train), len(task.validation)) == (400, 200)
    assert task.notes == ("Validation is 200 rows held out of the 600 of train, with seed 1.",)


def test_official_validation_split_is_the_dev_set(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, train=split(600), validation_matched=split(9))

    dev = read_hub("hf:nyu-mll/glue:mnli", label_order=tuple(NAMES)).read_dev()

    assert dev is not None
    assert dev.labels is not None
    assert dev.labels.tolist() == [0, 1, 2] * 3


def test_unlabelled_rows_of_train_are_dropped_and_unsupervised_ones_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    train = datasets.concatenate_datasets([split(600), split(5, label=-1)])
    serve(monkeypatch, train=train, unsupervised=split(7, label=-1))

    task = read_hub("hf:some/thing")

    assert len(task.train) + len(task.validation) == 600
    assert task.notes[0] == "Split 'train': 5 rows without a label dropped."
    assert task.unlabelled is not None
    assert (len(task.unlabelled), task.unlabelled.labels, task.read_dev()) == (7, None, None)


def test_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: str | None) -> datasets.DatasetDict:
        raise ConnectionError("Couldn't reach 'nyu-mll/glue' on the Hub\nMax retries exceeded")

    monkeypatch.setattr(datasets, "load_dataset", load)

    with pytest.raises(DataError, match=r"(?-s:cannot be loaded from the hub \(Couldn't.*\): .*local directory$)"):
        read_data("hf:nyu-mll/glue:mnli")


def test_unknown_configuration_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: str | None) -> datasets.DatasetDict:
        raise ValueError("BuilderConfig 'mlni' not found. Available: ['mnli']")

    monkeypatch.setattr(datasets, "load_dataset", load)

    with pytest.raises(DataError, match=r"Available: \['mnli'\]"):
        read_data("hf:nyu-mll/glue:mlni")


def test_local_directory_is_read_as_datasets_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "task").mkdir()
    rows = "".join(f"text {i},{i % 2}\n" for i in range(40))
    (tmp_path / "task" / "train.csv").write_text("text,label\n" + rows, encoding="utf-8")

    task = read_data(f"hf:{tmp_path / 'task'}")

    assert (task.labels, len(task.train), len(task.validation)) == (("0", "1"), 20, 20)


def test_data_set_without_train_or_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, test=split(3))

    with pytest.raises(DataError, match="has no split 'train', but 'test'"):
        read_hub("hf:some/thing")
    with pytest.raises(DataError, match="names no data set"):
        read_hub("hf:")
