"""Quantizing the linear layers of a stock BERT with torchao; importing this loads it."""

from __future__ import annotations

import warnings

from torch import nn
from transformers import BertForSequenceClassification

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # each release deprecates something of its own while it is imported
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_


def quantized(model: BertForSequenceClassification) -> nn.Module:
    """In place: every ``nn.Linear`` with an int8 weight, a scale for each output, and one for each token.

    What stays float32, the table of words above all, stays where it is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a default that the next release will change
        quantize_(model, Int8DynamicActivationInt8WeightConfig())
    return model
