"""Training a supermodel, or one model, with labels and a teacher."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bigfast.backend import FloatArray, Weights
from bigfast.backend.stock import stock_model, weights_of
from bigfast.data import Batch, Encoded
from bigfast.space import Arch
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.loop import BatchOrder, Recipe, Told, nobody, run_training
from bigfast.supermodel.loss import distillation_loss
from bigfast.supermodel.sampling import sampling_named

PROBE_STEPS = 10


def training_identity(recipe: Recipe, *parts: object) -> str:
    """A short hash of a recipe and of what else decides a training."""
    text = json.dumps([recipe.to_json(), [str(part) for part in parts]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _part(batch: Batch, rows: np.ndarray) -> Batch:
    longest = int(batch.mask[rows].sum(axis=1).max())
    return Batch(
        ids=batch.ids[rows, :longest],
        mask=batch.mask[rows, :longest],
        types=batch.types[rows, :longest],
        labels=batch.labels[rows],
        rows=batch.rows[rows],
    )


class _SupermodelStep:
    """One step of the paper's scheme (section 3.3): n parts of the batch x m sub-models each, one update.

    The summed gradient is divided by n x m. A parameter that no drawn sub-model touches has gradient
    zero; Adam's moments and the decay move it nevertheless.
    """

    def __init__(self, model: Supermodel, encoded: Encoded, teacher: FloatArray | None, recipe: Recipe) -> None:
        self._model = model
        self._order = BatchOrder(encoded, batch_size=recipe.batch_size, seed=recipe.seed)
        self._teacher = teacher
        self._recipe = recipe
        self._draw = sampling_named(recipe.sampling)

    def _loss(self, batch: Batch, arch: Arch) -> torch.Tensor:
        recipe = self._recipe
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            logits = self._model.forward(batch, arch)
        return distillation_loss(
            logits,
            torch.from_numpy(batch.labels),
            None if self._teacher is None else torch.from_numpy(self._teacher[batch.rows]),
            hard_share=recipe.hard_share,
            temperature=recipe.temperature,
        )

    def backward(self, step: int) -> float:
        recipe = self._recipe
        batch = self._order.batch(step)
        rng = np.random.default_rng([recipe.seed, 1, step])  # of this step alone, so that a resume draws the same
        parts = [_part(batch, rows) for rows in np.array_split(np.arange(len(batch)), recipe.sub_batches) if len(rows)]
        total = 0.0
        for part in parts:
            for arch in self._draw(self._model.space.space, recipe.draws, rng):
                loss = self._loss(part, arch) / (len(parts) * recipe.draws)
                loss.backward()
                total += float(loss.detach())
        return total


def train_supermodel(
    model: Supermodel,
    encoded: Encoded,
    teacher: FloatArray | None,
    recipe: Recipe,
    *,
    identity: str,
    checkpoint: Path | None = None,
    told: Told = nobody,
) -> list[float]:
    """Trains a supermodel in place, and returns the loss of each step.

    Args:
        model: What is trained.
        encoded: Rows, some of which may have no label.
        teacher: Its logits for each row, shape (rows, labels), float32; None to train on labels alone.
        recipe: How.
        identity: See ``run_training``.
        checkpoint: See ``run_training``.
        told: Told of the progress.
    """
    step = _SupermodelStep(model, encoded, teacher, recipe)
    return run_training(model.parameters, step.backward, recipe, identity=identity, checkpoint=checkpoint, told=told)


def supermodel_steps_in(
    budget_s: float,
    model: Supermodel,
    encoded: Encoded,
    teacher: FloatArray | None,
    recipe: Recipe,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """About how many steps of a recipe fit into some seconds here, from a few that change nothing."""
    step = _SupermodelStep(model, encoded, teacher, recipe)
    step.backward(0)  # allocates and warms up
    start = clock()
    for number in range(1, PROBE_STEPS + 1):
        step.backward(number)
    each_s = (clock() - start) / PROBE_STEPS
    for parameter in model.parameters.values():
        parameter.grad = None
    update_s = 4e-9 * sum(p.numel() for p in model.parameters.values())  # Adam and clipping: some 40 bytes each
    return max(1, int(budget_s / (each_s + update_s)))


def steps_of_one_in(
    budget_s: float,
    weights: Weights,
    encoded: Encoded,
    teacher: FloatArray | None,
    recipe: Recipe,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """About how many steps of training one model fit into some seconds here, from a few that are thrown away."""

    def seconds_of(steps: int) -> float:
        start = clock()
        train_one(weights, encoded, teacher, replace(recipe, steps=steps), identity="")
        return clock() - start

    seconds_of(1)  # allocates and warms up
    once_s = seconds_of(1)  # mostly what does not grow with the steps
    each_s = (seconds_of(1 + PROBE_STEPS) - once_s) / PROBE_STEPS
    return max(1, int(budget_s / max(each_s, 1e-6)))


def train_one(
    weights: Weights,
    encoded: Encoded,
    teacher: FloatArray | None,
    recipe: Recipe,
    *,
    dropout: float = 0.0,
    identity: str,
    checkpoint: Path | None = None,
    told: Told = nobody,
) -> Weights:
    """Trains one model, a teacher or a search's winner, and returns its new weights.

    Args:
        weights: Where it starts.
        encoded: Rows, some of which may have no label.
        teacher: Logits to imitate, shape (rows, labels), float32; None to train on labels alone.
        recipe: How.
        dropout: Share of activations and attention weights left out in training.
        identity: See ``run_training``.
        checkpoint: See ``run_training``.
        told: Told of the progress.
    """
    model = stock_model(weights).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = dropout
    parameters = {name: nn.Parameter(value.detach().clone()) for name, value in model.named_parameters()}
    model.load_state_dict(parameters, assign=True)
    parameters = dict(model.named_parameters())
    order = BatchOrder(encoded, batch_size=recipe.batch_size, seed=recipe.seed)

    def backward(step: int) -> float:
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout takes no generator
        batch = order.batch(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            logits = model(
                input_ids=torch.from_numpy(batch.ids),
                attention_mask=torch.from_numpy(batch.mask),
                token_type_ids=torch.from_numpy(batch.types),
            ).logits
        loss = distillation_loss(
            logits,
            torch.from_numpy(batch.labels),
            None if teacher is None else torch.from_numpy(teacher[batch.rows]),
            hard_share=recipe.hard_share,
            temperature=recipe.temperature,
        )
        loss.backward()
        return float(loss.detach())

    run_training(parameters, backward, recipe, identity=identity, checkpoint=checkpoint, told=told)
    return weights_of(model.eval())
