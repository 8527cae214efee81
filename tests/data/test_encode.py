"""Rows as token ids."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from bigfast.data import Encoded, Rows, encode, train_tokenizer
from bigfast.errors import InputError

WORDS = "every poodle is running and no cat is a bird"
ROWS = Rows(("every poodle is running", "no cat"), ("a poodle is", "no bird is running and running"), np.array([2, 0]))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer([WORDS] * 20, 200)


@pytest.fixture(scope="module")
def encoded(tokenizer: PreTrainedTokenizerFast) -> Encoded:
    return encode(tokenizer, ROWS, max_length=64)


def test_pairs_are_encoded_as_the_tokenizer_does_one_by_one(
    tokenizer: PreTrainedTokenizerFast, encoded: Encoded
) -> None:
    for row in range(2):
        single = tokenizer(ROWS.first[row], ROWS.second[row] if ROWS.second else None)
        assert encoded.ids[row].tolist() == single["input_ids"]
        assert encoded.types[row].tolist() == single["token_type_ids"]
    assert (encoded.labels.tolist(), encoded.lengths.tolist(), encoded.pad_id) == ([2, 0], [10, 11], 0)


def test_long_rows_are_cut(tokenizer: PreTrainedTokenizerFast) -> None:
    assert encode(tokenizer, ROWS, max_length=8).lengths.tolist() == [8, 8]


def test_single_unlabelled_sentences_have_one_segment_and_no_class(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode(tokenizer, Rows(("every cat",), None, None), max_length=8)

    assert (encoded.types[0].tolist(), encoded.labels.tolist()) == ([0, 0, 0, 0], [-1])


def test_no_rows_encode_to_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(encode(tokenizer, Rows((), None, None), max_length=8)) == 0


def test_encoded_rows_are_taken_in_the_order_asked_for(encoded: Encoded) -> None:
    taken = encoded.take([1, 0, 1])

    assert taken.lengths.tolist() == [11, 10, 11]
    assert taken.ids[0].tolist() == encoded.ids[1].tolist()
    assert taken.labels.tolist() == [0, 2, 0]


def test_length_percentile_is_a_length_that_occurs(encoded: Encoded) -> None:
    assert (encoded.length_percentile(0), encoded.length_percentile(50), encoded.length_percentile(95)) == (10, 11, 11)


def test_length_percentile_of_nothing_is_refused(encoded: Encoded) -> None:
    with pytest.raises(InputError, match="no percentile"):
        encoded.take([]).length_percentile(95)
