"""torchao is an extra: what can be said without it, and with it that it passes the suite."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from bigfast.backend import Weights
from bigfast.backend.stock import stock_model
from bigfast.cpu import detect
from bigfast.errors import BackendMissing
from bigfast.space import BertShape
from bigfast.testing import BackendSuite
from bigfast_backends.torchao_int8 import TorchaoInt8

SMALL = BertShape(layers=2, hidden=132, ffn=152, heads=12, vocab=200, positions=64)
installed = pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="torchao is an extra")


@installed
class TestTorchao(BackendSuite):
    backend = TorchaoInt8()


def prepare() -> None:
    TorchaoInt8().prepare(Weights.random(SMALL, seed=0), machine=detect(), threads=1, options={})


def test_a_missing_torchao_is_told_with_the_extra_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(BackendMissing, match=r"torchao is not installed: pip install 'bigfast\[torchao\]'"):
        prepare()


@installed
def test_a_torchao_that_is_too_old_is_told_with_the_version_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.12.0")

    with pytest.raises(BackendMissing, match=r"torchao 0\.12\.0 is too old, 0\.14 is needed: pip install 'bigfast"):
        prepare()


def test_it_says_that_it_is_experimental() -> None:
    assert "experimental" in TorchaoInt8().kernels(detect())


def test_making_it_loads_neither_torchao_nor_torch() -> None:
    program = (
        "import sys; from bigfast_backends.torchao_int8 import TorchaoInt8; from bigfast.cpu import detect\n"
        "backend = TorchaoInt8(); backend.available(); backend.variants(detect()); backend.kernels(detect())\n"
        "print({'torch', 'torchao'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@installed
def test_all_products_are_int8_and_the_table_of_words_is_shared() -> None:
    from bigfast_backends.torchao_session import quantized

    weights = Weights.random(SMALL, seed=0)
    session = TorchaoInt8().prepare(weights, machine=detect(), threads=1, options={})
    model = quantized(stock_model(weights))

    table = model.get_parameter("bert.embeddings.word_embeddings.weight").detach().numpy()
    assert np.shares_memory(table, weights.arrays["bert.embeddings.word_embeddings.weight"])
    assert session.evidence()["aten::_int_mm"] == str(6 * SMALL.layers + 2)  # and pooler and classifier
