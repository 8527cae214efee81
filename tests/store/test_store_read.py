from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bigfast.errors import InputError, ProfileError
from bigfast.store import parse_json, read_bytes, read_json, sha256_of


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "[-1e999]"])
def test_numbers_that_json_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        parse_json(text)


def test_deep_nesting_is_refused_without_a_crash() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json("[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a": NaN}', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"a": ' * 100_000, "not valid JSON"),
        (b"[1, 2]", "a JSON object, not list"),
        (b"3", "a JSON object, not int"),
    ],
)
def test_a_hostile_json_file_is_an_error_of_the_kind_asked_for(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.json").write_bytes(content)

    with pytest.raises(ProfileError, match=words):
        read_json(tmp_path / "a.json", error=ProfileError)


def test_a_json_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, "ä", null, true]}')

    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, "ä", None, True]}


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(33 * 2**20)  # sparse

    with pytest.raises(InputError, match="34,603,008 bytes, more than the 33,554,432"):
        read_json(tmp_path / "a")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json does not exist"):
        read_bytes(tmp_path / "gone.json", at_most=10)


def test_neither_a_directory_nor_a_pipe_is_read(tmp_path: Path) -> None:
    """Reading a pipe that nobody writes would never end."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="not a regular file"):
            read_bytes(path, at_most=10)


def test_the_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
