"""Writing so that a reader sees the old state or the new one, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bigfast.errors import StorageError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what the system says about a failed write into one sentence about ``path``.

    Raises:
        StorageError: there is no room, or no right to write.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageError(
                f"No room to write {path}: free some space and run the same command again, nothing is lost"
            ) from error
        raise StorageError(f"Cannot write {path}: {error.strerror or error}; choose another place") from error


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Makes sure that a file's content has reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file by temporary file, fsync and rename.

    Raises:
        StorageError: there is no room, or no right to write; the old file is untouched.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
            _sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """``write_bytes`` in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:  # Any: whatever json can write
    """``write_text`` of readable JSON; NaN and infinity are refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def published_directory(path: Path) -> Iterator[Path]:
    """A temporary directory to fill, which becomes ``path`` in one step when the block ends without error.

    Raises:
        StorageError: there is no room, or no right to write; what stood at ``path`` is untouched.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    old = temporary.with_name(temporary.name + ".old")
    try:
        with storage_errors(path):
            yield temporary
            temporary.chmod(0o755)
            for file in temporary.rglob("*"):
                file.chmod(0o755 if file.is_dir() else 0o644)  # some writers leave files that only we may read
                sync_file(file)
            _sync_directory(temporary)
            if path.exists():
                path.rename(old)
            try:
                temporary.rename(path)
            except BaseException:  # an interrupt here must not lose both
                if old.exists():
                    old.rename(path)
                raise
            _sync_directory(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
