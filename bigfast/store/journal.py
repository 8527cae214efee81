"""An append-only record of what has happened, of which a kill at any moment loses at most the last entry."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from bigfast.errors import InputError, StorageError
from bigfast.store.lock import exclusive
from bigfast.store.read import parse_json

FORMAT = 1


class Journal:
    """Entries of several kinds, in order, in one SQLite file (WAL, synchronous=FULL, one writer).

    Use ``open_journal``, which holds the writer's lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise StorageError(f"Cannot write {path}: {error}; free some space, or choose another place") from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        path = self._path
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, FORMAT):
                raise InputError(f"{path} was written by a newer bigfast (journal format {found}): update bigfast")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS entries "
                "(place INTEGER PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL)"
            )
            self._db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.OperationalError as error:
            raise StorageError(f"Cannot write {path}: {error}; free some space, or choose another place") from error
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path} is not a journal of bigfast ({error}): move it away to start anew") from error

    def append(self, kind: str, value: Mapping[str, Any]) -> None:
        """Adds one entry; when this returns, it has reached the disk.

        Raises:
            StorageError: there is no room, or no right to write; earlier entries are untouched.
        """
        text = json.dumps(value, allow_nan=False)
        try:
            self._db.execute("INSERT INTO entries (kind, value) VALUES (?, ?)", (kind, text))
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"Cannot write {self._path} ({error}): free some space and run the same command again, "
                "nothing recorded is lost"
            ) from error

    def entries(self, kind: str) -> Iterator[dict[str, Any]]:
        """All entries of one kind, in the order in which they were added.

        Raises:
            InputError: the file is damaged.
        """
        try:
            for (text,) in self._db.execute("SELECT value FROM entries WHERE kind = ? ORDER BY place", (kind,)):
                yield parse_json(text)
        except (sqlite3.DatabaseError, ValueError) as error:
            raise InputError(f"{self._path} is damaged ({error}): move it away to start anew") from error

    def first(self, kind: str) -> dict[str, Any] | None:
        """The oldest entry of one kind, or None."""
        return next(self.entries(kind), None)

    def close(self) -> None:
        """Closes the file; everything added is in it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """The journal at ``path``, made where it is missing, held as its only writer.

    Raises:
        Busy: another process writes it.
        InputError: the file is no journal, or of a newer version.
        StorageError: it cannot be written.
    """
    with exclusive(path.with_name(path.name + ".lock"), what=str(path)), Journal(path) as journal:
        yield journal


def remove_journal(path: Path) -> None:
    """Removes a journal and what SQLite keeps beside it."""
    for name in (path.name, path.name + "-wal", path.name + "-shm", path.name + ".lock"):
        path.with_name(name).unlink(missing_ok=True)
