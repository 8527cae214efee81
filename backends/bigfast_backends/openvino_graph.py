"""The OpenVINO graph of a BERT sequence classifier, written directly from its weights, in float32 or quantized.

It computes what the stock model does, save that the last layer asks only for the first token of each text, which is
all that the pooler reads; keys and values still come from every token. The runtime's own passes fuse scores, softmax
and context into one kernel per layer, and biases and GELU into the products; ScaledDotProductAttention becomes the same
kernel in float32 and is slower in the others, one product for queries, keys and values together is slower too, for it
must be split again, and so are quantized scores and contexts (openvino 2026.4, Zen 5).

A quantized linear layer is written as the runtime wants to read it: weights int8, converted and multiplied by one scale
for each output; in front of it a FakeQuantize to 256 levels where the scales of activations are static, and nothing
where the runtime is to find them in every call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import openvino
from openvino import Node, opset13

from bigfast.backend import Weights
from bigfast_backends.graphs import HIDDEN_PADDING, INPUTS, NORM_EPS, OUTPUT, quantize_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is quantized, and how far.

    ``weight_range`` is the largest magnitude of an int8 weight; 0 leaves the linear layers in float. ``input_ranges``
    holds, for static scales, between which numbers each linear layer's input lies; ``signed`` quantizes inputs to int8
    instead of uint8.
    """

    weight_range: int = 0
    input_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    signed: bool = False


