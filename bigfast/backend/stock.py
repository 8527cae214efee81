"""Between our arrays and the stock Hugging Face model; importing this loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import BertConfig, BertForSequenceClassification

from bigfast.backend.directory import SAFETENSORS
from bigfast.backend.weights import Weights, array_shapes
from bigfast.space import BertShape


def stock_config(shape: BertShape, labels: Sequence[str] | None = None) -> BertConfig:
    """The stock configuration of a shape; ``labels`` are the words of its classes, in order."""
    words = list(labels) if labels is not None else [f"LABEL_{i}" for i in range(shape.labels)]
    return BertConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.ffn,
        max_position_embeddings=shape.positions,
        type_vocab_size=shape.types,
        id2label=dict(enumerate(words)),
        label2id={word: i for i, word in enumerate(words)},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def shape_of(config: BertConfig) -> BertShape:
    """The shape of a stock configuration."""
    return BertShape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        ffn=config.intermediate_size,
        heads=config.num_attention_heads,
        vocab=config.vocab_size,
        positions=config.max_position_embeddings,
        types=config.type_vocab_size,
        labels=len(config.id2label or {}),
    )


def stock_model(weights: Weights, labels: Sequence[str] | None = None) -> BertForSequenceClassification:
    """A stock float32 model in evaluation mode that shares the memory of ``weights``."""
    config = stock_config(weights.shape, labels)
    with torch.device("meta"):
        model = BertForSequenceClassification(config)
    length = weights.shape.positions
    buffers = model.bert.embeddings._buffers  # made on no device, as the weights were
    buffers["position_ids"] = torch.arange(length).expand(1, -1)
    buffers["token_type_ids"] = torch.zeros((1, length), dtype=torch.long)
    tensors = {name: torch.from_numpy(array) for name, array in weights.arrays.items()}
    model.load_state_dict(tensors, assign=True, strict=True)
    model.eval()
    return model


def weights_of(model: BertForSequenceClassification) -> Weights:
    """The arrays of a stock model, copied as float32."""
    shape = shape_of(model.config)
    state = model.state_dict()
    return Weights(
        shape,
        {name: np.array(state[name].detach().to(torch.float32).cpu().numpy()) for name in array_shapes(shape)},
    )


def save_stock(weights: Weights, labels: Sequence[str], directory: Path) -> None:
    """Writes a directory that ``AutoModelForSequenceClassification.from_pretrained`` loads, as safetensors."""
    config = stock_config(weights.shape, labels)
    config.architectures = ["BertForSequenceClassification"]
    config.save_pretrained(directory)
    save_file(dict(weights.arrays), directory / SAFETENSORS, metadata={"format": "pt"})
