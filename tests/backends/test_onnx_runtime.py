from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from bigfast.backend import Backend, FloatArray, IntArray, Weights, disagreement, reference_logits
from bigfast.cpu import Machine, detect
from bigfast.errors import BackendError, BackendMissing, InputError
from bigfast.space import BertShape, paper_space
from bigfast_backends.graphs import FULL_RANGE, REDUCED_RANGE, quantize_rows
from bigfast_backends.onnx_graph import Recipe, write_model
from bigfast_backends.onnx_runtime import OnnxRuntimeFp32, OnnxRuntimeInt8
from bigfast_backends.onnx_runtime_session import OnnxSession

VOCAB, POSITIONS = 500, 128
SMALL = BertShape(layers=2, hidden=132, ffn=152, heads=12, vocab=VOCAB, positions=POSITIONS)
RECIPES = {
    "fp32": Recipe(),
    "linear": Recipe(weight_range=FULL_RANGE),
    "full": Recipe(weight_range=FULL_RANGE, quantize_words=True),
    "reduced": Recipe(weight_range=REDUCED_RANGE),
}


@pytest.fixture(scope="module")
def machine() -> Machine:
    return detect()


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights.random(SMALL, seed=3)


@pytest.fixture(params=RECIPES)
def session(request: pytest.FixtureRequest, weights: Weights) -> Iterator[OnnxSession]:
    session = OnnxSession(weights, RECIPES[request.param], threads=1)
    yield session
    session.close()


def texts(rng: np.random.Generator, *, batch: int, length: int) -> tuple[IntArray, IntArray, IntArray]:
    """Random ids, a mask that leaves the first text whole and pads the others, and random types."""
    ids = rng.integers(0, VOCAB, (batch, length))
    mask = np.ones_like(ids)
    for row in range(1, batch):
        mask[row, rng.integers(1, length + 1) :] = 0
    return ids, mask, rng.integers(0, 2, (batch, length))


def stock_model(weights: Weights) -> BertForSequenceClassification:
    shape = weights.shape
    config = BertConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.ffn,
        max_position_embeddings=shape.positions,
    )
    config.num_labels = shape.labels
    config._attn_implementation = "eager"
    model = BertForSequenceClassification(config)
    model.train(False)
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.arrays.items()}, strict=True)
    return model


class StockLogits(torch.nn.Module):
    """The stock model with three tensors in and one out, as the exporter wants it."""

    def __init__(self, model: BertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
        return logits


Case = tuple[Weights, list[tuple[tuple[IntArray, IntArray, IntArray], FloatArray]]]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Architectures over the paper's space, each with inputs (one text, then three padded ones) and their logits."""
    rng = np.random.default_rng(0)
    space = paper_space()
    cases: list[Case] = []
    for seed in range(5):
        arch = space.space.sample(rng)
        weights = Weights.random(space.shape(arch, vocab=VOCAB, positions=POSITIONS, labels=3), seed=seed)
        inputs = [texts(rng, batch=batch, length=int(rng.integers(7, POSITIONS + 1))) for batch in (1, 3)]
        cases.append((weights, [(each, reference_logits(weights, *each)) for each in inputs]))
    return cases


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        (OnnxRuntimeFp32(), {}),
        (OnnxRuntimeInt8(), {"recipe": "linear"}),
        (OnnxRuntimeInt8(), {"recipe": "full"}),
    ],
    ids=["fp32", "int8-linear", "int8-full"],
)
def test_logits_stay_within_the_bound_over_the_paper_space(
    backend: Backend, options: Mapping[str, str], cases: list[Case], machine: Machine
) -> None:
    found = []
    for weights, answers in cases:
        session = backend.prepare(weights, machine=machine, threads=1, options=options)
        found += [disagreement(session.run(*inputs), logits) for inputs, logits in answers]
        session.close()

    assert max(found) <= backend.bound


