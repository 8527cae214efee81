"""Where a task comes from: the hub, the embedded generator, or a directory."""

from __future__ import annotations

from bigfast.data.dataset import TaskData
from bigfast.data.directory import read_directory
from bigfast.data.hub import HUB_PREFIX, read_hub
from bigfast.data.synthetic import synthetic_task
from bigfast.errors import DataError

SYNTHETIC = "synthetic"


def read_data(
    spec: str,
    *,
    text_columns: tuple[str, ...] | None = None,
    label_column: str | None = None,
    label_order: tuple[str, ...] | None = None,
    seed: int = 0,
) -> TaskData:
    """Reads a task by its name on the command line.

    Args:
        spec: ``hf:REPOSITORY:CONFIG``, ``synthetic``, ``synthetic:SEED``, or else a directory.
        text_columns: One or two columns of text; None means the first known ones.
        label_column: The column of labels; None means ``label``.
        label_order: The teacher's label words, in class order.
        seed: Chooses the rows that are held out, and is the seed of plain ``synthetic``.

    Raises:
        DataError: there is no such task, or it cannot be used.
    """
    if spec == SYNTHETIC or spec.startswith(f"{SYNTHETIC}:"):
        return synthetic_task(_seed(spec, seed), label_order=label_order)
    reader = read_hub if spec.startswith(HUB_PREFIX) else read_directory
    return reader(spec, text_columns=text_columns, label_column=label_column, label_order=label_order, seed=seed)


def _seed(spec: str, default: int) -> int:
    digits = spec.removeprefix(SYNTHETIC).removeprefix(":")
    if spec == SYNTHETIC:
        return default
    if not (digits.isascii() and digits.isdigit()):
        raise DataError(
            f"Data {spec!r} is not understood: expected {SYNTHETIC}:SEED with a whole number, as in synthetic:1"
        )
    return int(digits)
