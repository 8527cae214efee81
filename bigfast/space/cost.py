"""What an architecture costs, counted and not measured."""

from __future__ import annotations

from bigfast.space.bert import BertShape


def linear_weights(shape: BertShape) -> int:
    """Weights in the linear layers of the encoder, biases, pooler and classifier left out."""
    return shape.layers * (4 * shape.hidden**2 + 2 * shape.hidden * shape.ffn)


def linear_operations(shape: BertShape, *, length: int) -> int:
    """Operations (a multiplication and an addition count as two) of those layers for one text of ``length`` tokens."""
    return 2 * linear_weights(shape) * length


def parameters(shape: BertShape) -> int:
    """All parameters of the stock classifier: embeddings, encoder, pooler and classifier."""
    hidden, ffn = shape.hidden, shape.ffn
    embeddings = (shape.vocab + shape.positions + shape.types) * hidden + 2 * hidden
    biases_and_norms = 4 * hidden + ffn + hidden + 4 * hidden
    head = hidden * hidden + hidden + shape.labels * hidden + shape.labels
    return embeddings + linear_weights(shape) + shape.layers * biases_and_norms + head
