from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification

from bigfast.backend import Weights, local_directory, read_stock
from bigfast.backend.stock import save_stock
from bigfast.errors import ModelError
from bigfast.space import BertShape

SHAPE = BertShape(layers=2, hidden=24, ffn=16, heads=2, vocab=30, positions=12)
WORDS = ("yes", "maybe", "no")


@pytest.fixture
def weights() -> Weights:
    return Weights.random(SHAPE, seed=5)


@pytest.fixture
def stock(tmp_path: Path, weights: Weights) -> Path:
    save_stock(weights, WORDS, tmp_path / "model")
    return tmp_path / "model"


def change_config(directory: Path, **values: Any) -> None:
    """Sets fields of config.json; those set to None go."""
    config = {**json.loads((directory / "config.json").read_text()), **values}
    (directory / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def change_tensors(directory: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(directory / "model.safetensors").items()}
    save_file(change(tensors), directory / "model.safetensors")


def test_what_was_saved_is_read_bit_for_bit(stock: Path, weights: Weights) -> None:
    found = read_stock(stock)

    assert (found.weights.shape, found.labels, found.directory) == (SHAPE, WORDS, stock)
    assert all(np.array_equal(found.weights.arrays[name], array) for name, array in weights.arrays.items())


def test_what_was_saved_is_what_stock_transformers_loads(stock: Path, weights: Weights) -> None:
    model = BertForSequenceClassification.from_pretrained(stock)

    assert model.config.id2label == dict(enumerate(WORDS))
    state = model.state_dict()
    assert all(np.array_equal(state[name].numpy(), array) for name, array in weights.arrays.items())


def test_the_default_words_of_two_classes_are_read_though_transformers_leaves_them_out(tmp_path: Path) -> None:
    shape = BertShape(layers=1, hidden=24, ffn=16, heads=2, vocab=30, positions=12, labels=2)
    save_stock(Weights.random(shape, seed=0), ("LABEL_0", "LABEL_1"), tmp_path)

    assert read_stock(tmp_path).labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_types_are_read_as_float32(stock: Path, weights: Weights, kind: torch.dtype) -> None:
    change_tensors(stock, lambda tensors: {name: tensor.to(kind) for name, tensor in tensors.items()})

    arrays = read_stock(stock).weights.arrays

    for name, array in weights.arrays.items():
        assert np.array_equal(arrays[name], torch.from_numpy(array).to(kind).float().numpy())


def test_arrays_that_no_classifier_needs_are_ignored(stock: Path) -> None:
    extra = {"bert.embeddings.position_ids": torch.arange(12), "cls.weight": torch.zeros(3)}
    change_tensors(stock, lambda tensors: {**tensors, **extra})

    assert read_stock(stock).labels == WORDS


def remove_config(stock: Path) -> None:
    (stock / "config.json").unlink()


def leave_only_a_pickle(stock: Path) -> None:
    (stock / "model.safetensors").rename(stock / "pytorch_model.bin")


def leave_no_weights(stock: Path) -> None:
    (stock / "model.safetensors").unlink()


def truncate(stock: Path) -> None:
    content = (stock / "model.safetensors").read_bytes()
    (stock / "model.safetensors").write_bytes(content[: len(content) // 2])


def empty(stock: Path) -> None:
    (stock / "model.safetensors").write_bytes(b"")


def wrong_shape(stock: Path) -> None:
    change_tensors(stock, lambda tensors: {**tensors, "classifier.weight": torch.zeros(3, 25)})


def without_classifier(stock: Path) -> None:
    change_tensors(stock, lambda tensors: {n: t for n, t in tensors.items() if not n.startswith("classifier")})


def with_nan(stock: Path) -> None:
    change_tensors(stock, lambda tensors: {**tensors, "classifier.bias": torch.tensor([0.0, float("nan"), 1.0])})


def with_integers(stock: Path) -> None:
    change_tensors(stock, lambda tensors: {**tensors, "classifier.bias": torch.tensor([0, 1, 2])})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove_config, r"holds no model: it has no config\.json"),
        (lambda d: (d / "config.json").write_text("{"), "not valid JSON"),
        (lambda d: change_config(d, model_type="roberta"), "of type 'roberta', and only 'bert' can be used"),
        (lambda d: change_config(d, model_type=None), "of type None"),
        (lambda d: change_config(d, hidden_act="relu"), "hidden_act='relu', and only 'gelu'"),
        (lambda d: change_config(d, position_embedding_type="relative_key"), "only 'absolute'"),
        (lambda d: change_config(d, hidden_size="24"), "does not describe a BERT"),
        (lambda d: change_config(d, num_hidden_layers=None), "does not describe a BERT"),
        (lambda d: change_config(d, num_attention_heads=5), "5 heads divide"),
        (lambda d: change_config(d, id2label={"0": "one"}), "names no classes"),
        (lambda d: change_config(d, id2label={"0": "a", "2": "b"}), "names no classes"),
        (lambda d: change_config(d, id2label=["a", "b"]), "names no classes"),
        (lambda d: change_config(d, id2label=None), "of shape .3, 24., but .* makes it .2, 24."),
        (leave_only_a_pickle, r"the pickle pytorch_model\.bin, .* convert it once .*save_pretrained"),
        (leave_no_weights, r"has no model\.safetensors"),
        (truncate, "not a readable safetensors file"),
        (empty, "not a readable safetensors file"),
        (wrong_shape, r"'classifier\.weight' of shape \(3, 25\), but"),
        (without_classifier, r"lacks 'classifier\.weight': a BertForSequenceClassification is needed"),
        (with_nan, r"NaN or infinity in 'classifier\.bias'"),
        (with_integers, r"lacks 'classifier\.bias'"),
    ],
)
def test_a_directory_that_cannot_be_used_is_answered_in_one_sentence(
    stock: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(stock)

    with pytest.raises(ModelError, match=words) as caught:
        read_stock(stock)

    assert "\n" not in str(caught.value)


def test_a_directory_is_its_own_local_directory(stock: Path) -> None:
    assert local_directory(str(stock)) == stock


@pytest.mark.parametrize("source", ["/no/such/model", "./no-such-model", "a/b/c"])
def test_a_path_that_is_missing_is_not_looked_for_on_the_hub(source: str) -> None:
    with pytest.raises(ModelError, match="There is no model directory"):
        local_directory(source)


def test_a_hub_that_gives_nothing_is_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)

    with pytest.raises(ModelError, match=r"'somebody/model' is neither .*ConnectionError.*check the name"):
        local_directory("somebody/model")