def test_float32_equals_the_stock_model(weights: Weights) -> None:
    ids, mask, types = texts(np.random.default_rng(1), batch=3, length=40)
    model = stock_model(weights)

    logits = OnnxSession(weights, RECIPES["fp32"], threads=1).run(ids, mask, types)

    with torch.inference_mode():
        inputs = [torch.from_numpy(array) for array in (ids, mask, types)]
        expected = StockLogits(model)(*inputs).numpy()
    assert disagreement(logits, expected) < 1e-4


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 128), (2, 2), (5, 9)])
def test_float32_equals_the_reference_at_every_batch_and_length(weights: Weights, batch: int, length: int) -> None:
    ids, mask, types = texts(np.random.default_rng(2), batch=batch, length=length)

    logits = OnnxSession(weights, RECIPES["fp32"], threads=1).run(ids, mask, types)

    assert disagreement(logits, reference_logits(weights, ids, mask, types)) < 1e-4


@pytest.mark.parametrize("shape", [dataclasses.replace(SMALL, layers=1), dataclasses.replace(SMALL, labels=1, heads=1)])
def test_float32_equals_the_reference_with_one_layer_one_head_or_one_label(shape: BertShape) -> None:
    weights = Weights.random(shape, seed=4)
    ids, mask, types = texts(np.random.default_rng(3), batch=2, length=17)

    logits = OnnxSession(weights, RECIPES["fp32"], threads=1).run(ids, mask, types)

    assert disagreement(logits, reference_logits(weights, ids, mask, types)) < 1e-4


def test_padding_changes_nothing_in_float32(weights: Weights) -> None:
    ids, mask, types = texts(np.random.default_rng(4), batch=1, length=20)
    padded = [
        np.pad(array, ((0, 0), (0, 30)), constant_values=value) for array, value in ((ids, 9), (mask, 0), (types, 1))
    ]
    session = OnnxSession(weights, RECIPES["fp32"], threads=1)

    logits = session.run(*padded)

    assert disagreement(logits, session.run(ids, mask, types)) < 1e-4


def test_padding_stays_within_the_bound_in_int8(weights: Weights) -> None:
    ids, mask, types = texts(np.random.default_rng(5), batch=1, length=20)
    padded = [
        np.pad(array, ((0, 0), (0, 30)), constant_values=value) for array, value in ((ids, 9), (mask, 0), (types, 1))
    ]
    session = OnnxSession(weights, RECIPES["linear"], threads=1)

    logits = session.run(*padded)

    assert disagreement(logits, session.run(ids, mask, types)) <= OnnxRuntimeInt8.bound


def test_types_left_out_are_zero(session: OnnxSession) -> None:
    ids, mask, _ = texts(np.random.default_rng(6), batch=2, length=11)

    logits = session.run(ids, mask)

    np.testing.assert_array_equal(logits, session.run(ids, mask, np.zeros_like(ids)))


@pytest.mark.parametrize("threads", [1, 2])
def test_answers_repeat_exactly(weights: Weights, threads: int) -> None:
    ids, mask, types = texts(np.random.default_rng(7), batch=3, length=64)
    session = OnnxSession(weights, RECIPES["full"], threads=threads)

    logits = session.run(ids, mask, types)

    np.testing.assert_array_equal(logits, session.run(ids, mask, types))


def test_the_saved_file_alone_answers_with_stock_settings_exactly_as_the_session(
    session: OnnxSession, tmp_path: Path
) -> None:
    ids, mask, types = texts(np.random.default_rng(8), batch=3, length=30)

    files = session.save(tmp_path)

    assert files == ("model.onnx",) == tuple(path.name for path in tmp_path.iterdir())
    deployed = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    np.testing.assert_array_equal(deployed.run(["logits"], feeds)[0], session.run(ids, mask, types))


def test_the_saved_file_passes_the_checker(session: OnnxSession, tmp_path: Path) -> None:
    session.save(tmp_path)

    model = onnx.load(tmp_path / "model.onnx")

    onnx.checker.check_model(model)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_evidence_shows_int8_products_and_no_slow_fusion(weights: Weights) -> None:
    counts = OnnxSession(weights, RECIPES["linear"], threads=1).evidence()

    assert counts["MatMulIntegerToFloat"] == "6"  # queries, keys and values of two layers
    assert counts["DynamicQuantizeMatMul"] == "7"  # three in each layer, and the pooler
    assert counts["DynamicQuantizeLinear"] == "2"  # one in each layer for all three of them
    assert counts["LayerNormalization"] == "5"
    assert counts["Gemm"] == "1"  # the classifier
    assert "SkipLayerNormalization" not in counts


