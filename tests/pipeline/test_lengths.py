from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bigfast.data import encode, load_tokenizer
from bigfast.errors import ModelError
from bigfast.pipeline.lengths import lengths_of_data


def test_the_lengths_of_data_are_those_of_a_short_a_usual_and_a_long_text(tiny: Any) -> None:
    lengths = encode(load_tokenizer(str(tiny.teacher)), tiny.task.train, max_length=128).lengths

    found = lengths_of_data(str(tiny.data), str(tiny.teacher), seed=0)

    assert list(found) == sorted(set(np.quantile(lengths, (0.1, 0.5, 0.9), method="nearest").tolist()))


def test_lengths_need_a_tokenizer(tiny: Any) -> None:
    with pytest.raises(ModelError):
        lengths_of_data(str(tiny.data), str(tiny.data), seed=0)
