"""What cannot be done is answered by every backend in one sentence that has the way out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from bigfast.backend import Backend, Options, Session, Weights, choose_variant, variant_name
from bigfast.cpu import detect
from bigfast.errors import BackendError, BackendMissing, BigfastError, InputError
from bigfast.measure import Deployment
from bigfast.profile import load_profile
from bigfast.space import BertShape
from bigfast_backends.onnx_runtime import OnnxRuntimeFp32, OnnxRuntimeInt8
from bigfast_backends.pytorch import TorchBf16, TorchFp32, TorchInt8
from bigfast_backends.torchao_int8 import TorchaoInt8

SHIPPED = Path(__file__).parents[2] / "profiles"
MACHINE = dataclasses.replace(detect(), usable_cores=2)
SMALL = BertShape(layers=1, hidden=24, ffn=32, heads=2, vocab=100, positions=16)
TORCH: list[Backend] = [TorchFp32(), TorchBf16(), TorchInt8()]
ONNX: list[Backend] = [OnnxRuntimeFp32(), OnnxRuntimeInt8()]
# torchao too, where it is not installed: an option is refused before its runtime is looked for.
ALL: list[Backend] = [*TORCH, *ONNX, TorchaoInt8()]


def prepared(backend: Backend, *, options: Options | None = None, threads: int = 1) -> Session:
    weights = Weights.random(SMALL, seed=0)
    return backend.prepare(weights, machine=MACHINE, threads=threads, options=options or {})


def one_sentence(error: BaseException) -> bool:
    return isinstance(error, BigfastError) and "\n" not in str(error)


@pytest.mark.parametrize("backend", ALL, ids=lambda backend: backend.name)
def test_an_unknown_option_is_answered_with_those_there_are(backend: Backend) -> None:
    names = [variant_name(options) for options in backend.variants(MACHINE)]
    way_out = "it has no options" if names == ["default"] else f"choose from {', '.join(names)}"

    with pytest.raises(InputError) as caught:
        prepared(backend, options={"speed": "high"})

    assert str(caught.value) == f"Backend {backend.name!r} has no variant 'speed=high' here: {way_out}"


@pytest.mark.parametrize("backend", ALL, ids=lambda backend: backend.name)
@pytest.mark.parametrize(
    ("threads", "words"),
    [
        (0, "At least 1 thread is needed, not 0"),
        (3, "3 threads were asked for, but only 2 cores may be used here: use --threads 2"),
    ],
)
def test_a_number_of_threads_that_cannot_be_is_answered_with_one_that_can(
    backend: Backend, threads: int, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        prepared(backend, threads=threads)

    assert str(caught.value) == words


@pytest.mark.parametrize("backend", [*TORCH, *ONNX], ids=lambda backend: backend.name)
def test_a_runtime_that_is_too_old_is_answered_with_the_one_that_is_needed(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.9.1")

    with pytest.raises(
        BackendMissing, match=r"'.*' cannot be used here: \w+ 0\.9\.1 is too old.*pip install"
    ) as caught:
        prepared(backend)

    assert one_sentence(caught.value)


@pytest.mark.parametrize("backend", TORCH, ids=lambda backend: backend.name)
def test_a_model_beyond_the_reach_of_torch_is_answered_with_what_to_try(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] this shape is not supported\nException raised from somewhere")

    monkeypatch.setattr("bigfast_backends.pytorch_session.stock_model", refuse)

    with pytest.raises(BackendError, match=r"refuses this model .*not supported.*: try another variant") as caught:
        prepared(backend)

    assert one_sentence(caught.value)


@pytest.mark.parametrize("backend", ONNX, ids=lambda backend: backend.name)
def test_an_operator_that_onnxruntime_lacks_is_a_backend_error(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise RuntimeError("Could not find an implementation for FusedMatMul(1) node")

    monkeypatch.setattr(onnxruntime, "InferenceSession", lacking)

    with pytest.raises(BackendError, match="refuses the model: Could not find an implementation for FusedMatMul"):
        prepared(backend)


def test_an_operator_that_torch_lacks_at_its_first_call_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise NotImplementedError("Could not run 'aten::linear' with arguments from the 'CPU' backend\nmore")

    session = prepared(TorchFp32())
    monkeypatch.setattr(torch.nn.functional, "linear", lacking)
    ids = np.ones((1, 4), dtype=np.int64)

    with pytest.raises(BackendError, match="failed: Could not run 'aten::linear'") as caught:
        session.run(ids, ids)

    assert one_sentence(caught.value)


@pytest.mark.parametrize("directory", sorted(SHIPPED.glob("*/")), ids=lambda directory: directory.name)
def test_every_key_of_a_shipped_profile_still_names_the_variant_that_was_measured(directory: Path) -> None:
    profile = load_profile(directory)
    backends = {backend.name: backend for backend in ALL}

    for key in profile.keys:
        deployment = Deployment.parse(key)
        found = choose_variant(backends[deployment.backend], dict(deployment.options), profile.machine)
        assert str(Deployment.of(deployment.backend, found, threads=deployment.threads)) == key
