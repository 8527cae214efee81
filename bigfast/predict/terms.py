"""What the time is made of: amounts of work that add up, each with a price of its own.

A linear model on such products is the base to beat: on published tables it needs 50 to 100 rows where a
neural network needs 1,600. Everything that only BERT knows is in this module.
"""

from __future__ import annotations

import itertools

import numpy as np

from bigfast.errors import InputError, UnknownName
from bigfast.predict.table import FloatArray

TERMS = ("bert", "generic")
BERT_FEATURES = ("layers", "hidden", "ffn", "heads", "length", "batch")

VECTOR_WIDTHS = (2, 4, 8, 16)  # float32 numbers in registers of 64 to 512 bits
TRIPLES_UP_TO = 5  # columns; beyond, there would be more products than rows
PAIRS_UP_TO = 30


def check_terms(terms: str, features: FloatArray) -> None:
    """Refuses a name of terms that does not exist, or a table that it cannot be used with.

    Raises:
        UnknownName: there are no such terms.
        InputError: ``bert`` is asked for columns that are not ``BERT_FEATURES``.
    """
    if terms not in TERMS:
        raise UnknownName("terms", terms, TERMS)
    if terms == "bert" and features.shape[1] != len(BERT_FEATURES):
        raise InputError(
            f"terms 'bert' need the {len(BERT_FEATURES)} columns {', '.join(BERT_FEATURES)}, "
            f"not {features.shape[1]}: use terms 'generic' for other tables"
        )
    if terms == "bert" and features.size and features.min() <= 0:
        raise InputError(f"terms 'bert' need positive features, but the lowest is {features.min():g}")


def cost_terms(terms: str, features: FloatArray, *, lowest: FloatArray, highest: FloatArray) -> FloatArray:
    """The amounts of work of each row, shape (rows, terms), none negative.

    Args:
        terms: One of ``TERMS``.
        features: Shape (rows, columns).
        lowest: The lowest value of each column in the rows that were fitted, shape (columns,).
        highest: The highest.

    Raises:
        InputError: the features are not what these terms are about.
    """
    check_terms(terms, features)
    return bert_terms(features) if terms == "bert" else generic_terms(features, lowest=lowest, highest=highest)


def generic_terms(features: FloatArray, *, lowest: FloatArray, highest: FloatArray) -> FloatArray:
    """A constant, every column, and the products of two (up to 30 columns) and of three (up to 5), squares included.

    A column that never varied says nothing and is left out; one that was negative is counted from its lowest.
    """
    varies = highest > lowest
    start = np.minimum(lowest, 0.0)[varies]
    columns = np.maximum(features[:, varies] - start, 0.0) / (highest[varies] - start)
    count = columns.shape[1]
    degree = 3 if count <= TRIPLES_UP_TO else 2 if count <= PAIRS_UP_TO else 1
    products = [
        columns[:, list(chosen)].prod(axis=1)
        for size in range(1, degree + 1)
        for chosen in itertools.combinations_with_replacement(range(count), size)
    ]
    return np.stack([np.ones(len(columns)), *products], axis=1)


def bert_terms(features: FloatArray) -> FloatArray:
    """The work of a BERT encoder: its matrix products, its attention, its element-wise passes and its pooler.

    What a layer does is counted over all layers and over all but the last, since a runtime may compute of the last
    layer only what the pooler reads; the fit decides. Sizes that no vector width divides are slower for the same
    work: matrix products and attention occur once more for each width that does not fit.

    Args:
        features: The columns ``BERT_FEATURES``, shape (rows, 6), positive.

    Returns:
        Shape (rows, 26).
    """
    layers, hidden, ffn, heads, length, batch = features.T
    head_size = hidden / heads
    terms = [
        np.ones(len(features)),
        batch * length * hidden,  # embeddings
        batch * hidden * hidden,  # pooler
        hidden * hidden,
    ]
    for depth in (layers, layers - 1):
        tokens = depth * batch * length  # all that pass through a layer
        pairs = depth * heads * batch * length**2  # one attention score each
        terms += [
            depth,
            tokens * hidden,
            tokens * ffn,
            tokens * hidden * hidden,
            tokens * hidden * ffn,
            pairs,
            pairs * head_size,
        ]
    for width in VECTOR_WIDTHS:
        terms += [
            layers * batch * length * hidden * hidden * (hidden % width != 0),
            layers * heads * batch * length**2 * (head_size % width != 0),
        ]
    return np.stack(terms, axis=1)
