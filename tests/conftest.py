from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bigfast.backend import Weights
from bigfast.data import TaskData, synthetic_task, train_tokenizer
from bigfast.space import BertShape


@dataclass(frozen=True)
class Tiny:
    """A task of a few rows and a teacher that knows nothing, on disk as a user has them."""

    data: Path
    teacher: Path
    task: TaskData


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Three hundred rows in tsv files, and a teacher of two layers."""
    from bigfast.backend.stock import save_stock

    root = tmp_path_factory.mktemp("tiny")
    task = synthetic_task(3, train=300, validation=60, dev=40)
    dev = task.read_dev()
    assert dev is not None
    (root / "data").mkdir()
    for name, rows in (("train", task.train), ("validation", task.validation), ("dev", dev)):
        assert rows.second is not None
        assert rows.labels is not None
        lines = [
            f"{first}\t{second}\t{task.labels[label]}"
            for first, second, label in zip(rows.first, rows.second, rows.labels, strict=True)
        ]
        (root / "data" / f"{name}.tsv").write_text("\n".join(["premise\thypothesis\tlabel", *lines]) + "\n")
    tokenizer = train_tokenizer([*task.train.first, *(task.train.second or ())], 300)
    shape = BertShape(layers=2, hidden=64, ffn=256, heads=4, vocab=len(tokenizer), positions=64)
    save_stock(Weights.random(shape, seed=5), task.labels, root / "teacher")
    tokenizer.save_pretrained(root / "teacher")
    return Tiny(data=root / "data", teacher=root / "teacher", task=task)


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of our own, so that somebody who measures on this machine meanwhile does not stop the test."""
    for module in ("run", "probing", "comparing"):
        monkeypatch.setattr(f"bigfast.measure.{module}.MACHINE_LOCK", tmp_path / "measuring.lock")
