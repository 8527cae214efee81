"""A task from the Hugging Face hub, through ``datasets``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bigfast.data.columns import (
    DEFAULT_LABEL,
    Columns,
    Labels,
    choose_columns,
    choose_labels,
    labelled_rows,
    unlabelled_rows,
)
from bigfast.data.dataset import Rows, TaskData, hold_out
from bigfast.data.files import Table
from bigfast.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

HUB_PREFIX = "hf:"
DEV_SPLITS = ("validation", "validation_matched", "dev", "test")  # the first that exists is the official dev
UNLABELLED_SPLITS = ("unlabelled", "unsupervised")


def read_hub(
    spec: str,
    *,
    text_columns: tuple[str, ...] | None = None,
    label_column: str | None = None,
    label_order: tuple[str, ...] | None = None,
    seed: int = 0,
) -> TaskData:
    """Reads ``hf:REPOSITORY`` or ``hf:REPOSITORY:CONFIGURATION``, for example ``hf:nyu-mll/glue:mnli``.

    The hub's validation split is the development set; our validation rows are held out of train.

    Args:
        spec: The repository, and the configuration where it has several.
        text_columns: One or two columns of text; None means the first known ones.
        label_column: The column of labels; None means ``label``.
        label_order: The teacher's label words, in class order.
        seed: Chooses the rows that are held out.

    Raises:
        DataError: the hub cannot be reached, has no such data set, or the data set cannot be used.
    """
    splits = _load(spec)
    if "train" not in splits:
        raise DataError(f"Data set {spec!r} has no split 'train', but {', '.join(map(repr, splits))}")
    table = _table(spec, "train", splits["train"], label_column or DEFAULT_LABEL)
    columns = choose_columns(table, text_columns, label_column)
    labels = choose_labels(table, columns, label_order)
    rows, dropped = labelled_rows(table, columns, labels)
    train, validation, note = hold_out(rows, seed=seed)
    spare = next((name for name in UNLABELLED_SPLITS if name in splits), None)
    dev = next((name for name in DEV_SPLITS if name in splits), None)
    return TaskData(
        name=spec,
        labels=labels.words,
        train=train,
        validation=validation,
        unlabelled=(
            unlabelled_rows(_table(spec, spare, splits[spare], columns.label), columns) if spare is not None else None
        ),
        notes=(*([f"Split 'train': {dropped} rows without a label dropped."] if dropped else []), note),
        dev_source=partial(_read_dev, spec, dev, splits, columns, labels),
    )


def _load(spec: str) -> DatasetDict:
    repository, _, configuration = spec.removeprefix(HUB_PREFIX).partition(":")
    if not repository:
        raise DataError(f"{spec!r} names no data set: expected {HUB_PREFIX}REPOSITORY or {HUB_PREFIX}REPOSITORY:CONFIG")
    import datasets  # seconds: only when it is asked for

    try:
        return datasets.load_dataset(repository, configuration or None)
    except ValueError as error:  # an unknown configuration, or none where there are several
        raise DataError(f"Data set {spec!r} cannot be loaded: {_first_line(error)}") from error
    # Whatever else goes wrong between here and the hub (its client's errors, requests', httpx's) has no common base.
    except Exception as error:
        raise DataError(
            f"Data set {spec!r} cannot be loaded from the hub ({_first_line(error)}): "
            "check the name and the network, or give a local directory"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _table(spec: str, split: str, data: Dataset, label: str) -> Table:
    columns: dict[str, Any] = {name: data[name][:] for name in data.column_names}
    words = getattr(data.features.get(label), "names", None)
    if words is not None:
        columns[label] = ["-" if value is None or value < 0 else words[value] for value in columns[label]]
    return Table(source=f"{spec}, split {split}", columns=columns, places=range(1, len(data) + 1), unit="row")


def _read_dev(spec: str, split: str | None, splits: DatasetDict, columns: Columns, labels: Labels) -> Rows | None:
    if split is None:
        return None
    return labelled_rows(_table(spec, split, splits[split], columns.label), columns, labels)[0]
