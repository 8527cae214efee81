"""From a table to rows: which columns hold the texts and the label, and which class a label is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bigfast.data.dataset import Rows
from bigfast.data.files import Table
from bigfast.errors import DataError

KNOWN_TEXTS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question", "sentence"),
    ("question1", "question2"),
    ("text",),
    ("sentence",),
)
DEFAULT_LABEL = "label"
MISSING_LABELS = frozenset({"-", "-1"})  # SNLI's and GLUE's signs for a row that has no gold label


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The names of the columns that are used: one or two of text, and the label."""

    texts: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The label words in class order, and the class that each spelling in the data stands for."""

    words: tuple[str, ...]
    classes: dict[str, int]


def choose_columns(table: Table, texts: tuple[str, ...] | None, label: str | None) -> Columns:
    """The columns asked for, or the first known ones that the table has.

    Raises:
        DataError: the table has no such columns.
    """
    if texts is None:
        texts = next((known for known in KNOWN_TEXTS if all(name in table.columns for name in known)), None)
        if texts is None:
            raise DataError(
                f"{table.source} has none of the known text columns, but {_names(table)}: "
                "name one or two with --text-columns"
            )
    if not 1 <= len(texts) <= 2:
        raise DataError(f"Expected one or two text columns, but {len(texts)} were named: {', '.join(texts)}")
    return Columns(texts=texts, label=label or DEFAULT_LABEL)


def _names(table: Table) -> str:
    return ", ".join(map(repr, table.columns)) or "no columns"


def _require(table: Table, name: str, option: str) -> None:
    if name not in table.columns:
        raise DataError(f"{table.source} has no column {name!r}, but {_names(table)}: name the right one with {option}")


def _texts(table: Table, name: str) -> tuple[str, ...]:
    _require(table, name, "--text-columns")
    values = tuple(table.columns[name])
    for row, value in enumerate(values):
        if not isinstance(value, str):
            found = "nothing" if value is None else type(value).__name__
            raise DataError(f"{table.at(row)}: expected text in column {name!r}, but found {found}")
    return values


def _spellings(table: Table, name: str) -> list[str]:
    _require(table, name, "--label-column")
    spellings: list[str] = []
    for row, value in enumerate(table.columns[name]):
        # A parquet column with gaps, made by pandas, holds its integers as floats.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        spelling = "" if whole is None else str(whole).strip()
        if not spelling:
            raise DataError(f"{table.at(row)}: the label in column {name!r} is empty")
        spellings.append(spelling)
    return spellings


def _is_index(spelling: str) -> bool:
    return spelling.isascii() and spelling.isdigit()


def choose_labels(table: Table, columns: Columns, order: Sequence[str] | None) -> Labels:
    """Reads off the training table what its labels mean.

    Words are matched to ``order`` without regard to case; without one they are classes in alphabetical
    order. Labels that are all integers, and not themselves words of ``order``, are class indices.

    Raises:
        DataError: ``order`` does not know a label, or there is only one class.
    """
    spellings = _spellings(table, columns.label)
    found = sorted(set(spellings) - MISSING_LABELS)
    if len(found) < 2:
        only = f"only the label {found[0]!r}" if found else "no label at all"
        raise DataError(f"{table.source} has {only} in column {columns.label!r}: training needs two classes or more")
    known = {word.casefold(): index for index, word in enumerate(order or ())}
    indices = all(map(_is_index, found)) and not all(spelling in known for spelling in found)
    if order is None:
        words = tuple(str(i) for i in range(max(map(int, found)) + 1)) if indices else tuple(found)
        return Labels(words, {word: index for index, word in enumerate(words)})
    classes = {str(i): i for i in range(len(order))} if indices else {s: known.get(s.casefold(), -1) for s in found}
    for spelling in found:
        if classes.get(spelling, -1) < 0:
            place = table.at(spellings.index(spelling))
            raise DataError(f"{place}: the teacher does not know the label {spelling!r}, but {', '.join(order)}")
    # A later split may spell a word in another case, or hold a class that train lacks.
    spoken = {} if indices else {word: index for index, word in enumerate(order)}
    return Labels(tuple(order), {**spoken, **classes})


def labelled_rows(table: Table, columns: Columns, labels: Labels) -> tuple[Rows, int]:
    """The rows that have a label, and how many were dropped because they have none.

    Raises:
        DataError: a column is missing, a label is unknown, or no row is left.
    """
    spellings = _spellings(table, columns.label)
    classes = dict(labels.classes)
    folded = {spelling.casefold(): index for spelling, index in classes.items()}
    kept = [row for row, spelling in enumerate(spellings) if spelling not in MISSING_LABELS]
    for row in kept:
        spelling = spellings[row]
        if spelling not in classes:
            if spelling.casefold() not in folded:
                known = ", ".join(labels.words)
                raise DataError(f"{table.at(row)}: the label {spelling!r} is none of {known}, which train has")
            classes[spelling] = folded[spelling.casefold()]
    if not kept:
        raise DataError(f"{table.source} has no row with a label in column {columns.label!r}")
    rows = Rows(*_text_pair(table, columns), np.array([classes.get(s, -1) for s in spellings], dtype=np.int64))
    return (rows if len(kept) == len(rows) else rows.take(kept)), len(rows) - len(kept)


def unlabelled_rows(table: Table, columns: Columns) -> Rows:
    """All rows, whatever their labels.

    Raises:
        DataError: a column is missing or holds something that is no text.
    """
    return Rows(*_text_pair(table, columns), None)


def _text_pair(table: Table, columns: Columns) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    first = _texts(table, columns.texts[0])
    return first, _texts(table, columns.texts[1]) if len(columns.texts) == 2 else None
