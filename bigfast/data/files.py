"""One file of rows, in any of the four formats, as a table of columns that knows its lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigfast.errors import DataError

FORMATS = (".tsv", ".jsonl", ".csv", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Columns of equal length.

    Attributes:
        source: The file, as errors name it.
        columns: Values by column name, as the format has them: text from tsv and csv, anything from the others.
        places: Where each row is in the source.
        unit: What a place counts: "line" or "row".
    """

    source: str
    columns: dict[str, Sequence[Any]]  # jsonl and parquet hold values of any type
    places: Sequence[int]
    unit: str

    def __len__(self) -> int:
        return len(self.places)

    def at(self, row: int) -> str:
        """The words by which an error names a row."""
        return f"{self.source}, {self.unit} {self.places[row]}"


def read_table(path: Path) -> Table:
    """Reads a file whole, by the format its name ends in.

    Raises:
        DataError: it cannot be read, is empty or malformed; the sentence names the file and the line.
    """
    reader = {".tsv": _read_tsv, ".jsonl": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
    try:
        table = reader[path.suffix](path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not len(table):
        raise DataError(f"{path} is empty: expected at least one row")
    return table


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise DataError(f"{path}, line {line}: byte 0x{byte:02x} is not valid UTF-8; save the file as UTF-8") from error


def _named(path: Path, header: Sequence[str]) -> Sequence[str]:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line 1: column {twice[0]!r} appears twice; each column needs a name of its own")
    return header


def _table(path: Path, header: Sequence[str], rows: list[Sequence[str]], places: list[int]) -> Table:
    for fields, line in zip(rows, places, strict=True):
        if len(fields) != len(header):
            raise DataError(
                f"{path}, line {line}: expected {len(header)} fields as in the header line, but found {len(fields)}"
            )
    values = zip(*rows, strict=True) if rows else ((),) * len(header)
    return Table(
        source=str(path),
        columns=dict(zip(_named(path, header), values, strict=True)),
        places=places,
        unit="line",
    )


def _read_tsv(path: Path) -> Table:
    # Split by hand: without quoting nothing else is needed, and a line stays a line whatever it holds.
    lines = _text(path).split("\n")
    while lines and not lines[-1].strip("\r"):
        lines.pop()
    rows: list[Sequence[str]] = [line.removesuffix("\r").split("\t") for line in lines]
    if not rows:
        raise DataError(f"{path} is empty: expected a header line with the names of its columns")
    return _table(path, rows[0], rows[1:], list(range(2, len(rows) + 1)))


def _read_csv(path: Path) -> Table:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    rows: list[Sequence[str]] = []
    places: list[int] = []
    start = 1  # a quoted field may span lines: a row is named by its first
    try:
        for fields in reader:
            if fields:
                rows.append(fields)
                places.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from error
    if not rows:
        raise DataError(f"{path} is empty: expected a header line with the names of its columns")
    return _table(path, rows[0], rows[1:], places[1:])


def _read_jsonl(path: Path) -> Table:
    columns: dict[str, list[Any]] = {}
    places: list[int] = []
    for line, text in enumerate(_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{path}, line {line}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {line}: expected a JSON object, but found {type(row).__name__}")
        for name in row.keys() - columns.keys():
            columns[name] = [None] * len(places)
        for name, values in columns.items():
            values.append(row.get(name))
        places.append(line)
    return Table(source=str(path), columns=dict(columns), places=places, unit="line")


def _read_parquet(path: Path) -> Table:
    import pyarrow  # takes longer to load than everything else here
    import pyarrow.parquet

    try:
        # Opened by us, so that nothing is inferred from the path; a directory of that name is an OSError.
        with path.open("rb") as file:
            table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a valid parquet file: {reason}") from error
    columns = dict(zip(_named(path, table.column_names), (column.to_pylist() for column in table.columns), strict=True))
    return Table(source=str(path), columns=columns, places=range(1, table.num_rows + 1), unit="row")
