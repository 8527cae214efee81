from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bigfast.report import write_report

Change = Callable[[Path, Callable[[dict[str, Any]], object]], None]


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
        return " ".join(" ".join(self.words).replace("\xa0", " ").split())


def page_of(directory: Path) -> Parsed:
    return Parsed(write_report(directory).read_text())


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    """The page of a finished run."""
    return write_report(finished).read_text()


def test_a_finished_run_has_every_section_and_no_notice(page: str) -> None:
    parsed = Parsed(page)

    for title in ("The result", "Run the models", "The search", "Does int8 pay here?", "Predicted against measured",
                  "The machine", "Teacher and data", "Where the time went"):  # fmt: skip
        assert title in parsed.text
    assert "notice" not in parsed.values("class")


def test_each_limit_is_answered_in_one_sentence(page: str) -> None:
    assert re.search(
        r"Within 3 ms on this CPU: e=\d h=\d+ f=\d+ [\d.]+ % on 3,000 development rows "
        r"\(median [\d.]+ ms \[[\d.]+, [\d.]+\]; in float32 it would take about [\d.]+ ms on torch-fp32, 1 thread\)\.",
        Parsed(page).text,
    )


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    parsed = Parsed(page)
    asked = {value for name in ("href", "xlink:href", "src") for value in parsed.values(name) if value[0] != "#"}

    assert not {tag for tag, _ in parsed.tags} & {"script", "img", "iframe", "object", "embed"}
    assert asked == {"data:,"}
    assert not re.search(r"url\((?!#)|@import", page)


def test_ids_are_distinct_and_every_reference_finds_its_own(page: str) -> None:
    ids = Parsed(page).values("id")
    asked = {value[1:] for value in Parsed(page).values("xlink:href")} | set(re.findall(r"url\(#([^)]+)\)", page))

    assert len(ids) == len(set(ids))
    assert asked
    assert asked <= set(ids)


def test_every_figure_has_a_caption_and_an_alt_text(page: str) -> None:
    parsed = Parsed(page)
    pictures = [attributes for tag, attributes in parsed.tags if tag == "svg"]

    assert len(pictures) == 9
    assert all(picture["aria-label"] and picture["role"] == "img" for picture in pictures)
    assert sum(tag == "figcaption" for tag, _ in parsed.tags) == 9


def test_the_same_run_gives_the_same_page(page: str, finished: Path) -> None:
    assert write_report(finished).read_text() == page


def test_a_run_that_has_only_begun_shows_its_machine_and_what_is_missing(begun: Path) -> None:
    text = page_of(begun).text

    assert "Still missing: data and teacher, profile, supermodel, search, promise and export" in text
    assert "AVX512-VNNI: U8S8 kernels without saturation" in text


def test_a_run_without_a_profile_shows_its_search(run: Path) -> None:
    shutil.rmtree(run / "profile")

    text = page_of(run).text

    assert "The search" in text
    assert "Still missing: profile" in text


def test_a_broken_promise_and_a_limit_that_does_not_bind_are_said(run: Path, change: Change) -> None:
    shutil.rmtree(run / "profile")
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document["latency"].update(holds=False))
    change(run / "search.json", lambda document: document["limits"][1].update(binds=False))

    text = page_of(run).text

    assert "Measured, it does not hold the limit." in text
    assert "this limit does not bind" in text


def test_a_limit_without_any_evaluation_is_no_error(run: Path, change: Change) -> None:
    for name in ("profile", "models"):
        shutil.rmtree(run / name)
    nothing = {"winner": None, "measured": [], "evaluations": []}
    change(run / "search.json", lambda document: [limit.update(nothing) for limit in document["limits"]])

    assert "Within 3 ms on this CPU: nothing found yet." in page_of(run).text


def test_what_a_file_says_is_text_and_never_markup(run: Path, change: Change) -> None:
    evil = "<script>alert(1)</script>"
    shutil.rmtree(run / "profile")
    change(run / "task.json", lambda document: document.update(data=evil, notes=[evil], labels=[evil]))
    change(run / "search.json", lambda document: document["limits"][0]["evaluations"][0].update(arch=evil))
    change(run / "models" / "limit-0" / "bigfast.json", lambda document: document.update(arch=evil, backend=evil))

    parsed = page_of(run)

    assert "script" not in {tag for tag, _ in parsed.tags}
    assert evil in parsed.text


def test_reporting_loads_neither_torch_nor_pyplot() -> None:
    code = (
        "import sys, bigfast.report; print(sorted({'torch', 'matplotlib.pyplot', 'transformers'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