def test_evidence_of_float32_shows_no_int8(weights: Weights) -> None:
    counts = OnnxSession(weights, RECIPES["fp32"], threads=1).evidence()

    assert not [name for name in counts if "Quantize" in name or "Integer" in name]


def test_a_session_shares_the_word_table_with_its_weights(weights: Weights) -> None:
    written = write_model(weights, RECIPES["linear"])

    name = "bert.embeddings.word_embeddings.weight"
    assert np.shares_memory(written.outside[name], weights.arrays[name])
    assert len(written.model.SerializeToString()) < sum(array.nbytes for array in weights.arrays.values()) / 2


@pytest.mark.parametrize("largest", [FULL_RANGE, REDUCED_RANGE])
def test_rows_are_rounded_to_half_a_step(largest: int) -> None:
    weight = np.random.default_rng(9).standard_normal((300, 700), dtype=np.float32)
    weight[7] = 0

    rounded, scales = quantize_rows(weight, largest)

    assert np.abs(rounded).max() == largest
    assert (np.abs(rounded * scales[:, None] - weight) <= 0.5001 * scales[:, None]).all()


def test_two_products_of_the_reduced_range_fit_into_16_bits() -> None:
    assert 2 * 255 * REDUCED_RANGE <= np.iinfo(np.int16).max < 2 * 255 * (REDUCED_RANGE + 1)


@pytest.mark.parametrize(("flag", "largest"), [("avx2", REDUCED_RANGE), ("avx_vnni", FULL_RANGE)])
def test_weights_have_7_bits_where_the_sums_would_saturate(
    weights: Weights, machine: Machine, flag: str, largest: int
) -> None:
    isa = dict.fromkeys(machine.isa, False) | {"avx2": True, flag: True}
    other = dataclasses.replace(machine, architecture="x86_64", isa=isa)

    recipe = OnnxRuntimeInt8()._recipe({"recipe": "linear"}, other)

    assert recipe.weight_range == largest


def test_kernels_name_the_strongest_set(machine: Machine) -> None:
    isa = dict.fromkeys(machine.isa, False) | {"avx2": True, "avx512f": True, "avx512bw": True, "avx512_vnni": True}
    server = dataclasses.replace(machine, architecture="x86_64", isa=isa)

    assert (OnnxRuntimeInt8().kernels(server), OnnxRuntimeFp32().kernels(server)) == (
        "MLAS U8S8: AVX512-VNNI",
        "MLAS float32: AVX-512",
    )


@pytest.mark.parametrize(
    ("system", "architecture", "isa", "kernels"),
    [
        ("linux", "aarch64", {"i8mm", "asimddp"}, "i8mm"),
        ("darwin", "aarch64", {"i8mm", "asimddp"}, "ARM dot product"),
        ("linux", "aarch64", set(), "NEON without dot product"),
        ("linux", "x86_64", {"avx2", "avx_vnni", "avx_vnni_int8"}, "AVX-VNNI"),
        ("linux", "x86_64", {"avx2", "avx512f"}, "AVX2 without VNNI, weights of 7 bits"),
        ("linux", "riscv64", set(), "no int8 instructions"),
    ],
)
def test_kernels_are_those_that_mlas_dispatches_on_that_system(
    machine: Machine, system: str, architecture: str, isa: set[str], kernels: str
) -> None:
    flags = {name: name in isa for name in machine.isa}
    other = dataclasses.replace(machine, system=system, architecture=architecture, isa=flags)

    assert OnnxRuntimeInt8().kernels(other) == f"MLAS U8S8: {kernels}"


@pytest.mark.parametrize(
    ("options", "words"), [({"recipe": "tiny"}, "recipe=tiny"), ({"engine": "x86"}, "engine=x86")], ids=str
)
def test_an_unknown_variant_is_refused_with_the_choices(
    weights: Weights, machine: Machine, options: Mapping[str, str], words: str
) -> None:
    with pytest.raises(InputError, match=f"{words}.*choose from recipe=linear, recipe=full"):
        OnnxRuntimeInt8().prepare(weights, machine=machine, threads=1, options=options)


