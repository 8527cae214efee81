"""One at a time: a lock that the system frees when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bigfast.errors import Busy
from bigfast.store.atomic import storage_errors

MACHINE_LOCK = Path(tempfile.gettempdir()) / "bigfast-measuring.lock"


@contextmanager
def exclusive(path: Path, *, what: str) -> Iterator[None]:
    """Holds the lock file at ``path`` while the block runs.

    Args:
        path: The lock file; it is made where it is missing, and stays.
        what: What is locked, as the error names it: "this machine's clock".

    Raises:
        Busy: another process holds it, with its process id.
        StorageError: the lock file cannot be opened.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(OSError):
            os.fchmod(handle, 0o666)  # whatever the umask: another user must be able to wait for it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise Busy(
                f"Process {holder} is using {what}: wait until it has ended and run the same command again"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)
