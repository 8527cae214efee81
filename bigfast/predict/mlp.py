"""The paper's predictor: a perceptron of three hidden layers with 2,000 units each (section 3.3).

The paper prints no more than that. Features are standardised, and the loss is the squared relative error, which on
60 rows of the paper's space (synthetic times, 2 % noise) gave 5.1 % where the squared error gave 5.5 % and that of
log seconds 6.8 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import torch

from bigfast.errors import InputError
from bigfast.predict.reading import number, positive, read_arrays, vector
from bigfast.predict.table import FloatArray

WIDTH = 2000
EPOCHS = 40  # full batch; 5.2 % where 60 give 5.1 %, in two thirds of the time
LEARNING_RATE = 3e-4
FLOOR = 0.1  # no prediction lies below this share of the fastest row; a network knows no sign

WEIGHTS_FILE = "weights.safetensors"
WEIGHT_AT_MOST = 10_000  # so that no product of four layers overflows
NAMES = ("weight", "bias")
ROWS_AT_ONCE = 2048

Layers = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


class MlpPaper:
    """Trained with Adam on the whole table at once; predicts with numpy, so that a saved one needs no torch to run."""

    mean_: FloatArray
    scale_: FloatArray
    mean_s_: float
    scale_s_: float
    floor_s_: float
    layers_: Layers

    def __init__(self, *, width: int = WIDTH, epochs: int = EPOCHS) -> None:
        self.width = width
        self.epochs = epochs

    def fit(self, features: FloatArray, seconds: FloatArray, *, rng: np.random.Generator) -> Self:
        """Learns the table; all chance comes from ``rng``, torch's own seed is left alone."""
        self.mean_, self.scale_ = features.mean(axis=0), features.std(axis=0)
        self.scale_[features.max(axis=0) == features.min(axis=0)] = 1.0
        self.mean_s_ = float(seconds.mean())
        self.scale_s_ = float(seconds.std()) if np.ptp(seconds) > 0 else self.mean_s_
        self.floor_s_ = FLOOR * float(seconds.min())
        inputs = torch.from_numpy(self._standardised(features))
        target = torch.from_numpy((seconds - self.mean_s_) / self.scale_s_).float()[:, None]
        weight = torch.from_numpy(seconds.mean() / seconds).float()[:, None]

        parameters = _start([features.shape[1], self.width, self.width, self.width, 1], seed=int(rng.integers(2**63)))
        adam = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.epochs)
        with _one_thread():
            for _ in range(self.epochs):
                adam.zero_grad()
                loss = ((_forward(inputs, parameters) - target) * weight).square().mean()
                loss.backward()
                adam.step()
                cosine.step()

        arrays = [parameter.detach().numpy() for parameter in parameters]
        self.layers_ = list(zip(arrays[::2], arrays[1::2], strict=True))
        return self

    def predict(self, features: FloatArray) -> FloatArray:
        """Seconds, shape (rows,)."""
        seconds = np.empty(len(features))
        for start in range(0, len(features), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            values = self._standardised(features[part])
            for weight, bias in self.layers_[:-1]:
                values = np.maximum(values @ weight.T + bias, 0)
            weight, bias = self.layers_[-1]
            seconds[part] = (values @ weight.T + bias)[:, 0]
        return np.maximum(seconds * self.scale_s_ + self.mean_s_, self.floor_s_)

    def save(self, directory: Path) -> dict[str, Any]:
        """The weights go into ``weights.safetensors``, 32 MB of them."""
        tensors = {f"weight{place}": weight for place, (weight, _) in enumerate(self.layers_)}
        tensors |= {f"bias{place}": bias for place, (_, bias) in enumerate(self.layers_)}
        (directory / WEIGHTS_FILE).write_bytes(safetensors.numpy.save(tensors))
        return {
            "mean": self.mean_.tolist(),
            "scale": self.scale_.tolist(),
            "mean_s": self.mean_s_,
            "scale_s": self.scale_s_,
            "floor_s": self.floor_s_,
        }

    def restore(self, state: Mapping[str, Any], directory: Path, *, columns: int) -> Self:
        """The inverse of ``save``.

        Raises:
            InputError: the state or the weights are not those of such a network.
        """
        self.mean_ = vector(state, "mean", size=columns)
        self.scale_ = vector(state, "scale", size=columns)
        if not (self.scale_ > 0).all():
            raise InputError("'scale' must be positive")
        self.mean_s_, self.scale_s_ = number(state, "mean_s"), positive(state, "scale_s")
        self.floor_s_ = positive(state, "floor_s")
        self.layers_ = _read_layers(directory, columns)
        return self

    def _standardised(self, features: FloatArray) -> npt.NDArray[np.float32]:
        return ((features - self.mean_) / self.scale_).astype(np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """A second thread makes a fit on two free cores a quarter faster, and beside a busy neighbour ten times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start(sizes: list[int], *, seed: int) -> list[torch.Tensor]:
    """Weight and bias of each layer in turn, with the spread that ``torch.nn.Linear`` starts with."""
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for before, after in itertools.pairwise(sizes):
        weight = torch.randn(after, before, generator=generator) / math.sqrt(3 * before)
        parameters += [weight.requires_grad_(), torch.zeros(after, requires_grad=True)]
    return parameters


def _forward(values: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    for weight, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        values = torch.relu(torch.nn.functional.linear(values, weight, bias))
    return torch.nn.functional.linear(values, parameters[-2], parameters[-1])


def _read_layers(directory: Path, columns: int) -> Layers:
    arrays = read_arrays(directory / WEIGHTS_FILE, names=[f"{what}{place}" for what in NAMES for place in range(4)])
    width = arrays["bias0"].size
    sizes = [columns, width, width, width, 1]
    for place, (before, after) in enumerate(itertools.pairwise(sizes)):
        for name, shape in ((f"weight{place}", (after, before)), (f"bias{place}", (after,))):
            array = arrays[name]
            if array.dtype != np.float32 or array.shape != shape or not (np.abs(array) <= WEIGHT_AT_MOST).all():
                raise InputError(
                    f"{WEIGHTS_FILE}: {name!r} must be float32 of shape {shape} with no number beyond "
                    f"{WEIGHT_AT_MOST:,}, not {array.dtype} of {array.shape}"
                )
    return [(arrays[f"weight{place}"], arrays[f"bias{place}"]) for place in range(4)]
