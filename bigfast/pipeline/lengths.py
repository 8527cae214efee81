"""How long the texts of a data set are: what a profile for them should be measured with."""

from __future__ import annotations

import numpy as np

from bigfast.backend import local_directory
from bigfast.data import encode, read_data
from bigfast.pipeline.task import LONGEST
from bigfast.supermodel.teacher import tokenizer_in

QUANTILES = (0.1, 0.5, 0.9)


def lengths_of_data(source: str, tokenizer: str, *, seed: int) -> tuple[int, ...]:
    """Tokens of a short, a usual and a long text: the 10 %, 50 % and 90 % quantiles of the training rows, ascending.

    Args:
        source: ``synthetic``, a directory, or ``hf:REPOSITORY:CONFIG``.
        tokenizer: A model's directory or hub id.
        seed: Of embedded data.

    Raises:
        DataError: the data cannot be read.
        ModelError: there is no tokenizer.
    """
    data = read_data(source, seed=seed)
    encoded = encode(tokenizer_in(local_directory(tokenizer)), data.train, max_length=LONGEST)
    return tuple(sorted({int(n) for n in np.quantile(encoded.lengths, QUANTILES, method="nearest")}))
