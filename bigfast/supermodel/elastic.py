"""One set of weights of which every architecture of a space is a corner."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import Tensor, nn

from bigfast.backend import Weights, array_shapes
from bigfast.backend.weights import LAYER_NORM_EPS
from bigfast.data import Batch
from bigfast.errors import InputError
from bigfast.space import Arch, BertShape, BertSpace

_HEADED_ROWS = ("attention.self.query", "attention.self.key", "attention.self.value")
_HEADED_COLUMNS = "attention.output.dense.weight"


def _stored_to_stock(shape: BertShape) -> np.ndarray:
    """For each stock row of a projection to heads, where it is stored: shape (hidden,), int64.

    Stock order is head by head. Stored order is dimension by dimension, so that the first d
    dimensions of every head come first.
    """
    return np.arange(shape.hidden).reshape(shape.head_size, shape.heads).T.ravel()


class Supermodel:
    """Weights for every architecture of a space, and what each of them answers.

    Args:
        space: The space; its largest architecture has all weights.
        weights: A model of that architecture, in stock order.
    """

    def __init__(self, space: BertSpace, weights: Weights) -> None:
        self.space = space
        self.shape = weights.shape
        expected = self.shape_of(space.space.largest)
        if expected != weights.shape:
            raise InputError(f"A supermodel of space {space.space.name!r} needs weights of {expected}")
        self._by_dimension = space.heads is not None  # else heads come and go as a whole, and stock order serves
        self.parameters: dict[str, nn.Parameter] = {}
        place = np.argsort(_stored_to_stock(self.shape))
        for name, array in weights.arrays.items():
            stored = self._reordered(name, array, place)
            self.parameters[name] = nn.Parameter(torch.from_numpy(np.array(stored, order="C")))

    def shape_of(self, arch: Arch) -> BertShape:
        """The stock shape of an architecture, with this model's vocabulary, positions and classes."""
        mine = self.shape
        return self.space.shape(arch, vocab=mine.vocab, positions=mine.positions, labels=mine.labels, types=mine.types)

    def _reordered(self, name: str, array: np.ndarray, order: np.ndarray) -> np.ndarray:
        if self._by_dimension:
            if any(part in name for part in _HEADED_ROWS):
                return np.asarray(array[order])
            if name.endswith(_HEADED_COLUMNS):
                return np.asarray(array[:, order])
        return array

    def extract(self, arch: Arch) -> Weights:
        """A copy of one architecture's weights, in stock order: a stock BERT answers with them as ``forward`` does.

        Raises:
            InputError: the architecture is not in the space.
        """
        shape = self.shape_of(arch)
        order = _stored_to_stock(shape)
        arrays = {}
        for name, size in array_shapes(shape).items():
            corner = self.parameters[name].detach()[tuple(slice(0, n) for n in size)].cpu().numpy()
            arrays[name] = np.array(self._reordered(name, corner, order), dtype=np.float32, order="C")
        return Weights(shape, arrays)

    def forward(self, batch: Batch, arch: Arch) -> Tensor:
        """Logits of one architecture, shape (batch, labels); padding is masked.

        Under ``torch.autocast`` its matrix products run in the lower precision.
        """
        shape = self.shape_of(arch)
        sizes = array_shapes(shape)
        device = self.parameters["classifier.bias"].device
        ids, types = torch.from_numpy(batch.ids).to(device), torch.from_numpy(batch.types).to(device)
        mask = None if batch.mask.all() else torch.from_numpy(batch.mask).to(device).bool()[:, None, None, :]

        def corner(name: str) -> Tensor:
            return self.parameters[name][tuple(slice(0, n) for n in sizes[name])]

        def linear(values: Tensor, name: str) -> Tensor:
            return F.linear(values, corner(f"{name}.weight"), corner(f"{name}.bias"))

        def norm(values: Tensor, name: str) -> Tensor:
            return F.layer_norm(
                values, (shape.hidden,), corner(f"{name}.weight"), corner(f"{name}.bias"), LAYER_NORM_EPS
            )

        hidden = self._embed(ids, types, shape.hidden)
        hidden = norm(hidden, "bert.embeddings.LayerNorm")
        for layer in range(shape.layers):
            prefix = f"bert.encoder.layer.{layer}."
            query, key, value = (
                self._split(linear(hidden, f"{prefix}attention.self.{part}"), shape)
                for part in ("query", "key", "value")
            )
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)  # (batch, heads, length, size)
            attended = linear(self._joined(context), f"{prefix}attention.output.dense")
            hidden = norm(hidden + attended, f"{prefix}attention.output.LayerNorm")
            wide = F.gelu(linear(hidden, f"{prefix}intermediate.dense"))
            hidden = norm(hidden + linear(wide, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")
        pooled = torch.tanh(linear(hidden[:, 0], "bert.pooler.dense"))
        return linear(pooled, "classifier")

    def _embed(self, ids: Tensor, types: Tensor, hidden: int) -> Tensor:
        prefix = "bert.embeddings."
        # Looked up at full width and cut afterwards: cutting the table first would copy it in every backward pass.
        words = F.embedding(ids, self.parameters[f"{prefix}word_embeddings.weight"])
        positions = self.parameters[f"{prefix}position_embeddings.weight"][: ids.shape[1]]
        segments = F.embedding(types, self.parameters[f"{prefix}token_type_embeddings.weight"])
        return (words + positions + segments)[..., :hidden]

    def _split(self, values: Tensor, shape: BertShape) -> Tensor:
        """(batch, length, hidden) -> (batch, heads, length, head size)."""
        batch, length, _ = values.shape
        if self._by_dimension:
            return values.view(batch, length, shape.head_size, shape.heads).permute(0, 3, 1, 2)
        return values.view(batch, length, shape.heads, shape.head_size).transpose(1, 2)

    def _joined(self, context: Tensor) -> Tensor:
        """(batch, heads, length, head size) -> (batch, length, hidden), in stored order."""
        order = (0, 2, 3, 1) if self._by_dimension else (0, 2, 1, 3)
        return context.permute(order).flatten(2)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrites the weights with tensors of the same names and shapes, in stored order."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[name])
