"""The scripts that a model's card gives run as they stand, each with its runtime."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bigfast.backend import find_backend, read_stock
from bigfast.cpu import detect
from bigfast.data import load_tokenizer
from bigfast.deploy.export import Target, export_model

LABELS = ("entailment", "neutral", "contradiction")
with_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


def about() -> dict[str, Any]:
    return {
        "arch": "e=2",
        "heads": 2,
        "parameters": 1000,
        "limit_ms": 5.0,
        "data": "tiny",
        "teacher": "tiny",
        "machine": detect().to_json(),
        "protocol": {"batch": 1, "length": 16},
        "accuracy": {"n": 1, "float32": 0.5, "before": 0.5, "int8": 0.5, "dev": None, "dev_n": None},
        "latency": {
            "p50_s": 0.004, "p50_low_s": 0.004, "p50_high_s": 0.004, "calls": 9, "blocks": 3, "processes": 3,
            "holds": True,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "options", "scripts"),
    [
        ("torch-int8", {"engine": "x86", "weights": "channel"}, ["torch"]),
        ("onnxruntime-int8", {"recipe": "linear"}, ["onnxruntime", "torch"]),
        pytest.param("openvino-int8", {"recipe": "static"}, ["openvino", "torch"], marks=with_openvino),
        pytest.param(
            "openvino-int8", {"recipe": "static", "shapes": "fixed"}, ["openvino", "torch"], marks=with_openvino
        ),
    ],
    ids=str,
)
def test_every_script_on_the_card_runs_and_names_a_class(
    tiny: Any, tmp_path: Path, backend: str, options: Mapping[str, str], scripts: list[str]
) -> None:
    stock = read_stock(tiny.teacher)
    directory = tmp_path / "model"
    export_model(
        stock.weights,
        directory,
        labels=LABELS,
        tokenizer=load_tokenizer(tiny.teacher),
        targets=[Target(backend=find_backend(backend), options=options, threads=1)],
        machine=detect(),
        about=about(),
    )

    found = re.findall(r"```python\n(.*?)```", (directory / "README.md").read_text(), re.DOTALL)

    assert [
        next(name for name in ("onnxruntime", "openvino", "torch") if name in script) for script in found
    ] == scripts
    for script in found:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], cwd=directory, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() in LABELS
