"""A teacher fine-tuned from a BERT checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from transformers import BertForSequenceClassification

from bigfast.backend import Weights, local_directory
from bigfast.backend.stock import save_stock, weights_of
from bigfast.cpu import Machine
from bigfast.data import TaskData, accuracy, encode, load_tokenizer
from bigfast.errors import ModelError
from bigfast.pipeline.task import LONGEST, progress_of
from bigfast.pipeline.telling import Teller
from bigfast.store import published_directory, read_json
from bigfast.supermodel.loop import Recipe
from bigfast.supermodel.start import INITIAL_STD
from bigfast.supermodel.teacher import load_teacher, teacher_logits
from bigfast.supermodel.train import train_one, training_identity


def encoder_weights(directory: Path, labels: int, *, seed: int) -> Weights:
    """A BERT checkpoint's weights with a fresh classifier for some classes.

    Raises:
        ModelError: it is no BERT, or has no safetensors.
    """
    config = read_json(directory / "config.json", error=ModelError)
    if config.get("model_type") != "bert":
        raise ModelError(
            f"{directory} is a model of type {config.get('model_type')!r}, and only 'bert' can be used: choose a BERT"
        )
    try:
        model = BertForSequenceClassification.from_pretrained(
            directory, num_labels=labels, use_safetensors=True, ignore_mismatched_sizes=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{directory} cannot be loaded from safetensors: {str(error).splitlines()[0]}") from error
    weights = weights_of(model)
    rng = np.random.default_rng([seed, 50])
    size = weights.arrays["classifier.weight"].shape
    fresh = np.float32(INITIAL_STD) * rng.standard_normal(size, dtype=np.float32)
    zero = np.zeros(labels, dtype=np.float32)
    return Weights(weights.shape, {**weights.arrays, "classifier.weight": fresh, "classifier.bias": zero})


def teach(
    data: TaskData,
    source: str,
    out: Path,
    recipe: Recipe,
    *,
    machine: Machine,
    teller: Teller,
) -> float:
    """Fine-tunes a checkpoint on labelled data, writes it as a stock directory, and returns its validation accuracy.

    Args:
        data: The task.
        source: A BERT checkpoint: a directory or hub id.
        out: Where the teacher is written.
        recipe: How; the labels alone count.
        machine: Decides the precision.
        teller: Told of the progress.

    Raises:
        ModelError: the checkpoint cannot be used.
    """
    directory = local_directory(source)
    tokenizer = load_tokenizer(str(directory))
    start = encoder_weights(directory, len(data.labels), seed=recipe.seed)
    encoded = encode(tokenizer, data.train, max_length=min(LONGEST, start.shape.positions))
    recipe = replace(recipe, hard_share=1.0, bf16=machine.has_bf16)
    weights = train_one(
        start,
        encoded,
        None,
        recipe,
        dropout=0.1,
        identity=training_identity(recipe, data.fingerprint, directory),
        checkpoint=out.with_name(f"{out.name}.checkpoint.safetensors"),
        told=progress_of(teller, "teacher"),
    )
    with published_directory(out) as place:
        save_stock(weights, data.labels, place)
        tokenizer.save_pretrained(place)
    out.with_name(f"{out.name}.checkpoint.safetensors").unlink(missing_ok=True)
    taught = load_teacher(str(out))
    validation = encode(tokenizer, data.validation, max_length=min(LONGEST, start.shape.positions))
    logits = teacher_logits(taught.model, validation, bf16=machine.has_bf16)
    return accuracy(logits, validation.labels).share
