from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bigfast.errors import StorageError
from bigfast.store import published_directory, storage_errors, write_bytes, write_json, write_text


def fail_with(code: int) -> object:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, call, fail_with(code))

    with pytest.raises(StorageError):
        write_text(tmp_path / "a.txt", "new")

    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.txt": "old"}


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    write_bytes(tmp_path / "deep" / "a.bin", b"a long first content")

    write_bytes(tmp_path / "deep" / "a.bin", b"short")

    assert [(p.name, p.read_bytes()) for p in (tmp_path / "deep").iterdir()] == [("a.bin", b"short")]


def test_a_written_file_can_be_read_by_everybody(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"")

    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_number_for_is_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": value})

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "No room to write"), (errno.EROFS, "Cannot write"), (errno.EACCES, "Cannot write")],
)
def test_a_storage_error_says_what_is_wrong_with_which_path(tmp_path: Path, code: int, words: str) -> None:
    with pytest.raises(StorageError, match=f"{words} .*here"), storage_errors(tmp_path / "here"):
        raise OSError(code, os.strerror(code))


def test_a_file_where_a_directory_should_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_a_published_directory_replaces_the_old_one_whole(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with published_directory(tmp_path / "out") as place:
            (place / "sub").mkdir()
            (place / "sub" / name).write_text(name)

    assert [p.name for p in (tmp_path / "out" / "sub").iterdir()] == ["second"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_directory_that_could_not_be_filled_leaves_the_old_one(tmp_path: Path, error: type[BaseException]) -> None:
    with published_directory(tmp_path / "out") as place:
        (place / "a").write_text("old")

    with pytest.raises((error, StorageError)), published_directory(tmp_path / "out") as place:
        (place / "a").write_text("new")
        raise error

    assert (tmp_path / "out" / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_failure_between_the_two_renames_puts_the_old_directory_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with published_directory(tmp_path / "out") as place:
        (place / "a").write_text("old")
    rename, calls = os.rename, []

    def second_fails(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises((KeyboardInterrupt, StorageError)), published_directory(tmp_path / "out") as place:
        (place / "a").write_text("new")

    assert (tmp_path / "out" / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
