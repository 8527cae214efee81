from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bigfast.backend import Backend, IntArray, Options, Session, Weights, disagreement, reference_logits
from bigfast.cpu import Machine, detect
from bigfast.errors import BackendError, BackendMissing, InputError
from bigfast.space import BertShape, aligned_space, paper_space
from bigfast_backends import pytorch
from bigfast_backends.pytorch import TorchFp32, TorchInt8

VOCAB, LENGTH = 200, 24
SMALL = BertShape(layers=2, hidden=132, ffn=152, heads=12, vocab=VOCAB, positions=64)
MACHINE = detect()
INT8 = [
    options
    for options in TorchInt8().variants(MACHINE)
    if options["engine"] in torch.backends.quantized.supported_engines
]


def texts(seed: int, *, batch: int = 3) -> tuple[IntArray, IntArray, IntArray]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, VOCAB, (batch, LENGTH))
    mask = np.ones_like(ids)
    for row in range(1, batch):
        mask[row, rng.integers(1, LENGTH) :] = 0
    return ids, mask, rng.integers(0, 2, ids.shape)


def prepared(backend: Backend, weights: Weights, options: Options | None = None, *, threads: int = 1) -> Session:
    return backend.prepare(weights, machine=MACHINE, threads=threads, options=options or {})


def random_shapes(count: int) -> list[BertShape]:
    """Some of the paper's architectures and of the aligned ones, small ends included."""
    rng = np.random.default_rng(11)
    shapes = []
    for space in (paper_space(), aligned_space()):
        archs = [space.space.smallest, *(space.space.sample(rng) for _ in range(count))]
        shapes += [space.shape(arch, vocab=VOCAB, positions=64, labels=3) for arch in archs]
    return shapes


@pytest.mark.parametrize(
    ("backend", "options"), [(TorchFp32(), {}), *((TorchInt8(), options) for options in INT8)], ids=str
)
def test_answers_lie_within_the_stated_bound_over_the_spaces(backend: Backend, options: Options) -> None:
    worst = 0.0
    for number, shape in enumerate(random_shapes(1)):
        weights = Weights.random(shape, seed=number)
        session = prepared(backend, weights, options)
        for ids, mask, types in (texts(number), texts(number, batch=1)):
            found = disagreement(session.run(ids, mask, types), reference_logits(weights, ids, mask, types))
            worst = max(worst, found)

    assert worst <= backend.bound


def test_padding_does_not_change_what_a_text_is_answered() -> None:
    session = prepared(TorchFp32(), Weights.random(SMALL, seed=0))
    ids, _, types = texts(1, batch=1)
    alone = session.run(ids, np.ones_like(ids), types)

    padded_ids = np.concatenate([ids, np.full((1, 17), 7)], axis=1)
    padded = session.run(
        padded_ids,
        np.concatenate([np.ones_like(ids), np.zeros((1, 17), dtype=np.int64)], axis=1),
        np.concatenate([types, np.ones((1, 17), dtype=np.int64)], axis=1),
    )

    assert np.abs(padded - alone).max() < 1e-5


@pytest.mark.parametrize("backend", [TorchFp32(), TorchInt8()], ids=lambda b: b.name)
def test_missing_types_mean_the_first_segment(backend: Backend) -> None:
    session = prepared(backend, Weights.random(SMALL, seed=0))
    ids, mask, _ = texts(2)

    assert np.array_equal(session.run(ids, mask), session.run(ids, mask, np.zeros_like(ids)))


def test_a_session_sets_its_own_number_of_threads_before_each_call() -> None:
    weights = Weights.random(SMALL, seed=0)
    one, two = (prepared(TorchFp32(), weights, threads=threads) for threads in (1, 2))
    ids, mask, types = texts(3)

    seen = []
    for session in (one, two, one):
        session.run(ids, mask, types)
        seen.append(torch.get_num_threads())

    assert seen == [1, 2, 1]


@pytest.mark.parametrize("backend", [TorchFp32(), TorchInt8()], ids=lambda b: b.name)
def test_a_closed_session_refuses_to_answer(backend: Backend) -> None:
    session = prepared(backend, Weights.random(SMALL, seed=0))
    session.close()

    with pytest.raises(BackendError, match="closed"):
        session.run(*texts(0))


@pytest.mark.parametrize(
    ("backend", "options", "words"),
    [
        (TorchFp32(), {"engine": "x86"}, "'torch-fp32' has no variant 'engine=x86' here: it has no options"),
        (TorchInt8(), {"engine": "warp"}, "'torch-int8' has no variant 'engine=warp' here: choose from engine="),
        (TorchInt8(), {"speed": "high"}, "has no variant 'speed=high' here"),
    ],
)
def test_an_unknown_option_is_answered_with_those_there_are(backend: Backend, options: Options, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prepared(backend, Weights.random(SMALL, seed=0), options)


def test_an_engine_that_this_torch_lacks_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TorchInt8, "variants", lambda self, machine: ({"engine": "warp"},))

    with pytest.raises(BackendError, match="no quantization engine 'warp': choose from"):
        prepared(TorchInt8(), Weights.random(SMALL, seed=0))


def test_a_torch_without_dynamic_quantization_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")

    with pytest.raises(BackendError, match="no longer has quantize_dynamic: use --backend onnxruntime-int8"):
        prepared(TorchInt8(), Weights.random(SMALL, seed=0))


@pytest.mark.parametrize("backend", [TorchFp32(), TorchInt8()], ids=lambda b: b.name)
def test_a_missing_torch_is_told_and_not_an_import_error(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch.importlib.util, "find_spec", lambda name: None)

    assert not backend.available().usable
    with pytest.raises(BackendMissing, match="pip install torch"):
        prepared(backend, Weights.random(SMALL, seed=0))


def test_all_linear_layers_are_quantized() -> None:
    evidence = prepared(TorchInt8(), Weights.random(SMALL, seed=0), INT8[0]).evidence()

    assert evidence["engine"] == INT8[0]["engine"]
    assert evidence["quantized linear layers"] == str(6 * SMALL.layers + 2)  # and pooler and classifier


@pytest.mark.parametrize("backend", [TorchFp32(), TorchInt8()], ids=lambda b: b.name)
def test_nothing_but_the_stock_directory_is_needed_to_deploy(backend: Backend, tmp_path: Path) -> None:
    assert prepared(backend, Weights.random(SMALL, seed=0)).save(tmp_path) == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", [TorchFp32(), TorchInt8()], ids=lambda b: b.name)
def test_the_environment_holds_the_runtime_to_its_threads(backend: Backend) -> None:
    assert backend.environment(3)["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("backend", [TorchFp32(), TorchInt8()], ids=lambda b: b.name)
def test_the_expected_kernels_are_told_in_words(backend: Backend, machine: Machine = MACHINE) -> None:
    assert backend.kernels(machine).startswith({"fp32": "float32", "int8": "int8"}[backend.precision])


def test_making_a_backend_does_not_load_torch() -> None:
    program = (
        "import sys; from bigfast_backends.pytorch import TorchFp32, TorchInt8; from bigfast.cpu import detect\n"
        "for kind in (TorchFp32, TorchInt8): kind().available(); kind().variants(detect()); kind().kernels(detect())\n"
        "print('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
