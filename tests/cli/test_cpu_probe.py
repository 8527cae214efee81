"""``bigfast cpu --probe``, with figures made up: what is measured is tested where it is measured."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bigfast.cli.main import exit_code_of
from bigfast.errors import InputError
from bigfast.measure import Peak, Peaks, ThreadPeaks
from bigfast.store import exclusive

PEAKS = Peaks(
    at=(
        ThreadPeaks(
            threads=1,
            peaks={
                "fp32": Peak(operations_per_s=1e11, kernel="a: matmul", shape=(8, 9, 10)),
                "int8": Peak(operations_per_s=4e11, kernel="b: qmatmul", shape=(8, 9, 10)),
            },
            memory_bytes_per_s=3.21e10,
            missing={"bf16": "nobody offers it"},
            shapes=4,
        ),
    ),
    skipped={"c: broken": "it multiplies wrongly"},
)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(machine: Any, *, tell: Any) -> Peaks:
        tell(0.5, 1, "Probing with 1 thread: 8 x 9 x 10")
        return PEAKS

    monkeypatch.setattr("bigfast.measure.probe", told)


def test_the_probe_is_a_table_with_kernels_reasons_and_warnings(
    probed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(["cpu", "--probe"]) == 0

    printed = capsys.readouterr()
    lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    assert {
        "1 fp32 100 GOP/s a: matmul, (8 x 9) by (9 x 10)",
        "1 int8 400 GOP/s b: qmatmul, (8 x 9) by (9 x 10)",
        "1 bf16 - nobody offers it",
        "1 memory 32.1 GB/s copying, reads and writes",
        "c: broken it multiplies wrongly",
    } <= set(lines)
    assert any(line.startswith("warning: The kernels were tried on 4") for line in lines)
    assert "Probing with 1 thread" in printed.err


def test_the_probe_as_json_has_peaks_that_can_be_read_again(probed: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["cpu", "--probe", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert Peaks.from_json(found["peaks"]) == PEAKS
    assert any("4 of at least 5 shapes" in sentence for sentence in found["warnings"])


def test_a_saved_cpuinfo_cannot_be_probed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = exit_code_of(["cpu", "--probe", "--cpuinfo", str(tmp_path / "saved.txt")])

    assert (code, capsys.readouterr().err.count("\n")) == (InputError.exit_code, 1)


def test_a_machine_that_somebody_measures_on_is_not_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bigfast.measure.probing.MACHINE_LOCK", tmp_path / "lock")

    with exclusive(tmp_path / "lock", what="it"):
        code = exit_code_of(["cpu", "--probe"])

    assert (code, "is using this machine's clock" in capsys.readouterr().err) == (2, True)


def test_without_the_probe_no_runtime_is_loaded_and_nothing_that_measures() -> None:
    script = (
        "import sys\nfrom bigfast.cli.main import exit_code_of\nexit_code_of(['cpu'])\n"
        "heavy = {'torch', 'transformers', 'onnx', 'onnxruntime', 'bigfast.measure'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert told.stderr.strip() == "[]"


@pytest.mark.hardware
def test_a_whole_probe_takes_less_than_20_seconds_and_finds_every_peak() -> None:
    command = [sys.executable, "-m", "bigfast.cli", "cpu", "--probe", "--json"]

    start = time.monotonic()
    told = subprocess.run(command, capture_output=True, text=True, check=True)

    assert time.monotonic() - start < 20
    assert all(
        set(one.peaks) == {"fp32", "bf16", "int8"} for one in Peaks.from_json(json.loads(told.stdout)["peaks"]).at
    )
