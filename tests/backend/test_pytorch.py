from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from bigfast.backend import (
    Backend,
    IntArray,
    MultipliesMatrices,
    Options,
    Session,
    Weights,
    choose_variant,
    disagreement,
    reference_logits,
)
from bigfast.backend.stock import stock_model
from bigfast.cpu import Machine, detect
from bigfast.errors import BackendError, BackendMissing, InputError
from bigfast.measure import Deployment
from bigfast.space import BertShape, aligned_space, paper_space
from bigfast_backends.pytorch import TorchBf16, TorchFp32, TorchInt8
from bigfast_backends.pytorch_evidence import evidence_of
from bigfast_backends.pytorch_session import in_bf16

VOCAB, LENGTH = 200, 24
SMALL = BertShape(layers=2, hidden=132, ffn=152, heads=12, vocab=VOCAB, positions=64)
MACHINE = detect()
BACKENDS = [TorchFp32(), TorchBf16(), TorchInt8()]
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
    ("backend", "options"),
    [(TorchFp32(), {}), (TorchBf16(), {}), *((TorchInt8(), options) for options in INT8)],
    ids=str,
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


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
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


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
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


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_a_missing_torch_is_told_and_not_an_import_error(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert not backend.available().usable
    with pytest.raises(BackendMissing, match="torch is not installed: pip install 'torch"):
        prepared(backend, Weights.random(SMALL, seed=0))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_a_torch_that_is_too_old_is_told_with_the_version_it_takes(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.5.1+cpu")

    with pytest.raises(BackendMissing, match=r"torch 2\.5\.1\+cpu is too old, 2\.6 is needed: pip install"):
        prepared(backend, Weights.random(SMALL, seed=0))


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_more_threads_than_cores_are_refused_with_their_number(backend: Backend) -> None:
    with pytest.raises(InputError, match=r"^999 threads were asked for, but only \d+ cores may be used here"):
        backend.prepare(
            Weights.random(SMALL, seed=0),
            machine=dataclasses.replace(MACHINE, usable_cores=2),
            threads=999,
            options={},
        )


def test_an_operator_that_this_torch_lacks_is_a_backend_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise NotImplementedError("Could not run 'quantized::linear_prepack'\nwith many more lines")

    monkeypatch.setattr(torch.ao.quantization, "quantize_dynamic", lacking)

    with pytest.raises(BackendError, match=r"refuses this model \(Could not run 'quantized::linear_prepack'\): try"):
        prepared(TorchInt8(), Weights.random(SMALL, seed=0))


def test_an_id_outside_the_vocabulary_is_a_backend_error_and_the_next_text_is_answered() -> None:
    session = prepared(TorchFp32(), Weights.random(SMALL, seed=0))
    ids, mask, types = texts(0)
    before = session.run(ids, mask, types)

    with pytest.raises(BackendError, match=r"failed: index out of range"):
        session.run(np.full_like(ids, VOCAB), mask, types)

    assert np.array_equal(session.run(ids, mask, types), before)


@pytest.mark.parametrize("options", INT8, ids=str)
def test_evidence_counts_the_quantized_products_of_one_call(options: Options) -> None:
    evidence = prepared(TorchInt8(), Weights.random(SMALL, seed=0), options).evidence()

    assert evidence["quantized::linear_dynamic"] == str(6 * SMALL.layers + 2)  # and pooler and classifier
    assert evidence["aten::scaled_dot_product_attention"] == str(SMALL.layers)


@pytest.mark.skipif(MACHINE.architecture != "x86_64", reason="another engine elsewhere")
def test_evidence_tells_onednn_from_fbgemm_by_what_onednn_reports() -> None:
    weights = Weights.random(SMALL, seed=0)
    x86, onednn = (prepared(TorchInt8(), weights, {"engine": name}).evidence() for name in ("x86", "onednn"))

    assert not [name for name in x86 if name.startswith("oneDNN matmul")]
    assert [count for name, count in onednn.items() if name.startswith("oneDNN matmul")] == [str(6 * SMALL.layers + 2)]


def test_evidence_leaves_what_others_print_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    evidence_of(lambda: os.write(1, b"from elsewhere\n"))

    assert capfd.readouterr().out == "from elsewhere\n" * 2


def test_a_bf16_session_shares_the_table_of_words_in_float32() -> None:
    weights = Weights.random(SMALL, seed=0)
    model = in_bf16(stock_model(weights))

    assert isinstance(model, BertForSequenceClassification)
    table = model.bert.embeddings.word_embeddings.weight
    assert np.shares_memory(table.detach().numpy(), weights.arrays["bert.embeddings.word_embeddings.weight"])
    assert {p.dtype for p in model.bert.encoder.parameters()} == {torch.bfloat16}
    assert model.classifier.weight.dtype == torch.float32


def test_bf16_says_where_the_cpu_has_no_instructions_for_it() -> None:
    without, with_them = (
        dataclasses.replace(MACHINE, isa=dict.fromkeys(MACHINE.isa, False) | {"avx512_bf16": has})
        for has in (False, True)
    )

    assert (TorchBf16().kernels(without), TorchBf16().kernels(with_them)) == (
        "bf16 without instructions for it, slower than float32",
        "bf16 on AVX512-BF16",
    )


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_products_are_those_of_the_backends_own_precision(backend: Backend) -> None:
    assert isinstance(backend, MultipliesMatrices)

    assert {kernel.precision for kernel in backend.products(MACHINE, threads=1)} == {backend.precision}


def test_scales_of_channels_are_written_out_and_the_default_is_named_as_it_was_before() -> None:
    machine = dataclasses.replace(MACHINE, architecture="x86_64")
    keys = [str(Deployment.of("torch-int8", options)) for options in TorchInt8().variants(machine)]

    assert keys == [
        "torch-int8:engine=x86@1",
        "torch-int8:engine=onednn@1",
        "torch-int8:engine=x86,weights=channel@1",
        "torch-int8:engine=onednn,weights=channel@1",
    ]
    assert choose_variant(TorchInt8(), dict(Deployment.parse(keys[0]).options), machine) == {"engine": "x86"}


@pytest.mark.skipif(MACHINE.architecture != "x86_64", reason="another engine elsewhere")
def test_scales_of_channels_are_nearer_to_float32_where_rows_differ_in_size() -> None:
    weights = Weights.random(SMALL, seed=0)
    for name, array in weights.arrays.items():
        if name.endswith("dense.weight"):
            array[::7] *= 8  # a few large rows, which coarsen the scale of all
    ids, mask, types = texts(4)
    reference = reference_logits(weights, ids, mask, types)

    tensor, channel = (
        disagreement(prepared(TorchInt8(), weights, options).run(ids, mask, types), reference)
        for options in ({"engine": "x86"}, {"engine": "x86", "weights": "channel"})
    )

    assert channel < tensor


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_nothing_but_the_stock_directory_is_needed_to_deploy(backend: Backend, tmp_path: Path) -> None:
    assert prepared(backend, Weights.random(SMALL, seed=0)).save(tmp_path) == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_the_environment_holds_the_runtime_to_its_threads(backend: Backend) -> None:
    assert backend.environment(3)["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_the_expected_kernels_are_told_in_words(backend: Backend, machine: Machine = MACHINE) -> None:
    assert backend.kernels(machine).startswith({"fp32": "float32", "bf16": "bf16", "int8": "int8"}[backend.precision])


def test_making_a_backend_does_not_load_torch() -> None:
    program = (
        "import sys; from bigfast_backends.pytorch import TorchBf16, TorchFp32, TorchInt8\n"
        "from bigfast.cpu import detect\n"
        "for backend in (TorchBf16(), TorchFp32(), TorchInt8()):\n"
        "    backend.available(); backend.variants(detect()); backend.kernels(detect())\n"
        "print('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
