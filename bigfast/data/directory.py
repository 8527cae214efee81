"""A task kept as files in a directory: train, validation, dev, unlabelled."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bigfast.data.columns import Columns, Labels, choose_columns, choose_labels, labelled_rows, unlabelled_rows
from bigfast.data.dataset import Rows, TaskData, hold_out
from bigfast.data.files import FORMATS, read_table
from bigfast.errors import DataError


def read_directory(
    path: Path | str,
    *,
    text_columns: tuple[str, ...] | None = None,
    label_column: str | None = None,
    label_order: tuple[str, ...] | None = None,
    seed: int = 0,
) -> TaskData:
    """Reads a task from files named train, validation, dev (or dev_matched) and unlabelled.

    Each is tab separated without quoting (.tsv), one JSON object a line (.jsonl), .csv or .parquet. Rows
    whose label is ``-`` or ``-1`` are dropped. Without a validation file, rows of train are held out.

    Args:
        path: The directory.
        text_columns: One or two columns of text; None means the first known ones.
        label_column: The column of labels, words or integers; None means ``label``.
        label_order: The teacher's label words, in class order.
        seed: Chooses the rows that are held out.

    Raises:
        DataError: one sentence that names the file, and the line where there is one.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise DataError(f"{directory} is not a directory: expected one with a file train.tsv, .jsonl, .csv or .parquet")
    train_file = _find(directory, "train")
    if train_file is None:
        raise DataError(f"{directory} has no file train.tsv, train.jsonl, train.csv or train.parquet")

    table = read_table(train_file)
    columns = choose_columns(table, text_columns, label_column)
    labels = choose_labels(table, columns, label_order)
    train, dropped = labelled_rows(table, columns, labels)
    notes = [_dropped(train_file, dropped)] if dropped else []

    validation_file = _find(directory, "validation")
    if validation_file is None:
        train, validation, note = hold_out(train, seed=seed)
        notes.append(note)
    else:
        validation, dropped = labelled_rows(read_table(validation_file), columns, labels)
        notes += [_dropped(validation_file, dropped)] if dropped else []

    unlabelled_file = _find(directory, "unlabelled")
    dev_file = _find(directory, "dev") or _find(directory, "dev_matched")
    return TaskData(
        name=directory.resolve().name,
        labels=labels.words,
        train=train,
        validation=validation,
        unlabelled=None if unlabelled_file is None else unlabelled_rows(read_table(unlabelled_file), columns),
        notes=tuple(notes),
        dev_source=partial(_read_dev, dev_file, columns, labels),
    )


def _find(directory: Path, stem: str) -> Path | None:
    found = [path for path in (directory / f"{stem}{suffix}" for suffix in FORMATS) if path.is_file()]
    if len(found) > 1:
        raise DataError(f"{directory} has both {found[0].name} and {found[1].name}: keep one of them")
    return found[0] if found else None


def _dropped(path: Path, count: int) -> str:
    return f"{path.name}: {count} {'row' if count == 1 else 'rows'} without a label dropped."


def _read_dev(path: Path | None, columns: Columns, labels: Labels) -> Rows | None:
    return None if path is None else labelled_rows(read_table(path), columns, labels)[0]