def test_no_threads_are_refused(weights: Weights, machine: Machine) -> None:
    with pytest.raises(InputError, match="At least 1 thread is needed, not 0"):
        OnnxRuntimeFp32().prepare(weights, machine=machine, threads=0, options={})


def test_a_missing_runtime_is_said_with_the_way_to_get_it(
    weights: Weights, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(BackendMissing, match="pip install 'onnxruntime"):
        OnnxRuntimeInt8().prepare(weights, machine=machine, threads=1, options={})


def test_an_old_runtime_is_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.9.1")

    state = OnnxRuntimeFp32().available()

    assert (state.usable, state.reason) == (
        False,
        "onnxruntime 1.9.1 is too old, 1.22 is needed: pip install 'onnxruntime>=1.22'",
    )


@pytest.mark.parametrize("shape", [(4,), (1, 0), (1, POSITIONS + 1)], ids=str)
def test_ids_that_do_not_fit_are_refused(weights: Weights, shape: tuple[int, ...]) -> None:
    ids = np.zeros(shape, dtype=np.int64)
    session = OnnxSession(weights, RECIPES["fp32"], threads=1)

    with pytest.raises(InputError):
        session.run(ids, ids)


def test_an_id_outside_the_vocabulary_is_an_error_and_prints_nothing(
    session: OnnxSession, capfd: pytest.CaptureFixture[str]
) -> None:
    ids = np.full((1, 8), VOCAB)

    with pytest.raises(BackendError, match="onnxruntime failed"):
        session.run(ids, np.ones_like(ids))

    assert capfd.readouterr() == ("", "")


def test_a_closed_session_says_so(weights: Weights) -> None:
    session = OnnxSession(weights, RECIPES["fp32"], threads=1)
    ids = np.zeros((1, 4), dtype=np.int64)

    session.close()

    with pytest.raises(BackendError, match="closed"):
        session.run(ids, ids)


def test_describing_the_backends_imports_no_runtime() -> None:
    code = (
        "import sys; from bigfast_backends.onnx_runtime import *; import bigfast_backends.onnx_runtime as m; "
        "m.OnnxRuntimeInt8().available(); sys.exit(bool({'onnx', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("backend", [OnnxRuntimeFp32(), OnnxRuntimeInt8()], ids=lambda backend: backend.name)
def test_the_backend_follows_the_protocol(backend: object) -> None:
    assert isinstance(backend, Backend)


def stock_int8_logits(weights: Weights, inputs: tuple[IntArray, IntArray, IntArray], directory: Path) -> FloatArray:
    """What the stock route answers: export through TorchScript, then ``quantize_dynamic``."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    exported, quantized = directory / "exported.onnx", directory / "quantized.onnx"
    names = ["input_ids", "attention_mask", "token_type_ids"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            StockLogits(stock_model(weights)),
            tuple(torch.from_numpy(array) for array in inputs),
            exported,
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
            dynamo=False,
            opset_version=17,
        )
    quantize_dynamic(exported, quantized, weight_type=QuantType.QInt8, per_channel=True)
    stock = onnxruntime.InferenceSession(quantized, providers=["CPUExecutionProvider"])
    logits: FloatArray = stock.run(["logits"], dict(zip(names, inputs, strict=True)))[0]
    return logits


@pytest.mark.slow
def test_int8_agrees_with_float32_as_well_as_the_stock_route_does(tmp_path: Path) -> None:
    """Compared by the mean over several models, for one model's rounding may be lucky."""
    rng = np.random.default_rng(10)
    space = paper_space()
    stock, ours = [], []
    for seed in range(12):
        shape = space.shape(space.space.sample(rng), vocab=VOCAB, positions=POSITIONS, labels=3)
        weights = Weights.random(shape, seed=seed)
        inputs = texts(rng, batch=4, length=48)
        reference = reference_logits(weights, *inputs)
        stock.append(disagreement(stock_int8_logits(weights, inputs, tmp_path), reference))
        ours.append(disagreement(OnnxSession(weights, RECIPES["full"], threads=1).run(*inputs), reference))

    assert np.mean(ours) <= 1.1 * np.mean(stock)
