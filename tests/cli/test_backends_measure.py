"""``bigfast backends --measure`` on one real runtime; the machine's peaks are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigfast.cli.main import exit_code_of
from bigfast.measure import Peak, Peaks, ThreadPeaks

PEAKS = Peaks(
    at=(
        ThreadPeaks(
            threads=1,
            peaks={"int8": Peak(operations_per_s=1e15, kernel="a: qmatmul", shape=(8, 9, 10))},
            memory_bytes_per_s=None,
            missing=dict.fromkeys(("fp32", "bf16", "memory"), "not asked"),
            shapes=5,
        ),
    )
)
OPTIONS = ["--threads", "1", "--rounds", "2", "--length", "16"]


@pytest.fixture(autouse=True)
def probed(monkeypatch: pytest.MonkeyPatch, own_lock: None) -> None:
    def told(machine: Any, *, tell: Any) -> Peaks:
        return PEAKS

    monkeypatch.setattr("bigfast.measure.probe", told)


def test_both_precisions_are_timed_and_the_advice_follows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    both = ["--backend", "onnxruntime-int8", "--backend", "onnxruntime-fp32"]

    assert exit_code_of(["backends", "--measure", *both, *OPTIONS, "--out", str(tmp_path / "here")]) == 0

    printed = capsys.readouterr().out
    assert "The small model: 1 layer, hidden 120, FFN 128, 12 heads; 16 tokens" in printed
    assert printed.count("onnxruntime-int8:recipe=linear@1 ") == 3
    found = json.loads((tmp_path / "here" / "backends.json").read_text())
    assert found["advice"] in printed
    assert f"Page written to {tmp_path / 'here' / 'backends.html'}" in printed
    assert {row["share_of_peak"] is None for row in found["rows"] if row["precision"] == "fp32"} == {True}


def test_with_json_there_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["backends", "--measure", "--backend", "onnxruntime-int8", *OPTIONS, "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in document["rows"]] == ["small", "middle", "large"]
    assert 0 < document["rows"][2]["share_of_peak"] < 1


def test_an_unknown_backend_is_refused_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["backends", "--measure", "--backend", "onnxruntime-int9"]) == 2

    assert "did you mean" in capsys.readouterr().err
