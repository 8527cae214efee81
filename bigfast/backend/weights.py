"""The weights that every backend is given alike: float32 arrays under the names of a stock BERT."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.errors import InputError
from bigfast.space import BertShape

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

LAYER_NORM_EPS = 1e-12  # the stock BertConfig's


def array_shapes(shape: BertShape) -> dict[str, tuple[int, ...]]:
    """The stock names of all arrays of a ``BertForSequenceClassification`` and their shapes (out, in), in order."""
    h, f = shape.hidden, shape.ffn
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (shape.vocab, h),
        "bert.embeddings.position_embeddings.weight": (shape.positions, h),
        "bert.embeddings.token_type_embeddings.weight": (shape.types, h),
        "bert.embeddings.LayerNorm.weight": (h,),
        "bert.embeddings.LayerNorm.bias": (h,),
    }
    for layer in range(shape.layers):
        prefix = f"bert.encoder.layer.{layer}."
        linears = {
            "attention.self.query": (h, h),
            "attention.self.key": (h, h),
            "attention.self.value": (h, h),
            "attention.output.dense": (h, h),
            "intermediate.dense": (f, h),
            "output.dense": (h, f),
        }
        for name, size in linears.items():
            shapes[f"{prefix}{name}.weight"] = size
            shapes[f"{prefix}{name}.bias"] = size[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{prefix}{name}.weight"] = (h,)
            shapes[f"{prefix}{name}.bias"] = (h,)
    shapes["bert.pooler.dense.weight"] = (h, h)
    shapes["bert.pooler.dense.bias"] = (h,)
    shapes["classifier.weight"] = (shape.labels, h)
    shapes["classifier.bias"] = (shape.labels,)
    return shapes


@dataclass(frozen=True, slots=True)
class Weights:
    """One model's float32 arrays, each of the shape that its stock name has for ``shape``."""

    shape: BertShape
    arrays: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        expected = array_shapes(self.shape)
        if self.arrays.keys() != expected.keys():
            odd = sorted(self.arrays.keys() ^ expected.keys())
            raise InputError(f"Weights do not fit the architecture: {odd[0]!r} is missing or superfluous")
        for name, size in expected.items():
            array = self.arrays[name]
            if array.shape != size or array.dtype != np.float32:
                raise InputError(f"Array {name!r} must be float32 of shape {size}, not {array.dtype} of {array.shape}")

    @classmethod
    def random(cls, shape: BertShape, *, seed: int, table: FloatArray | None = None) -> Weights:
        """Weights of realistic scale, the same for the same shape and seed on every machine.

        Scaled by the square root of each layer's inputs, so that logits are of order one
        and agreement with float32 means something.

        Args:
            shape: The sizes.
            seed: Of ``numpy``'s PCG64.
            table: Numbers to take the word embeddings from, at least vocab x hidden of them, float32. A
                process that holds many models lets all of them share one table; it must not be changed.
        """
        rng = np.random.default_rng(seed)
        arrays: dict[str, FloatArray] = {}
        for name, size in array_shapes(shape).items():
            count = math.prod(size)
            if name == "bert.embeddings.word_embeddings.weight" and table is not None:
                arrays[name] = table[:count].reshape(size)
            elif name.endswith("LayerNorm.weight"):
                arrays[name] = 1 + _uniform(rng, size, 0.1)
            elif name.endswith("bias"):
                arrays[name] = _uniform(rng, size, 0.1)
            elif "embeddings" in name:
                arrays[name] = _uniform(rng, size, 1.0)
            else:
                arrays[name] = _uniform(rng, size, 1 / math.sqrt(size[1]))
        return cls(shape, arrays)


def _uniform(rng: np.random.Generator, size: tuple[int, ...], deviation: float) -> FloatArray:
    """Uniform around 0 with this standard deviation: a third of the time of a normal one, which fills a profile."""
    values = rng.random(size, dtype=np.float32)
    values -= np.float32(0.5)
    values *= np.float32(deviation * math.sqrt(12))
    return values


def _layer_norm(values: FloatArray, gain: FloatArray, bias: FloatArray) -> FloatArray:
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(LAYER_NORM_EPS))
    return np.asarray(centred / spread * gain + bias, dtype=np.float32)


def _softmax(values: FloatArray) -> FloatArray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def _nobody(name: str, values: FloatArray) -> None:
    """Watches nothing."""


def reference_logits(
    weights: Weights,
    ids: IntArray,
    mask: IntArray,
    types: IntArray | None = None,
    *,
    watch: Callable[[str, FloatArray], None] = _nobody,
) -> FloatArray:
    """What the model answers, in plain float32 NumPy: the yardstick for every backend.

    Args:
        weights: The model.
        ids: Token ids, shape (batch, length), int64.
        mask: 1 for a real token, 0 for padding, shape (batch, length), int64.
        types: Segment of each token, shape (batch, length), int64; None means all 0.
        watch: Called with the stock name of each linear layer and with what enters it, shape
            (batch, length, in), float32, or (batch, in) behind the last encoder layer.

    Returns:
        Logits, shape (batch, labels), float32.
    """
    from scipy.special import erf  # 0.2 s at first import, and most commands never ask for reference logits

    shape, arrays = weights.shape, weights.arrays
    batch, length = ids.shape
    types = np.zeros_like(ids) if types is None else types

    def linear(values: FloatArray, name: str) -> FloatArray:
        watch(name, values)
        return values @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    def norm(values: FloatArray, name: str) -> FloatArray:
        return _layer_norm(values, arrays[f"{name}.weight"], arrays[f"{name}.bias"])

    def heads(values: FloatArray) -> FloatArray:
        # (batch, length, hidden) -> (batch, heads, length, head size)
        return values.reshape(batch, length, shape.heads, shape.head_size).transpose(0, 2, 1, 3)

    embeddings = "bert.embeddings."
    hidden = norm(
        arrays[f"{embeddings}word_embeddings.weight"][ids]
        + arrays[f"{embeddings}position_embeddings.weight"][:length]
        + arrays[f"{embeddings}token_type_embeddings.weight"][types],
        f"{embeddings}LayerNorm",
    )
    hidden_padding = np.where(mask[:, None, None, :] == 0, np.float32(-1e9), np.float32(0))
    for layer in range(shape.layers):
        prefix = f"bert.encoder.layer.{layer}."
        query, key, value = (heads(linear(hidden, f"{prefix}attention.self.{n}")) for n in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(shape.head_size))
        context = (_softmax(scores + hidden_padding) @ value).transpose(0, 2, 1, 3).reshape(batch, length, -1)
        attended = linear(context, f"{prefix}attention.output.dense")
        hidden = norm(hidden + attended, f"{prefix}attention.output.LayerNorm")
        wide = linear(hidden, f"{prefix}intermediate.dense")
        wide = np.asarray(wide * np.float32(0.5) * (1 + erf(wide / np.float32(math.sqrt(2)))), dtype=np.float32)
        hidden = norm(hidden + linear(wide, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")
    pooled = np.tanh(linear(hidden[:, 0], "bert.pooler.dense"))
    return np.asarray(linear(pooled, "classifier"), dtype=np.float32)


def disagreement(logits: FloatArray, reference: FloatArray) -> float:
    """The largest difference of two sets of logits, as a share of the reference's largest magnitude."""
    return float(np.abs(logits - reference).max() / max(float(np.abs(reference).max()), 1e-6))
