"""Boosted trees as plain arrays: what XGBoost grew, predicted and saved without it.

XGBoost's own ``load_model`` (3.2) follows what the file says and ends the process with a segmentation fault on a file
with one wrong byte, so that a predictor from a stranger must never reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from bigfast.errors import InputError
from bigfast.predict.reading import read_arrays
from bigfast.predict.table import FloatArray

TREES_FILE = "trees.safetensors"
TREES_AT_MOST = 5_000
DEPTH_AT_MOST = 16
ROWS_AT_ONCE = 2048

Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trees:
    """Trees whose leaves are summed. A node is a number; a leaf is its own child.

    Attributes:
        base: What is added to the sum, shape (1,), float32.
        roots: The first node of each tree, shape (trees,).
        left: Where a row goes whose value is below the node's, shape (nodes,).
        right: Where the other rows go.
        column: Which feature a node asks about; 0 in a leaf.
        value: What it is compared with, float32; in a leaf, what it adds.
    """

    base: npt.NDArray[np.float32]
    roots: Int32Array
    left: Int32Array
    right: Int32Array
    column: Int32Array
    value: npt.NDArray[np.float32]

    def predict(self, features: FloatArray) -> FloatArray:
        """The sum of one leaf of each tree, shape (rows,)."""
        total = np.empty(len(features))
        for start in range(0, len(features), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            total[part] = self.value[self._leaves(features[part])].sum(axis=1, dtype=np.float64) + self.base[0]
        return total

    def save(self, directory: Path) -> None:
        """Writes ``trees.safetensors``."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        (directory / TREES_FILE).write_bytes(safetensors.numpy.save(arrays))

    def _leaves(self, features: FloatArray) -> npt.NDArray[np.intp]:
        values = features.astype(np.float32)  # as XGBoost compares
        row = np.arange(len(values))[:, None]
        node = np.broadcast_to(self.roots, (len(values), len(self.roots))).astype(np.intp)  # (rows, trees)
        for _ in range(DEPTH_AT_MOST):
            below = values[row, self.column[node]] < self.value[node]
            after = np.where(below, self.left[node], self.right[node])
            if np.array_equal(after, node):
                break
            node = after.astype(np.intp)
        return node


def read_trees(directory: Path, *, columns: int) -> Trees:
    """Reads what ``save`` wrote, and makes sure that every node leads to a leaf.

    Raises:
        InputError: the file is missing, or does not hold trees over so many columns.
    """
    arrays = read_arrays(directory / TREES_FILE, names=Trees.__slots__)
    try:
        _check(arrays, columns)
    except InputError as error:
        raise InputError(f"{TREES_FILE}: {error}") from error
    return Trees(**arrays)


def _check(arrays: dict[str, npt.NDArray[np.generic]], columns: int) -> None:
    for name, array in arrays.items():
        expected = np.float32 if name in ("base", "value") else np.int32
        shape = {"base": (1,), "roots": (arrays["roots"].size,)}.get(name, (arrays["value"].size,))
        if array.dtype != expected or array.shape != shape or not array.size:
            raise InputError(f"{name!r} must be {expected.__name__} of shape {shape}, not {array.dtype} {array.shape}")
    nodes = arrays["value"].size
    for name, below in (("roots", nodes), ("left", nodes), ("right", nodes), ("column", columns)):
        if arrays[name].min() < 0 or arrays[name].max() >= below:
            raise InputError(f"{name!r} must have numbers from 0 to {below - 1}")
    if not np.isfinite(arrays["value"]).all() or not np.isfinite(arrays["base"]).all():
        raise InputError("it has values that are not finite")
    if arrays["roots"].size > TREES_AT_MOST:
        raise InputError(f"it must hold at most {TREES_AT_MOST:,} trees, not {arrays['roots'].size:,}")
    left, right, here = arrays["left"], arrays["right"], np.unique(arrays["roots"])
    for _ in range(DEPTH_AT_MOST):
        here = here[(left[here] != here) | (right[here] != here)]
        here = np.unique(np.concatenate([left[here], right[here]]))
    if here.size:
        raise InputError(f"its trees must end after at most {DEPTH_AT_MOST} questions")
