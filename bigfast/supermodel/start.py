"""Where a supermodel begins: at random, or as its teacher with the important units first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its customary name

from bigfast.backend import FloatArray, Weights, array_shapes
from bigfast.backend.stock import stock_model
from bigfast.data import Batch
from bigfast.errors import ModelError
from bigfast.space import BertShape, BertSpace

INITIAL_STD = 0.02  # the stock BertConfig's initializer_range


def from_scratch(shape: BertShape, *, rng: np.random.Generator, deviation: float = INITIAL_STD) -> Weights:
    """Weights as a stock BERT is initialised: normal, biases 0, gains 1.

    Args:
        shape: The sizes.
        rng: Of the weights.
        deviation: Of the normal; the stock 0.02 suits a hidden size of 768, a narrow model learns faster from more.
    """
    arrays: dict[str, FloatArray] = {}
    for name, size in array_shapes(shape).items():
        if name.endswith("LayerNorm.weight"):
            arrays[name] = np.ones(size, dtype=np.float32)
        elif name.endswith("bias"):
            arrays[name] = np.zeros(size, dtype=np.float32)
        else:
            arrays[name] = np.float32(deviation) * rng.standard_normal(size, dtype=np.float32)
    arrays["bert.embeddings.word_embeddings.weight"][0] = 0  # padding, as in the stock model
    return Weights(shape, arrays)


class _Importance:
    """How much the loss depends on each unit: squared first-order change when its gate closes (Molchanov et al. 2019).

    The gate's gradient follows from those of the weights behind it, so no hook is needed.
    """

    def __init__(self, shape: BertShape) -> None:
        layers, heads, size = shape.layers, shape.heads, shape.head_size
        self.hidden = np.zeros(shape.hidden)
        self.pooled = np.zeros(shape.hidden)
        self.ffn = np.zeros((layers, shape.ffn))
        self.keys = np.zeros((layers, heads, size))  # of the dimensions that queries and keys share
        self.values = np.zeros((layers, heads, size))  # of the dimensions that values and outputs share

    def add(self, gate: Callable[[str, int], np.ndarray]) -> None:
        """Adds one batch; ``gate(name, axis)`` sums weight x gradient of an array over that axis."""
        norms = ["bert.embeddings.LayerNorm"]
        for layer in range(len(self.ffn)):
            prefix = f"bert.encoder.layer.{layer}."
            norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
            self.ffn[layer] += gate(f"{prefix}output.dense.weight", 0) ** 2
            query = gate(f"{prefix}attention.self.query.weight", 1) + gate(f"{prefix}attention.self.query.bias", -1)
            self.keys[layer] += (query**2).reshape(self.keys[layer].shape)
            output = gate(f"{prefix}attention.output.dense.weight", 0)
            self.values[layer] += (output**2).reshape(self.values[layer].shape)
        for norm in norms:
            self.hidden += (gate(f"{norm}.weight", -1) + gate(f"{norm}.bias", -1)) ** 2
        self.pooled += gate("classifier.weight", 0) ** 2


def _measure_importance(teacher: Weights, batches: Iterable[Batch]) -> _Importance:
    model = stock_model(teacher)
    parameters = dict(model.named_parameters())
    importance = _Importance(teacher.shape)

    def gate(name: str, axis: int) -> np.ndarray:
        weight = parameters[name]
        if weight.grad is None:
            raise ModelError(f"Array {name!r} of the teacher takes no part in its answer")
        product = (weight.detach() * weight.grad).double()
        return np.asarray((product if axis < 0 else product.sum(axis)).numpy())

    for batch in batches:
        model.zero_grad()
        logits = model(
            input_ids=torch.from_numpy(batch.ids),
            attention_mask=torch.from_numpy(batch.mask),
            token_type_ids=torch.from_numpy(batch.types),
        ).logits
        F.cross_entropy(logits, torch.from_numpy(batch.labels)).backward()
        importance.add(gate)
    return importance


def _descending(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, axis=-1, kind="stable")


def importance_ordered(teacher: Weights, batches: Iterable[Batch]) -> Weights:
    """The same function with the units that matter most first, so that every corner keeps them.

    Hidden units, feed-forward units and, inside each head, dimensions are permuted; layers keep
    their order, since each works on what the one before it gives.

    Args:
        teacher: Its weights in stock order.
        batches: Labelled rows to measure the importance on; small batches tell more.
    """
    importance = _measure_importance(teacher, batches)
    shape = teacher.shape
    hidden, pooled = _descending(importance.hidden), _descending(importance.pooled)
    starts = np.arange(shape.heads)[:, None] * shape.head_size
    ordered: dict[str, FloatArray] = {}
    for name, array in teacher.arrays.items():
        if name.startswith("bert.embeddings.") and array.ndim == 2:
            ordered[name] = array[:, hidden]
        elif "LayerNorm" in name:
            ordered[name] = array[hidden]
        elif name.startswith("bert.pooler"):
            ordered[name] = array[pooled][:, hidden] if array.ndim == 2 else array[pooled]
        elif name == "classifier.weight":
            ordered[name] = array[:, pooled]
        elif name == "classifier.bias":
            ordered[name] = array
        else:
            layer = int(name.split(".")[3])
            ffn = _descending(importance.ffn[layer])
            keys = (starts + _descending(importance.keys[layer])).ravel()
            values = (starts + _descending(importance.values[layer])).ravel()
            rows, columns = {
                "query": (keys, hidden),
                "key": (keys, hidden),
                "value": (values, hidden),
                "attention.output.dense": (hidden, values),
                "intermediate.dense": (ffn, hidden),
                "layer.output.dense": (hidden, ffn),
            }[_linear_of(name)]
            ordered[name] = array[rows][:, columns] if array.ndim == 2 else array[rows]
        ordered[name] = np.ascontiguousarray(ordered[name])
    return Weights(shape, ordered)


def _linear_of(name: str) -> str:
    for part in ("query", "key", "value", "attention.output.dense", "intermediate.dense"):
        if f"{part}." in name:
            return part
    return "layer.output.dense"


def cut_to(weights: Weights, space: BertSpace) -> Weights:
    """The corner of a model that is the largest architecture of a space.

    Raises:
        ModelError: the space is wider or deeper than the model, or has other heads.
    """
    mine = weights.shape
    wanted = space.shape(
        space.space.largest, vocab=mine.vocab, positions=mine.positions, labels=mine.labels, types=mine.types
    )
    larger = wanted.layers > mine.layers or wanted.hidden > mine.hidden or wanted.ffn > mine.ffn
    if larger or wanted.heads != mine.heads:
        raise ModelError(
            f"Space {space.space.name!r} needs {wanted.layers} layers, hidden size {wanted.hidden}, feed-forward size "
            f"{wanted.ffn} and {wanted.heads} heads, and the teacher has {mine.layers}, {mine.hidden}, {mine.ffn} and "
            f"{mine.heads}: use --space teacher, or --start scratch"
        )
    rows = (np.arange(wanted.heads)[:, None] * mine.head_size + np.arange(wanted.head_size)).ravel()
    arrays: dict[str, FloatArray] = {}
    for name, size in array_shapes(wanted).items():
        array = weights.arrays[name]
        if ".attention.self." in name:
            array = array[rows]
        elif name.endswith("attention.output.dense.weight"):
            array = array[:, rows]
        arrays[name] = np.ascontiguousarray(array[tuple(slice(0, n) for n in size)])
    return Weights(wanted, arrays)
