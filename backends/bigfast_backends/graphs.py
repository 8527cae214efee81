"""What the graphs of all runtimes have in common: names of inputs, how padding is hidden, how weights are rounded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bigfast.backend import FloatArray

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "logits"

HIDDEN_PADDING = -1e9  # added to the scores of padding: its probability is exactly 0 in float32
NORM_EPS = 1e-12  # the stock BertConfig's

FULL_RANGE = 127
# Without VNNI the kernels add two products of uint8 and int8 in 16 bits: 2 * 255 * 64 fits, 2 * 255 * 65 does not.
REDUCED_RANGE = 64


def quantize_rows(weight: FloatArray, largest: int = FULL_RANGE) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Symmetric int8 with one scale for each row.

    Args:
        weight: Shape (rows, columns), float32.
        largest: The magnitude that a row's largest number becomes, at most 127.

    Returns:
        The rounded numbers, shape (rows, columns), and the scales, shape (rows,), with numbers * scale ~ weight.
    """
    peaks = np.maximum(weight.max(axis=1), -weight.min(axis=1))
    scales = np.where(peaks > 0, peaks / np.float32(largest), np.float32(1)).astype(np.float32)
    rounded = np.empty(weight.shape, dtype=np.int8)
    # A few hundred kilobytes at a time, so that the float copy stays in the cache.
    step = max(1, (1 << 16) // weight.shape[1])
    for start in range(0, len(weight), step):
        rows = slice(start, start + step)
        part = weight[rows] / scales[rows, None]
        rounded[rows] = np.rint(part, out=part)
    return rounded, scales
