from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bigfast.errors import InputError
from bigfast.report import write_report

SPACE = "\xa0"


class Parsed(HTMLParser):
    """All tags with their attributes, and the text, of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace(SPACE, " ").split())


def page_of(directory: Path) -> Parsed:
    return Parsed(write_report(directory).read_text())


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def test_a_finished_run_has_every_section_and_no_notice(run: Path) -> None:
    page = page_of(run)

    for title in ("The result", "Run the models", "The search", "Does int8 pay here?", "Predicted against measured",
                  "The machine", "Teacher and data", "Where the time went"):  # fmt: skip
        assert title in page.text
    assert "notice" not in page.values("class")


def test_each_limit_is_answered_in_one_sentence(run: Path) -> None:
    model = json.loads((run / "models" / "limit-0" / "bigfast.json").read_text())

    text = page_of(run).text

    assert re.search(
        rf"Within 3 ms on this CPU: {model['arch']} {model['accuracy']['dev']:.1%}".replace("%", " %")
        + r" on 3,000 development rows \(median [\d.]+ ms \[[\d.]+, [\d.]+\]; in float32 it would take about [\d.]+ ms",
        text,
    )


def test_nothing_is_fetched_and_nothing_runs(run: Path) -> None:
    page = page_of(run)

    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "embed"}
    assert {value for name in ("href", "xlink:href", "src") for value in page.values(name) if value[0] != "#"} == {
        "data:,"
    }
    assert "url(http" not in write_report(run).read_text()


def test_ids_are_distinct_and_every_reference_finds_its_own(run: Path) -> None:
    page = page_of(run)
    ids = page.values("id")
    asked = {value[1:] for value in page.values("xlink:href")}
    asked |= set(re.findall(r"url\(#([^)]+)\)", write_report(run).read_text()))

    assert len(ids) == len(set(ids))
    assert asked and asked <= set(ids)


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_run_that_has_only_begun_shows_its_machine_and_what_is_missing(begun: Path) -> None:
    text = page_of(begun).text

    assert "Still missing: data and teacher, profile, supermodel, search, promise and export" in text
    assert "AVX512-VNNI: U8S8 kernels without saturation" in text


def test_a_run_without_models_shows_the_winners_of_the_search(run: Path) -> None:
    shutil.rmtree(run / "models")

    text = page_of(run).text

    assert "Still missing: promise and export" in text
    assert "on 2,000 validation rows (before post-training; median" in text


def test_a_model_missing_for_one_limit_is_missing(run: Path) -> None:
    shutil.rmtree(run / "models" / "limit-1")

    assert "Still missing: promise and export" in page_of(run).text


def test_models_without_a_search_are_shown(run: Path) -> None:
    (run / "search.json").unlink()

    text = page_of(run).text

    assert "Within 3 ms on this CPU" in text
    assert "Still missing: search" in text


def test_a_broken_promise_is_said(run: Path) -> None:
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document["latency"].update(holds=False))

    assert "Measured, it does not hold the limit." in page_of(run).text


def test_a_limit_that_does_not_bind_is_said(run: Path) -> None:
    change(run / "search.json", lambda document: document["limits"][1].update(binds=False))

    assert "this limit does not bind" in page_of(run).text


def test_a_limit_without_a_winner_is_no_error(run: Path) -> None:
    shutil.rmtree(run / "models")
    change(run / "search.json", lambda document: document["limits"][0].update(winner=None, measured=[], evaluations=[]))

    assert "Within 3 ms on this CPU: nothing found yet" in page_of(run).text


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
def test_a_damaged_file_is_named_and_the_rest_is_shown(run: Path, name: str, content: str) -> None:
    (run / name).write_text(content)

    text = page_of(run).text

    assert name in text
    assert str(run) not in text
    assert "The machine" in text


def test_what_a_file_says_is_text_and_never_markup(run: Path) -> None:
    evil = "<script>alert(1)</script>"
    change(run / "task.json", lambda document: document.update(data=evil, notes=[evil], labels=[evil]))
    change(run / "search.json", lambda document: document["limits"][0]["evaluations"][0].update(arch=evil))
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document.update(arch=evil, backend=evil))

    page = page_of(run)

    assert "script" not in {tag for tag, _ in page.tags}
    assert evil in page.text


def test_fields_of_a_later_version_are_ignored(run: Path) -> None:
    change(run / "search.json", lambda document: document.update(later={"a": 1}))

    assert "notice" not in page_of(run).values("class")


def test_a_saved_profile_is_read_from_where_it_lies(run: Path, tmp_path: Path) -> None:
    (run / "profile").rename(tmp_path / "elsewhere")
    change(run / "run.json", lambda document: document["config"].update(profile=str(tmp_path / "elsewhere")))

    assert "Does int8 pay here?" in page_of(run).text


def test_a_saved_profile_that_is_gone_is_said(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "profile")
    change(run / "run.json", lambda document: document["config"].update(profile=str(tmp_path / "gone")))

    assert "which is not there" in page_of(run).text


def test_a_model_on_onnxruntime_is_run_from_its_own_file(run: Path) -> None:
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document.update(backend="onnxruntime-int8"))

    assert 'InferenceSession("models/limit-0/onnxruntime-int8/model.onnx")' in page_of(run).text


def test_a_directory_that_is_no_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not the directory of a run: it has no run\.json; make one with"):
        write_report(tmp_path)


@pytest.mark.parametrize("change_to", [{"format": "bigfast.model"}, {"schema_version": 2}])
def test_a_run_of_another_version_is_refused(begun: Path, change_to: dict[str, object]) -> None:
    change(begun / "run.json", lambda document: document.update(change_to))

    with pytest.raises(InputError, match=r"this bigfast reads bigfast\.run 1: update bigfast"):
        write_report(begun)


def test_reporting_loads_neither_torch_nor_pyplot() -> None:
    code = (
        "import sys, bigfast.report; print(sorted({'torch', 'matplotlib.pyplot', 'transformers'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