def levels(low: float, high: float, *, signed: bool) -> tuple[float, float]:
    """The ends of 256 evenly spaced levels that cover a range, 0 being exactly one of them.

    Signed levels lie from -128 to 127 steps, the others from 0 to 255 steps behind a zero point.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if signed:
        step = max(-low, high) / 127 or 1.0
        return -128 * step, 127 * step
    step = (high - low) / 255 or 1.0
    zero = round(-low / step)
    return -zero * step, (255 - zero) * step


class _Writer:
    """Writes the nodes of one model; tensors are (batch, length, hidden) between the layers."""

    def __init__(self, weights: Weights, recipe: Recipe) -> None:
        self.shape = weights.shape
        self.arrays = weights.arrays
        self.recipe = recipe

    def floats(self, values: npt.ArrayLike) -> Node:
        return opset13.constant(np.asarray(values, dtype=np.float32))

    def ints(self, *values: int) -> Node:
        return opset13.constant(np.array(values, dtype=np.int64))

    def stock(self, name: str) -> Node:
        """One of the model's own arrays, float32; matrices stay where they are."""
        array = np.ascontiguousarray(self.arrays[name])
        # The runtime shares no memory that it may not write to, although it never does.
        return opset13.constant(array, shared_memory=array.ndim > 1 and array.flags.writeable)

    def quantized(self, values: Node, name: str) -> Node:
        """The input of a linear layer, as static quantization sees it."""
        if name not in self.recipe.input_ranges:
            return values
        low, high = map(self.floats, levels(*self.recipe.input_ranges[name], signed=self.recipe.signed))
        return opset13.fake_quantize(values, low, high, low, high, 256)

    def linear(self, values: Node, name: str) -> Node:
        """One linear layer; its input has been quantized."""
        if self.recipe.weight_range and name != "classifier":  # whose few rows are what is compared
            rounded, scales = quantize_rows(self.arrays[f"{name}.weight"], self.recipe.weight_range)
            weight = opset13.multiply(
                opset13.convert(opset13.constant(rounded), np.float32), self.floats(scales[:, None])
            )
        else:
            weight = self.stock(f"{name}.weight")
        return opset13.add(opset13.matmul(values, weight, False, True), self.stock(f"{name}.bias"))

    def norm(self, values: Node, name: str) -> Node:
        normal = opset13.mvn(values, self.ints(-1), True, NORM_EPS, "inside_sqrt")
        return opset13.add(opset13.multiply(normal, self.stock(f"{name}.weight")), self.stock(f"{name}.bias"))

    def first_token(self, values: Node) -> Node:
        """Of each text, (batch, 1, hidden)."""
        return opset13.slice(values, self.ints(0), self.ints(1), self.ints(1), self.ints(1))

    def embeddings(self, ids: Node, types: Node) -> Node:
        """The sum of the three embeddings, normalised."""
        prefix = "bert.embeddings."
        zero = self.ints(0)
        words = opset13.gather(self.stock(f"{prefix}word_embeddings.weight"), ids, zero)
        kinds = opset13.gather(self.stock(f"{prefix}token_type_embeddings.weight"), types, zero)
        length = opset13.gather(opset13.shape_of(ids), self.ints(1), zero)
        places = self.stock(f"{prefix}position_embeddings.weight")
        positions = opset13.slice(places, zero, length, self.ints(1), zero)
        return self.norm(opset13.add(opset13.add(words, kinds), positions), f"{prefix}LayerNorm")

    def heads(self, values: Node) -> Node:
        """(batch, length, hidden) -> (batch, heads, length, head size)."""
        split = opset13.reshape(values, self.ints(0, 0, self.shape.heads, self.shape.head_size), True)
        return opset13.transpose(split, self.ints(0, 2, 1, 3))

    def attention(self, query: Node, key: Node, value: Node, padding: Node) -> Node:
        """Scaled dot products of all heads."""
        query, key, value = map(self.heads, (query, key, value))
        scale = self.floats(1 / math.sqrt(self.shape.head_size))
        scores = opset13.multiply(opset13.matmul(query, key, False, True), scale)
        shares = opset13.softmax(opset13.add(scores, padding), -1)  # (batch, heads, asking, length)
        context = opset13.transpose(opset13.matmul(shares, value, False, False), self.ints(0, 2, 1, 3))
        return opset13.reshape(context, self.ints(0, 0, self.shape.hidden), True)

    def layer(self, hidden: Node, padding: Node, prefix: str, *, last: bool) -> Node:
        """One encoder layer; the last gives the first token alone."""
        query, key, value = (f"{prefix}attention.self.{name}" for name in ("query", "key", "value"))
        read = self.quantized(hidden, query)  # once for all three
        asking = self.first_token(read) if last else read
        context = self.attention(self.linear(asking, query), self.linear(read, key), self.linear(read, value), padding)
        output = f"{prefix}attention.output.dense"
        attended = self.linear(self.quantized(context, output), output)
        kept = self.first_token(hidden) if last else hidden
        middle = self.norm(opset13.add(attended, kept), f"{prefix}attention.output.LayerNorm")
        widening, narrowing = f"{prefix}intermediate.dense", f"{prefix}output.dense"
        wide = opset13.gelu(self.linear(self.quantized(middle, widening), widening), "erf")
        narrow = self.linear(self.quantized(wide, narrowing), narrowing)
        return self.norm(opset13.add(narrow, middle), f"{prefix}output.LayerNorm")

    def classifier(self, ids: Node, mask: Node, types: Node) -> Node:
        """The whole model, from the inputs to the logits."""
        padded = opset13.equal(mask, self.ints(0))
        hiding = opset13.select(padded, self.floats(HIDDEN_PADDING), self.floats(0))
        padding = opset13.unsqueeze(hiding, self.ints(1, 2))  # (batch, 1, 1, length)

        hidden = self.embeddings(ids, types)
        for number in range(self.shape.layers):
            last = number == self.shape.layers - 1
            hidden = self.layer(hidden, padding, f"bert.encoder.layer.{number}.", last=last)
        pooler = "bert.pooler.dense"
        pooled = opset13.tanh(self.linear(self.quantized(hidden, pooler), pooler))
        return opset13.reshape(self.linear(pooled, "classifier"), self.ints(0, self.shape.labels), True)


def write_model(weights: Weights, recipe: Recipe) -> openvino.Model:
    """The model of these weights.

    Inputs ``input_ids``, ``attention_mask`` and ``token_type_ids`` are int64 of shape (batch, length), output
    ``logits`` is float32 of shape (batch, labels). Matrices that stay float32 are not copied.
    """
    inputs = [opset13.parameter([-1, -1], np.int64, name) for name in INPUTS]
    logits = _Writer(weights, recipe).classifier(*inputs)
    for name, node in zip((*INPUTS, OUTPUT), (*inputs, logits), strict=True):
        node.output(0).set_names({name})
    return openvino.Model([opset13.result(logits)], inputs, "bigfast")
