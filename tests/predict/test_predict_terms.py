from __future__ import annotations

import numpy as np
import pytest

from bigfast.errors import InputError
from bigfast.predict import BERT_FEATURES
from bigfast.predict.terms import bert_terms, cost_terms, generic_terms


@pytest.mark.parametrize(("columns", "terms"), [(1, 1 + 3), (2, 1 + 2 + 3 + 4), (6, 1 + 6 + 21), (31, 1 + 31)])
def test_the_more_columns_the_fewer_products(columns: int, terms: int) -> None:
    features = np.random.default_rng(0).random((5, columns))

    assert generic_terms(features, lowest=features.min(0), highest=features.max(0)).shape == (5, terms)


def test_no_generic_work_is_negative() -> None:
    features = np.random.default_rng(0).normal(size=(20, 3))
    lowest, highest = features.min(axis=0), features.max(axis=0)

    assert (generic_terms(features - 5, lowest=lowest, highest=highest) >= 0).all()


def test_bert_work_is_the_same_for_widths_that_fill_the_same_registers_only_where_it_is_rounded() -> None:
    features = np.array([[2, 65.0, 129, 1, 8, 1], [2, 80, 144, 1, 8, 1]])

    same = np.isclose(*bert_terms(features))

    assert np.flatnonzero(same).tolist() == [0, 1, 6, 12, 15, 16]


def test_bert_features_are_in_the_order_that_the_terms_read() -> None:
    assert BERT_FEATURES == ("layers", "hidden", "ffn", "heads", "length", "batch")


def test_bert_terms_refuse_a_model_without_heads() -> None:
    features = np.array([[2, 64.0, 128, 0, 8, 1]])

    with pytest.raises(InputError, match="need positive features, but the lowest is 0"):
        cost_terms("bert", features, lowest=features[0], highest=features[0])
