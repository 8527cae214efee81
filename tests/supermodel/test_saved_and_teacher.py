from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast

from bigfast.backend import StockModel, Weights, reference_logits
from bigfast.backend.stock import save_stock
from bigfast.data import Encoded, Rows, TaskData, collate, encode, train_tokenizer
from bigfast.errors import ModelError
from bigfast.space import BertShape, BertSpace, Choice, Space
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.saved import load_supermodel, save_supermodel
from bigfast.supermodel.teacher import Teacher, check_labels, load_teacher, teacher_logits

WORDS = ("entailment", "neutral", "contradiction")
TINY = BertSpace(space=Space("tiny", (Choice("e", (1, 2)), Choice("h", (12, 24)), Choice("f", (16, 32)))), heads=2)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["all dogs bark", "no cat barks", "some birds sing"], vocab_size=60)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> Supermodel:
    shape = TINY.shape(TINY.space.largest, vocab=len(tokenizer), positions=16, labels=3)
    return Supermodel(TINY, Weights.random(shape, seed=0))


@pytest.fixture
def saved(model: Supermodel, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    save_supermodel(model, tmp_path / "s", labels=WORDS, tokenizer=tokenizer, about={"steps": 7})
    return tmp_path / "s"


def test_a_supermodel_is_read_as_it_was_written(
    model: Supermodel, saved: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    found, labels, words = load_supermodel(saved)

    assert (found.space, found.shape, labels) == (TINY, model.shape, WORDS)
    assert all(torch.equal(p, found.parameters[name]) for name, p in model.parameters.items())
    assert words("all birds bark")["input_ids"] == tokenizer("all birds bark")["input_ids"]


def test_its_largest_model_is_what_stock_transformers_loads(model: Supermodel, saved: Path) -> None:
    stock = AutoModelForSequenceClassification.from_pretrained(saved)
    words = AutoTokenizer.from_pretrained(saved)

    rows = encode(words, Rows(("all birds bark",), None, None), max_length=16)
    batch = collate(rows, [0])
    with torch.inference_mode():
        mine = model.forward(batch, TINY.space.largest)
        theirs = stock(**words("all birds bark", return_tensors="pt")).logits
    assert (mine - theirs).abs().max() < 1e-5


def test_what_a_reader_should_know_is_kept(saved: Path) -> None:
    assert json.loads((saved / "supermodel.json").read_text())["about"] == {"steps": 7}


def remove(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).unlink()


def set_field(name: str, value: object) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        path = directory / "supermodel.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove("supermodel.json"), "make one with 'bigfast train'"),
        (remove("model.safetensors"), r"has no model\.safetensors"),
        (remove("tokenizer.json"), "has no tokenizer"),
        (set_field("schema_version", 2), r"format bigfast\.supermodel 2, and this bigfast reads"),
        (set_field("format", "other"), "format other 1"),
        (set_field("space", {"name": "x"}), "does not hold a sound supermodel"),
        (
            set_field("space", {"name": "x", "choices": {"e": [1], "h": [12], "f": [16]}, "heads": 2}),
            "does not hold a sound supermodel: A supermodel of space 'x' needs weights of",
        ),
        (lambda directory: (directory / "supermodel.json").write_text("{"), "not valid JSON"),
    ],
)
def test_a_directory_that_is_no_sound_supermodel_is_refused(
    saved: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(saved)

    with pytest.raises(ModelError, match=words):
        load_supermodel(saved)


def save_teacher(directory: Path, *, vocab: int, labels: tuple[str, ...] = WORDS) -> None:
    shape = BertShape(layers=1, hidden=24, ffn=16, heads=2, vocab=vocab, positions=16, labels=len(labels))
    save_stock(Weights.random(shape, seed=0), labels, directory)


def test_a_teacher_is_loaded_with_its_tokenizer(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    save_teacher(tmp_path, vocab=len(tokenizer))
    tokenizer.save_pretrained(tmp_path)

    teacher = load_teacher(str(tmp_path))

    assert teacher.model.labels == WORDS
    assert teacher.tokenizer("no cat")["input_ids"] == tokenizer("no cat")["input_ids"]


def test_a_teacher_without_tokenizer_is_refused(tmp_path: Path) -> None:
    """transformers would make one to which every word is unknown."""
    save_teacher(tmp_path, vocab=30)

    with pytest.raises(ModelError, match=r"has no tokenizer: copy the model's tokenizer\.json"):
        load_teacher(str(tmp_path))


def test_a_teacher_whose_tokenizer_knows_more_words_is_refused(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    save_teacher(tmp_path, vocab=len(tokenizer) - 1)
    tokenizer.save_pretrained(tmp_path)

    with pytest.raises(ModelError, match=f"knows {len(tokenizer)} words and the model only {len(tokenizer) - 1}"):
        load_teacher(str(tmp_path))


def task(labels: tuple[str, ...]) -> TaskData:
    rows = Rows(("a",), None, np.zeros(1, dtype=np.int64))
    return TaskData(name="task", labels=labels, train=rows, validation=rows)


def teacher_with(labels: tuple[str, ...], tokenizer: PreTrainedTokenizerFast) -> Teacher:
    shape = BertShape(layers=1, hidden=24, ffn=16, heads=2, vocab=30, positions=16, labels=len(labels))
    return Teacher("a teacher", StockModel(Weights.random(shape, seed=0), labels, Path()), tokenizer)


@pytest.mark.parametrize("mine", [WORDS, ("Entailment", "NEUTRAL", "contradiction"), ("LABEL_0", "LABEL_1", "LABEL_2")])
def test_classes_of_the_same_words_or_without_words_fit(
    mine: tuple[str, ...], tokenizer: PreTrainedTokenizerFast
) -> None:
    check_labels(teacher_with(mine, tokenizer), task(WORDS))


@pytest.mark.parametrize(
    "mine", [WORDS[::-1], ("yes", "no"), ("a", "b", "c"), ("LABEL_0", "LABEL_1"), ("LABEL_0", "b", "c")]
)
def test_classes_of_other_words_order_or_number_do_not(
    mine: tuple[str, ...], tokenizer: PreTrainedTokenizerFast
) -> None:
    with pytest.raises(ModelError, match=f"knows the classes {', '.join(mine)}, and the data has entailment, neutral"):
        check_labels(teacher_with(mine, tokenizer), task(WORDS))


def test_a_teacher_says_of_each_row_what_it_says_of_it_alone(
    rows: Callable[..., Encoded], tokenizer: PreTrainedTokenizerFast
) -> None:
    encoded = rows(150)
    shape = BertShape(layers=2, hidden=24, ffn=16, heads=2, vocab=60, positions=16)
    teacher = StockModel(Weights.random(shape, seed=0), WORDS, Path())
    done: list[tuple[int, int]] = []

    found = teacher_logits(teacher, encoded, bf16=False, progress=lambda *now: done.append(now))

    alone = [collate(encoded, [row]) for row in range(150)]
    expected = np.concatenate([reference_logits(teacher.weights, b.ids, b.mask, b.types) for b in alone])
    assert np.abs(found - expected).max() < 1e-5
    assert done[-1] == (150, 150)
