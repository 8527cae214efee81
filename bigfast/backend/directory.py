"""Reading a stock Hugging Face directory into arrays, without torch and without executing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from bigfast.backend.weights import LAYER_NORM_EPS, FloatArray, Weights, array_shapes
from bigfast.errors import ModelError
from bigfast.space import BertShape
from bigfast.store import read_json

CONFIG = "config.json"
SAFETENSORS = "model.safetensors"
PICKLES = ("pytorch_model.bin", "model.pt", "model.pth", "pytorch_model.pt")
HUB_FILES = ("*.json", "*.safetensors", "vocab.txt")


@dataclass(frozen=True, slots=True)
class StockModel:
    """A classifier as found in a directory: its float32 weights and the words of its classes."""

    weights: Weights
    labels: tuple[str, ...]
    directory: Path


def local_directory(source: str) -> Path:
    """A model's directory: the one named, or the snapshot of a hub id, fetched without pickles.

    Raises:
        ModelError: there is no such directory, and the hub does not have it or cannot be reached.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1:
        raise ModelError(f"There is no model directory {source}: give a directory or a Hugging Face hub id")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=list(HUB_FILES)))
    except Exception as error:  # the hub's client raises many kinds; all mean that there is no model
        raise ModelError(
            f"{source!r} is neither a directory here nor a model that the Hugging Face hub would give "
            f"({type(error).__name__}): check the name and the network, or give a directory"
        ) from error


def _shape(config: Mapping[str, Any], path: Path, labels: int) -> BertShape:
    kind = config.get("model_type")
    if kind != "bert":
        raise ModelError(f"{path} is a model of type {kind!r}, and only 'bert' can be used: choose a BERT classifier")
    wanted: dict[str, Any] = {
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "layer_norm_eps": LAYER_NORM_EPS,
    }
    for name, value in wanted.items():
        if config.get(name, value) != value:
            raise ModelError(f"{path} has {name}={config[name]!r}, and only {value!r} can be used")
    try:
        return BertShape(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            ffn=config["intermediate_size"],
            heads=config["num_attention_heads"],
            vocab=config["vocab_size"],
            positions=config["max_position_embeddings"],
            types=config.get("type_vocab_size", 2),
            labels=labels,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} does not describe a BERT: {error}") from error


def _labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    named = config.get("id2label", {str(i): f"LABEL_{i}" for i in range(2)})  # transformers leaves out its default
    if not isinstance(named, dict) or sorted(named) != sorted(str(i) for i in range(len(named))) or len(named) < 2:
        raise ModelError(f"{path} names no classes (id2label): a classifier fine-tuned on the task is needed")
    return tuple(str(named[str(i)]) for i in range(len(named)))


def _tensors(file: Path) -> dict[str, FloatArray]:
    """Every floating-point array of a safetensors file as float32; bfloat16 too, which NumPy does not know."""
    kinds = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
    tensors = {}
    for name, entry in deserialize(file.read_bytes()):
        kind, data = entry["dtype"], entry["data"]
        if kind == "BF16":  # the upper half of a float32
            array = (np.frombuffer(data, dtype="<u2").astype("<u4") << 16).view(np.float32)
        elif kind in kinds:
            array = np.frombuffer(data, dtype=kinds[kind]).astype(np.float32)
        else:
            continue
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def read_stock(directory: Path) -> StockModel:
    """A ``BertForSequenceClassification`` from its directory, in float32 whatever it is stored in.

    Raises:
        ModelError: the directory holds no such model, another type of model, only pickled weights,
            or weights that do not fit its configuration.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise ModelError(f"{directory} holds no model: it has no {CONFIG}")
    config = read_json(path, error=ModelError)
    labels = _labels(config, path)
    shape = _shape(config, path, len(labels))
    file = directory / SAFETENSORS
    if not file.is_file():
        pickled = next((name for name in PICKLES if (directory / name).exists()), None)
        if pickled is not None:
            raise ModelError(
                f"{directory} has its weights only as the pickle {pickled}, which is never loaded: convert it once "
                "with AutoModelForSequenceClassification.from_pretrained(DIR).save_pretrained(NEW_DIR), "
                "if you trust where it came from"
            )
        raise ModelError(f"{directory} has no {SAFETENSORS}: save the model with save_pretrained")
    try:
        tensors = _tensors(file)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{file} is not a readable safetensors file: {error}") from error
    arrays = {}
    for name, size in array_shapes(shape).items():
        if name not in tensors:
            raise ModelError(f"{file} lacks {name!r}: a BertForSequenceClassification is needed")
        if tensors[name].shape != size:
            raise ModelError(f"{file} has {name!r} of shape {tensors[name].shape}, but {path} makes it {size}")
        arrays[name] = tensors[name]
        if not np.isfinite(arrays[name]).all():
            raise ModelError(f"{file} has NaN or infinity in {name!r}: the model is damaged")
    return StockModel(Weights(shape, arrays), labels, directory)
