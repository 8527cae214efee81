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


def test_work_of_one_layer_is_counted_only_where_a_layer_is_counted_whole() -> None:
    """Seven terms are of all layers but the last, of which a runtime may compute next to nothing."""
    terms = bert_terms(np.array([[1, 64.0, 128, 4, 8, 1]]))[0]

    assert (terms[11:18] == 0).all()
    assert (terms[:11] > 0).all()


def test_sizes_that_no_width_divides_have_further_work() -> None:
    fitting, odd = bert_terms(np.array([[2, 64.0, 128, 4, 8, 1], [2, 68, 128, 4, 8, 1]]))

    assert (fitting[18:] == 0).all()
    assert [bool(term) for term in odd[18:]] == [False, True, False, True, True, True, True, True]


def test_bert_features_are_in_the_order_that_the_terms_read() -> None:
    assert BERT_FEATURES == ("layers", "hidden", "ffn", "heads", "length", "batch")


def test_bert_terms_refuse_a_model_without_heads() -> None:
    features = np.array([[2, 64.0, 128, 0, 8, 1]])

    with pytest.raises(InputError, match="need positive features, but the lowest is 0"):
        cost_terms("bert", features, lowest=features[0], highest=features[0])
