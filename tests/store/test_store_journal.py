from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bigfast.errors import Busy, InputError, StorageError
from bigfast.store import exclusive, open_journal, remove_journal

HOLDER = """
import sys, time
from pathlib import Path
from bigfast.store import open_journal
with open_journal(Path(sys.argv[1])) as journal:
    journal.append("step", {"n": 1})
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that has written one entry into a journal and keeps it open."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_entries_survive_reopening_in_order_and_by_kind(tmp_path: Path) -> None:
    for numbers in ((1, 2), (3,)):
        with open_journal(tmp_path / "j") as journal:
            for n in numbers:
                journal.append("step", {"n": n, "x": [0.1, None, "ä"]})
                journal.append("other", {})

    with open_journal(tmp_path / "j") as journal:
        assert [e["n"] for e in journal.entries("step")] == [1, 2, 3]
        assert journal.first("step") == {"n": 1, "x": [0.1, None, "ä"]}
        assert journal.first("nothing") is None


def test_a_journal_of_a_newer_format_is_refused_each_time(tmp_path: Path) -> None:
    """Looking at it must not stamp it with our own format."""
    with closing(sqlite3.connect(tmp_path / "j")) as db:
        db.execute("PRAGMA user_version=7")

    for _ in range(2):
        with pytest.raises(InputError, match="newer bigfast"), open_journal(tmp_path / "j"):
            pass


@pytest.mark.parametrize(
    "content", [b"this is not a database, but it is long enough" * 50, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_file_that_is_no_journal_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j").write_bytes(content)

    with pytest.raises(InputError, match="not a journal of bigfast"), open_journal(tmp_path / "j"):
        pass

    assert (tmp_path / "j").read_bytes() == content


@pytest.mark.parametrize("text", ["{", '{"n": NaN}'])
def test_a_damaged_entry_is_an_input_error(tmp_path: Path, text: str) -> None:
    with open_journal(tmp_path / "j"):
        pass
    with closing(sqlite3.connect(tmp_path / "j")) as db:
        db.execute("INSERT INTO entries (kind, value) VALUES ('step', ?)", (text,))
        db.commit()

    with pytest.raises(InputError, match="damaged"), open_journal(tmp_path / "j") as journal:
        list(journal.entries("step"))


def test_a_journal_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()

    with pytest.raises(StorageError), open_journal(tmp_path / "j"):
        pass


def test_nothing_that_is_not_json_enters_a_journal(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j") as journal:
        with pytest.raises(ValueError, match="JSON"):
            journal.append("step", {"x": float("nan")})

        assert list(journal.entries("step")) == []


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    process = hold(tmp_path / "j")

    try:
        with pytest.raises(Busy, match=f"Process {process.pid} is using"), open_journal(tmp_path / "j"):
            pass
    finally:
        end(process)


def test_a_killed_writer_leaves_what_it_wrote_and_no_lock(tmp_path: Path) -> None:
    end(hold(tmp_path / "j"))

    with open_journal(tmp_path / "j") as journal:
        assert list(journal.entries("step")) == [{"n": 1}]


def test_a_lock_is_free_again_after_an_error_in_its_block(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(tmp_path / "l", what="it"):
        raise RuntimeError

    with exclusive(tmp_path / "l", what="it"):
        assert (tmp_path / "l").read_text() == str(os.getpid())


def test_a_removed_journal_leaves_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j") as journal:
        journal.append("step", {})

    remove_journal(tmp_path / "j")

    assert not list(tmp_path.iterdir())
