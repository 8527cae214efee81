from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bigfast.cpu import detect
from bigfast.measure import ColdStart, Comparison, Deployment, Row, Size
from bigfast.measure.statistics import summarise
from bigfast.report import write_backends, write_report
from bigfast.report.run_directory import read_run


def row(model: str, name: str, p50_s: float, *, cold: bool = True, reason: str = "") -> Row:
    deployment = Deployment.parse(name)
    start = ColdStart(
        runtime_s=1.5, first_logits_s=0.08, growth_bytes=2**20, resident_bytes=50 * 2**20, file_bytes=2**21,
        float32_bytes=2**23,
    )  # fmt: skip
    return Row(
        model=model,
        deployment=deployment,
        precision=deployment.backend.rpartition("-")[2],
        timing=None if reason else summarise([[p50_s, 1.1 * p50_s]] * 4, rejected=0),
        share_of_peak=0.55,
        disagreement=0.02,
        cold=start if cold and not reason else None,
        evidence={},
        reason=reason,
    )


@pytest.fixture
def comparison() -> Comparison:
    rows = [
        row("small", "a-int8:engine=x86@1", 0.002),
        row("small", "a-int8:engine=x86@2", 0.001, cold=False),
        row("small", "a-fp32@1", 0.004),
        row("small", "b-bf16@1", 0.004, reason="it needs <bf16> instructions"),
        row("large", "a-int8:engine=x86@1", 0.02),
        row("large", "a-fp32@1", 0.04),
    ]
    return Comparison(machine=detect(), size=Size(), models={"small": "1 layer", "large": "5 layers"}, rows=tuple(rows))


def test_the_page_has_the_advice_every_row_and_a_figure(comparison: Comparison, tmp_path: Path) -> None:
    page = write_backends(comparison, tmp_path / "new" / "here").read_text()

    assert comparison.advice in page
    assert page.count("<svg") == 1
    assert page.count("a-int8:engine=x86, 1 thread") == 2
    assert "it needs &lt;bf16&gt; instructions" in page
    assert (tmp_path / "new" / "here" / "backends.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_beside_the_page_are_those_of_the_comparison(comparison: Comparison, tmp_path: Path) -> None:
    write_backends(comparison, tmp_path)

    assert json.loads((tmp_path / "backends.json").read_text()) == comparison.to_json()


def test_a_run_shows_the_comparison_that_lies_in_it(run: Path, comparison: Comparison) -> None:
    before = write_report(run).read_text()
    write_backends(comparison, run)

    after = write_report(run).read_text()

    assert "Every backend side by side" not in before
    assert "Every backend side by side" in after
    assert comparison.advice in after


def test_a_comparison_that_cannot_be_read_is_a_problem_of_the_page(
    run: Path, comparison: Comparison, change: Callable[[Path, Callable[[dict[str, Any]], object]], None]
) -> None:
    write_backends(comparison, run)
    change(run / "backends.json", lambda document: document["rows"][0]["timing"].update(p50_s=-1))

    found = read_run(run)

    assert found.backends is None
    assert "backends.json is wrong at 'rows.0.timing.p50_s'" in found.problems[0]
