"""Training a tokenizer, saving and loading it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bigfast.data import load_tokenizer, train_tokenizer
from bigfast.errors import ModelError

TEXTS = ["every poodle is running", "no Poodle is a cat", "some cat is running"] * 20


def test_trained_tokenizer_has_whole_words_and_two_segments() -> None:
    encoding = train_tokenizer(TEXTS, 200)("Every POODLE is", "a cat")

    assert encoding.tokens() == ["[CLS]", "every", "poodle", "is", "[SEP]", "a", "cat", "[SEP]"]
    assert encoding["token_type_ids"] == [0, 0, 0, 0, 0, 1, 1, 1]


def test_saved_tokenizer_loads_with_stock_transformers(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(TEXTS, 200)
    tokenizer.save_pretrained(tmp_path)

    loaded = AutoTokenizer.from_pretrained(tmp_path)

    assert dict(loaded("No poodle", "a xylophone")) == dict(tokenizer("No poodle", "a xylophone"))
    assert loaded.pad_token_id == tokenizer.pad_token_id == 0


def test_saved_tokenizer_loads_here(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(TEXTS, 200)
    tokenizer.save_pretrained(tmp_path)

    assert load_tokenizer(tmp_path).get_vocab() == tokenizer.get_vocab()


def test_training_gives_the_same_ids_in_every_process() -> None:
    code = (
        f"from bigfast.data import train_tokenizer\n"
        f"print(sorted(train_tokenizer({TEXTS!r}, 200).get_vocab().items(), key=lambda item: item[1]))"
    )
    answers = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }

    assert len(answers) == 1


def test_vocabulary_is_no_larger_than_asked_for() -> None:
    assert len(train_tokenizer(TEXTS, 50)) == 50


def test_letters_are_pieces_and_not_special() -> None:
    tokenizer = train_tokenizer(TEXTS, 200)

    assert tokenizer.tokenize("rate") == ["r", "##a", "##t", "##e"]
    assert sorted(tokenizer.all_special_tokens) == ["[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]"]


def test_directory_without_a_tokenizer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(ModelError, match="has no tokenizer in this directory that transformers can load"):
        load_tokenizer(tmp_path)
