"""Where it is kept: atomic writes, the journal, the lock, and careful reading."""

from bigfast.store.atomic import published_directory, storage_errors, write_bytes, write_json, write_text
from bigfast.store.journal import Journal, open_journal, remove_journal
from bigfast.store.lock import MACHINE_LOCK, exclusive
from bigfast.store.read import parse_json, read_bytes, read_json, sha256_of

__all__ = [
    "MACHINE_LOCK",
    "Journal",
    "exclusive",
    "open_journal",
    "parse_json",
    "published_directory",
    "read_bytes",
    "read_json",
    "remove_journal",
    "sha256_of",
    "storage_errors",
    "write_bytes",
    "write_json",
    "write_text",
]
