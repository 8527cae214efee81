from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigfast.errors import InputError
from bigfast.report.run_directory import read_run

Change = Callable[[Path, Callable[[dict[str, Any]], object]], None]


def test_nothing_of_a_finished_run_is_missing(finished: Path) -> None:
    run = read_run(finished)

    assert (run.missing, run.problems) == ((), ())


def test_a_run_that_has_only_begun_names_all_that_is_missing(begun: Path) -> None:
    assert read_run(begun).missing == ("data and teacher", "profile", "supermodel", "search", "promise and export")


def test_each_limit_of_the_search_finds_its_model(finished: Path) -> None:
    run = read_run(finished)

    assert run.search is not None
    assert [run.model_for(found) for found in run.search.limits] == list(run.models)


def test_a_model_missing_for_one_limit_is_missing(run: Path) -> None:
    shutil.rmtree(run / "models" / "limit-1")

    assert read_run(run).missing == ("promise and export",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("task.json", "{"),
        ("search.json", '{"key": "torch-int8:x", "rows": 0}'),
        ("search.json", '{"key": "torch-int8:x", "rows": 5, "limits": [{"limit_s": -1}]}'),
        ("stages.json", '{"stages": 3}'),
        ("models/limit-0/bigfast.json", '{"format": "other", "backend": "x", "arch": "e=1"}'),
        ("profile/profile.json", "{}"),
    ],
)
def test_a_damaged_file_is_named_without_where_it_lies(run: Path, name: str, content: str) -> None:
    (run / name).write_text(content)

    problems = read_run(run).problems

    assert len(problems) == 1
    assert name in problems[0]
    assert str(run) not in problems[0]


def test_fields_of_a_later_version_are_ignored(run: Path, change: Change) -> None:
    change(run / "search.json", lambda document: document.update(later={"a": 1}))

    assert read_run(run).problems == ()


def test_a_saved_profile_is_read_from_where_it_lies(run: Path, tmp_path: Path, change: Change) -> None:
    (run / "profile").rename(tmp_path / "elsewhere")
    change(run / "run.json", lambda document: document["config"].update(profile=str(tmp_path / "elsewhere")))

    assert read_run(run).profile is not None


def test_a_saved_profile_that_is_gone_is_a_problem_and_no_missing_stage(
    run: Path, tmp_path: Path, change: Change
) -> None:
    shutil.rmtree(run / "profile")
    change(run / "run.json", lambda document: document["config"].update(profile=str(tmp_path / "gone")))

    found = read_run(run)

    assert found.missing == ()
    assert "which is not there" in found.problems[0]


def test_a_directory_that_is_no_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not the directory of a run: it has no run\.json; make one with"):
        read_run(tmp_path)


@pytest.mark.parametrize("other", [{"format": "bigfast.model"}, {"schema_version": 2}])
def test_a_run_of_another_version_is_refused(begun: Path, change: Change, other: dict[str, object]) -> None:
    change(begun / "run.json", lambda document: document.update(other))

    with pytest.raises(InputError, match=r"this bigfast reads bigfast\.run 1: update bigfast"):
        read_run(begun)
