"""The training loop that teacher, supermodel and post-training share; resumed, it gives the same weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from bigfast.data import Batch, Encoded, collate, epoch_batches
from bigfast.errors import InputError, ModelError
from bigfast.store import storage_errors, write_bytes

BAD_STEPS_AT_MOST = 10
CHECKPOINT_EVERY_S = 120.0
TOLD_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what a training does, besides its data and its start.

    Attributes:
        steps: Updates of the weights.
        batch_size: Rows of a step.
        learning_rate: At its peak; Adam with decoupled decay.
        warmup_share: Share of the steps in which it rises from 0; then it falls linearly to 0.
        beta2: Decay of Adam's second moment; below its usual value a short training adapts faster.
        weight_decay: On matrices alone, not on biases and LayerNorm.
        clip: The largest norm of a gradient.
        hard_share: Weight of the labels against the teacher, between 0 and 1.
        temperature: Of the softened answers.
        sampling: How sub-models are drawn; for a supermodel only.
        sub_batches: Parts of a batch, each with its own sub-models; the paper's n.
        draws: Sub-models that each part trains before the update; the paper's m.
        bf16: Whether matrix products run in bfloat16.
        seed: Of the batches and the draws.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup_share: float = 0.06
    beta2: float = 0.999
    weight_decay: float = 0.01
    clip: float = 1.0
    hard_share: float = 0.5
    temperature: float = 2.0
    sampling: str = "sandwich"
    sub_batches: int = 1
    draws: int = 3
    bf16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "sub_batches", "draws"):
            if getattr(self, name) < 1:
                raise InputError(f"A training needs {name} of at least 1, not {getattr(self, name)}")
        if self.sub_batches > self.batch_size:
            raise InputError(f"A batch of {self.batch_size} rows cannot be divided into {self.sub_batches} parts")
        if not 0 <= self.hard_share <= 1:
            raise InputError(f"hard_share must lie between 0 and 1, not at {self.hard_share}")

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; ``loss`` is a running mean."""

    step: int
    steps: int
    loss: float
    rows_per_s: float
    remaining_s: float


Told = Callable[[Progress], None]


def nobody(progress: Progress) -> None:
    """Tells nobody."""


class BatchOrder:
    """Which rows each step sees: epochs of length-bucketed batches, the same for the same seed."""

    def __init__(self, encoded: Encoded, *, batch_size: int, seed: int) -> None:
        self._encoded = encoded
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = -1
        self._batches: list[np.ndarray] = []

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        per_epoch = math.ceil(len(self._encoded) / self._batch_size)
        epoch, place = divmod(step, per_epoch)
        if epoch != self._epoch:
            self._batches = epoch_batches(
                self._encoded.lengths, batch_size=self._batch_size, seed=self._seed, epoch=epoch
            )
            self._epoch = epoch
        return collate(self._encoded, self._batches[place])


def learning_rate_at(step: int, recipe: Recipe) -> float:
    """The rate of a step, counted from 0: linear rise, then linear fall to 0 after the last."""
    rise = max(1, round(recipe.warmup_share * recipe.steps))
    share = (step + 1) / rise if step < rise else (recipe.steps - step) / max(1, recipe.steps - rise)
    return recipe.learning_rate * share


