"""Rows as token ids, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bigfast.data.dataset import Rows
from bigfast.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IntArray = NDArray[np.int64]

UNLABELLED = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """Token ids of every row.

    Attributes:
        ids: Token ids of each row, shape (length,), int64.
        types: Segment of each token, shape (length,), int64: 1 in the second text of a pair.
        labels: Class of each row, shape (rows,), int64; -1 where it has none.
        lengths: Tokens of each row, shape (rows,), int64.
        pad_id: The token to fill up with.
    """

    ids: tuple[IntArray, ...]
    types: tuple[IntArray, ...]
    labels: IntArray
    lengths: IntArray
    pad_id: int

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int] | IntArray) -> Encoded:
        """These rows, in this order."""
        order = np.asarray(indices, dtype=np.int64)
        return Encoded(
            ids=tuple(self.ids[i] for i in order),
            types=tuple(self.types[i] for i in order),
            labels=self.labels[order],
            lengths=self.lengths[order],
            pad_id=self.pad_id,
        )

    def length_percentile(self, q: float) -> int:
        """A length in tokens that at least ``q`` per cent of the rows do not exceed.

        Raises:
            InputError: there is no row.
        """
        if not len(self):
            raise InputError("Without rows there is no percentile of their lengths")
        return int(np.percentile(self.lengths, q, method="higher"))


def encode(tokenizer: PreTrainedTokenizerFast, rows: Rows, *, max_length: int) -> Encoded:
    """Encodes rows, pairs as ``[CLS] first [SEP] second [SEP]``, cut to ``max_length`` tokens.

    Of a pair that is too long, the longer text loses tokens first.
    """
    if not len(rows):
        nothing = np.empty(0, dtype=np.int64)
        return Encoded(ids=(), types=(), labels=nothing, lengths=nothing, pad_id=int(tokenizer.pad_token_id))
    encoding = tokenizer(
        list(rows.first),
        None if rows.second is None else list(rows.second),
        truncation=True,
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=True,
    )
    lengths = np.fromiter(map(len, encoding["input_ids"]), dtype=np.int64, count=len(rows))
    return Encoded(
        ids=_rows(encoding["input_ids"], lengths),
        types=_rows(encoding["token_type_ids"], lengths),
        labels=np.full(len(rows), UNLABELLED, dtype=np.int64) if rows.labels is None else rows.labels,
        lengths=lengths,
        pad_id=int(tokenizer.pad_token_id),
    )


def _rows(lists: Sequence[Sequence[int]], lengths: IntArray) -> tuple[IntArray, ...]:
    # Views of one flat array: a hundred thousand small arrays would cost more than their content.
    flat = np.fromiter(chain.from_iterable(lists), dtype=np.int64, count=int(lengths.sum()))
    return tuple(np.split(flat, np.cumsum(lengths)[:-1]))