class _Checkpoint:
    """Parameters and Adam's moments in one safetensors file; its metadata hold the step and what is trained."""

    def __init__(self, path: Path | None, identity: str) -> None:
        self._path = path
        self._identity = identity

    def write(self, step: int, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        if self._path is None:
            return
        tensors: dict[str, Tensor] = {}
        for name, parameter in parameters.items():
            tensors[f"parameter.{name}"] = parameter.detach()
            for moment in ("step", "exp_avg", "exp_avg_sq"):  # Adam's step lags behind where steps were skipped
                if moment in optimizer.state[parameter]:
                    tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
        with storage_errors(self._path):
            write_bytes(self._path, save(tensors, {"step": str(step), "identity": self._identity}))

    def read(self, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> int:
        """Restores the last state and returns how many steps it has seen; 0 where there is none."""
        if self._path is None or not self._path.exists():
            return 0
        try:
            with safe_open(self._path, "pt") as file:
                about = file.metadata() or {}
                if about.get("identity") != self._identity:
                    raise ModelError(
                        f"{self._path} is a checkpoint of another training: choose another directory, or delete it"
                    )
                names = set(file.keys())
                step = int(about["step"])
                for name, parameter in parameters.items():
                    with torch.no_grad():
                        parameter.copy_(file.get_tensor(f"parameter.{name}"))
                    if f"exp_avg.{name}" in names:
                        optimizer.state[parameter] = {
                            "step": file.get_tensor(f"step.{name}"),
                            "exp_avg": file.get_tensor(f"exp_avg.{name}"),
                            "exp_avg_sq": file.get_tensor(f"exp_avg_sq.{name}"),
                        }
        except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"{self._path} is damaged ({error}): delete it to train anew") from error
        return step


def run_training(
    parameters: Mapping[str, nn.Parameter],
    backward: Callable[[int], float],
    recipe: Recipe,
    *,
    identity: str,
    checkpoint: Path | None = None,
    told: Told = nobody,
    clock: Callable[[], float] = time.monotonic,
) -> list[float]:
    """Trains parameters in place.

    Everything a step does follows from its number, so a run that was interrupted continues from its
    checkpoint to the same weights.

    Args:
        parameters: What is trained, by name.
        backward: Adds the gradients of one step, counted from 0, and returns its loss.
        recipe: How.
        identity: Of data, start and recipe: a checkpoint of another identity is refused.
        checkpoint: The file to resume from, and to write every two minutes and on an interrupt.
        told: Told of the progress twice a second.
        clock: Seconds, monotonic.

    Returns:
        The loss of each step of this run; NaN where the step was skipped.

    Raises:
        ModelError: the checkpoint is of another training or damaged, or ten steps had no finite loss.
        StorageError: the checkpoint cannot be written.
    """
    decaying = [p for name, p in parameters.items() if p.ndim > 1]
    others = [p for name, p in parameters.items() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, recipe.beta2),
        fused=True,
    )
    keeper = _Checkpoint(checkpoint, identity)
    first = step = keeper.read(parameters, optimizer)
    losses: list[float] = []
    mean, bad = math.nan, 0
    start = saved = last_told = clock()
    updating = False
    try:
        while step < recipe.steps:
            optimizer.zero_grad(set_to_none=True)
            loss = backward(step)
            norm = float(torch.nn.utils.clip_grad_norm_(list(parameters.values()), recipe.clip))
            finite = math.isfinite(loss) and math.isfinite(norm)
            losses.append(loss if finite else math.nan)
            if finite:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate_at(step, recipe)
                updating = True
                optimizer.step()
                mean = loss if math.isnan(mean) else 0.98 * mean + 0.02 * loss
            else:
                bad += 1
                if bad >= BAD_STEPS_AT_MOST:
                    raise ModelError(
                        f"{bad} steps had no finite loss or gradient: lower the learning rate of "
                        f"{recipe.learning_rate}, or use float32"
                    )
            step += 1
            updating = False
            now = clock()
            if now - last_told >= TOLD_EVERY_S or step == recipe.steps:
                last_told = now
                rate = (step - first) / max(now - start, 1e-9)
                told(
                    Progress(
                        step=step,
                        steps=recipe.steps,
                        loss=mean,
                        rows_per_s=rate * recipe.batch_size,
                        remaining_s=(recipe.steps - step) / rate,
                    )
                )
            if now - saved >= CHECKPOINT_EVERY_S:
                keeper.write(step, parameters, optimizer)
                saved = clock()
    except KeyboardInterrupt:
        if not updating and step > first:
            keeper.write(step, parameters, optimizer)
        raise
    return losses
