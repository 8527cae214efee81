from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bigfast.backend import Backend, IntArray, Weights, disagreement, reference_logits, variant_name
from bigfast.cpu import Machine, detect
from bigfast.errors import BackendError, BackendMissing, InputError
from bigfast.space import BertShape, paper_space
from bigfast_backends.graphs import FULL_RANGE, REDUCED_RANGE
from bigfast_backends.openvino_runtime import OpenVinoBf16, OpenVinoFp32, OpenVinoInt8

openvino = pytest.importorskip("openvino")

from bigfast_backends.openvino_graph import (  # noqa: E402  # it imports openvino
    Recipe,
    levels,
)
from bigfast_backends.openvino_ranges import input_ranges  # noqa: E402
from bigfast_backends.openvino_session import OpenVinoSession  # noqa: E402

VOCAB, POSITIONS = 500, 128
SMALL = BertShape(layers=2, hidden=132, ffn=152, heads=12, vocab=VOCAB, positions=POSITIONS)
MACHINE = detect()
HAS_BFLOAT16 = MACHINE.isa["avx512_bf16"] or MACHINE.isa["amx_bf16"]
KINDS = [
    (backend, options)
    for backend in (OpenVinoFp32(), OpenVinoInt8(), *([OpenVinoBf16()] if HAS_BFLOAT16 else []))
    for options in backend.variants(MACHINE)
]
EVERY_KIND = pytest.mark.parametrize(
    ("backend", "options"), KINDS, ids=[f"{backend.name}-{variant_name(options)}" for backend, options in KINDS]
)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights.random(SMALL, seed=3)


@pytest.fixture
def float_session(weights: Weights) -> Iterator[OpenVinoSession]:
    session = OpenVinoSession(weights, Recipe(), floats="fp32", threads=1)
    yield session
    session.close()


def machine_with(*names: str, architecture: str = "x86_64") -> Machine:
    return dataclasses.replace(MACHINE, architecture=architecture, isa={name: name in names for name in MACHINE.isa})


def texts(rng: np.random.Generator, *, batch: int, length: int) -> tuple[IntArray, IntArray, IntArray]:
    """Random ids, a mask that leaves the first text whole and pads the others, and random types."""
    ids = rng.integers(0, VOCAB, (batch, length))
    mask = np.ones_like(ids)
    for row in range(1, batch):
        mask[row, rng.integers(1, length + 1) :] = 0
    return ids, mask, rng.integers(0, 2, (batch, length))


@EVERY_KIND
def test_logits_stay_within_the_bound_over_the_paper_space(backend: Backend, options: dict[str, str]) -> None:
    rng, space = np.random.default_rng(0), paper_space()
    found = []
    for seed in range(3):
        shape = space.shape(space.space.sample(rng), vocab=VOCAB, positions=POSITIONS, labels=3)
        weights = Weights.random(shape, seed=seed)
        session = backend.prepare(weights, machine=MACHINE, threads=1, options=options)
        for batch in (1, 3):
            inputs = texts(rng, batch=batch, length=int(rng.integers(7, POSITIONS + 1)))
            found.append(disagreement(session.run(*inputs), reference_logits(weights, *inputs)))
        session.close()

    assert max(found) <= backend.bound


@pytest.mark.parametrize(("batch", "length"), [(1, 1), (1, 128), (2, 2), (5, 9)])
def test_float32_equals_the_reference_at_every_batch_and_length(
    float_session: OpenVinoSession, weights: Weights, batch: int, length: int
) -> None:
    ids, mask, types = texts(np.random.default_rng(2), batch=batch, length=length)

    logits = float_session.run(ids, mask, types)

    assert disagreement(logits, reference_logits(weights, ids, mask, types)) < 1e-4


@pytest.mark.parametrize("shape", [dataclasses.replace(SMALL, layers=1), dataclasses.replace(SMALL, labels=1, heads=1)])
def test_float32_equals_the_reference_with_one_layer_one_head_or_one_label(shape: BertShape) -> None:
    weights = Weights.random(shape, seed=4)
    ids, mask, types = texts(np.random.default_rng(3), batch=2, length=17)

    logits = OpenVinoSession(weights, Recipe(), floats="fp32", threads=1).run(ids, mask, types)

    assert disagreement(logits, reference_logits(weights, ids, mask, types)) < 1e-4


def test_padding_changes_nothing_in_float32(float_session: OpenVinoSession) -> None:
    ids, mask, types = texts(np.random.default_rng(4), batch=1, length=20)
    padded = [
        np.pad(array, ((0, 0), (0, 30)), constant_values=value) for array, value in ((ids, 9), (mask, 0), (types, 1))
    ]

    logits = float_session.run(*padded)

    assert disagreement(logits, float_session.run(ids, mask, types)) < 1e-4


@EVERY_KIND
@pytest.mark.parametrize("threads", [1, 2])
def test_answers_repeat_exactly_also_after_a_text_of_another_length(
    backend: Backend, options: dict[str, str], threads: int, weights: Weights
) -> None:
    if threads > (MACHINE.usable_cores or 1):
        pytest.skip("there are fewer cores")
    rng = np.random.default_rng(7)
    inputs, others = texts(rng, batch=3, length=64), texts(rng, batch=1, length=9)
    session = backend.prepare(weights, machine=MACHINE, threads=threads, options=options)

    logits = session.run(*inputs)
    session.run(*others)

    np.testing.assert_array_equal(logits, session.run(*inputs))


def test_arrays_need_not_be_contiguous(float_session: OpenVinoSession) -> None:
    ids, mask, types = texts(np.random.default_rng(8), batch=3, length=12)

    logits = float_session.run(np.asfortranarray(ids), np.asfortranarray(mask), np.asfortranarray(types))

    np.testing.assert_array_equal(logits, float_session.run(ids, mask, types))


@EVERY_KIND
def test_the_saved_files_alone_answer_exactly_as_the_session(
    backend: Backend, options: dict[str, str], weights: Weights, tmp_path: Path
) -> None:
    ids, mask, types = texts(np.random.default_rng(9), batch=3, length=30)
    session = backend.prepare(weights, machine=MACHINE, threads=1, options=options)

    files = session.save(tmp_path)

    assert sorted(files) == sorted(path.name for path in tmp_path.iterdir())
    settings = json.loads((tmp_path / "settings.json").read_text())
    model = openvino.Core().read_model(tmp_path / "model.xml")
    if "shapes" in options:
        model.reshape({name: list(ids.shape) for name in ("input_ids", "attention_mask", "token_type_ids")})
    deployed = openvino.Core().compile_model(model, "CPU", settings)
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    np.testing.assert_array_equal(deployed(feeds)["logits"], session.run(ids, mask, types))


def test_evidence_of_int8_shows_an_int8_kernel_for_each_linear_layer(weights: Weights) -> None:
    session = OpenVinoInt8().prepare(weights, machine=MACHINE, threads=1, options={"recipe": "static"})

    counts = session.evidence()

    products = {name: int(count) for name, count in counts.items() if name.startswith("FullyConnected")}
    in_int8 = sum(count for name, count in products.items() if name.split()[-1] in {"u8", "i8"})
    assert (in_int8, sum(products.values())) == (13, 14)  # six in each layer and the pooler; the classifier is not


def test_evidence_of_float32_shows_neither_int8_nor_bfloat16(float_session: OpenVinoSession) -> None:
    counts = float_session.evidence()

    assert not [name for name in counts if name.split()[-1] in {"u8", "i8", "bf16"}]
    assert sum(int(count) for name, count in counts.items() if name.startswith("FullyConnected")) == 14


@pytest.mark.skipif(not HAS_BFLOAT16, reason="the CPU does not multiply bfloat16")
def test_evidence_of_bfloat16_shows_every_linear_layer_in_it(weights: Weights) -> None:
    counts = OpenVinoBf16().prepare(weights, machine=MACHINE, threads=1, options={}).evidence()

    products = {name: int(count) for name, count in counts.items() if name.startswith("FullyConnected")}
    assert {name.split()[-1] for name in products} == {"bf16"}
    assert sum(products.values()) == 14


def test_ranges_are_those_of_what_enters_each_linear_layer(weights: Weights) -> None:
    ids, mask, _ = texts(np.random.default_rng(10), batch=1, length=20)

    ranges = input_ranges(weights, (ids, mask))

    table = [weights.arrays[f"bert.embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")]
    total = table[0][ids[0]] + table[1][:20] + table[2][0]
    normal = (total - total.mean(-1, keepdims=True)) / total.std(-1, keepdims=True)
    first = (
        normal * weights.arrays["bert.embeddings.LayerNorm.weight"] + weights.arrays["bert.embeddings.LayerNorm.bias"]
    )
    assert len(ranges) == 14
    for name in ("query", "key", "value"):
        assert ranges[f"bert.encoder.layer.0.attention.self.{name}"] == pytest.approx((first.min(), first.max()))


def test_ranges_do_not_count_padding(weights: Weights) -> None:
    ids, mask, _ = texts(np.random.default_rng(11), batch=1, length=20)
    padded = np.pad(ids, ((0, 0), (0, 30)), constant_values=9), np.pad(mask, ((0, 0), (0, 30)))

    ranges = input_ranges(weights, padded)

    assert ranges == {name: pytest.approx(value) for name, value in input_ranges(weights, (ids, mask)).items()}


def test_calibration_texts_decide_the_scales(weights: Weights) -> None:
    ids, mask, types = texts(np.random.default_rng(12), batch=1, length=20)
    seen, other = (ids, mask), (np.full_like(ids, 3), mask)

    logits = [
        OpenVinoInt8().prepare(weights, machine=MACHINE, threads=1, options={}, calibration=each).run(ids, mask, types)
        for each in (seen, seen, other)
    ]

    assert np.array_equal(logits[0], logits[1])
    assert not np.array_equal(logits[0], logits[2])


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("ends", [(-1.0, 3.0), (-0.17, 24.0), (0.5, 2.0), (-3.0, -1.0), (0.0, 0.0)], ids=str)
def test_levels_cover_the_range_and_have_an_exact_zero(ends: tuple[float, float], signed: bool) -> None:
    low, high = levels(*ends, signed=signed)

    step = (high - low) / 255
    assert low - step / 2 <= min(*ends, 0) and max(*ends, 0) <= high + step / 2
    assert (-low / step) == pytest.approx(round(-low / step), abs=1e-9)


@pytest.mark.parametrize(
    ("names", "architecture", "largest", "signed"),
    [
        (["avx2"], "x86_64", REDUCED_RANGE, False),
        (["avx2", "avx_vnni"], "x86_64", FULL_RANGE, False),
        (["asimddp"], "aarch64", FULL_RANGE, True),
    ],
)
def test_the_static_recipe_is_that_of_the_machine(
    weights: Weights, names: list[str], architecture: str, largest: int, signed: bool
) -> None:
    machine = machine_with(*names, architecture=architecture)

    recipe = OpenVinoInt8()._recipe(weights, {"recipe": "static"}, machine, None)

    assert (recipe.weight_range, recipe.signed) == (largest, signed)


@pytest.mark.parametrize(("largest", "signed"), [(REDUCED_RANGE, False), (FULL_RANGE, True)])
def test_recipes_of_other_machines_agree_with_float32_too(weights: Weights, largest: int, signed: bool) -> None:
    ids, mask, types = texts(np.random.default_rng(13), batch=3, length=40)
    recipe = Recipe(weight_range=largest, input_ranges=input_ranges(weights), signed=signed)

    logits = OpenVinoSession(weights, recipe, floats="fp32", threads=1).run(ids, mask, types)

    assert disagreement(logits, reference_logits(weights, ids, mask, types)) <= OpenVinoInt8.bound


def test_dynamic_quantization_is_offered_only_where_the_runtime_has_kernels() -> None:
    assert {"recipe": "dynamic"} not in OpenVinoInt8().variants(machine_with("avx2"))
    assert {"recipe": "dynamic"} in OpenVinoInt8().variants(machine_with("avx_vnni"))


def test_bfloat16_is_refused_where_the_cpu_lacks_it_with_the_way_out(weights: Weights) -> None:
    machine = machine_with("avx2", "avx512f")

    with pytest.raises(BackendError, match="use openvino-int8 or openvino-fp32"):
        OpenVinoBf16().prepare(weights, machine=machine, threads=1, options={})
    assert "none" in OpenVinoBf16().kernels(machine)
    assert OpenVinoBf16().products(machine, threads=1) == ()


def test_kernels_name_the_strongest_set() -> None:
    server = machine_with("avx2", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16")

    found = [backend.kernels(server) for backend in (OpenVinoFp32(), OpenVinoBf16(), OpenVinoInt8())]

    assert found == ["oneDNN and MLAS float32: AVX-512", "oneDNN bf16: AVX512-BF16", "oneDNN u8s8: AVX512-VNNI"]


def test_an_unknown_variant_is_refused_with_the_choices(weights: Weights) -> None:
    with pytest.raises(InputError, match=r"recipe=tiny.*choose from recipe=static"):
        OpenVinoInt8().prepare(weights, machine=MACHINE, threads=1, options={"recipe": "tiny"})


def test_no_threads_are_refused(weights: Weights) -> None:
    with pytest.raises(InputError, match="At least 1 thread is needed, not 0"):
        OpenVinoFp32().prepare(weights, machine=MACHINE, threads=0, options={})


def test_a_missing_runtime_is_said_with_the_way_to_get_it(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(BackendMissing, match=r"openvino is not installed: pip install 'bigfast\[openvino\]'"):
        OpenVinoInt8().prepare(weights, machine=MACHINE, threads=1, options={})


def test_an_old_runtime_is_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2023.1.0")

    state = OpenVinoFp32().available()

    assert (state.usable, state.reason) == (
        False,
        "openvino 2023.1.0 is too old, 2025.2 is needed: pip install 'bigfast[openvino]'",
    )


@pytest.mark.parametrize("shape", [(4,), (1, 0), (1, POSITIONS + 1)], ids=str)
def test_ids_that_do_not_fit_are_refused(float_session: OpenVinoSession, shape: tuple[int, ...]) -> None:
    ids = np.zeros(shape, dtype=np.int64)

    with pytest.raises(InputError):
        float_session.run(ids, ids)


@pytest.mark.parametrize("value", [VOCAB, -1])
def test_an_id_outside_the_vocabulary_is_an_error(float_session: OpenVinoSession, value: int) -> None:
    ids = np.full((1, 8), value)

    with pytest.raises(BackendError, match="each id must lie between 0 and 499"):
        float_session.run(ids, np.ones_like(ids))


def test_a_type_outside_its_table_is_an_error(float_session: OpenVinoSession) -> None:
    ids = np.ones((1, 8), dtype=np.int64)

    with pytest.raises(BackendError, match="each type must lie between 0 and 1"):
        float_session.run(ids, ids, 2 * ids)


def test_what_the_runtime_refuses_is_one_sentence_of_ours(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigfast_backends.openvino_session.DEVICE", "TOASTER")

    with pytest.raises(BackendError, match=r"openvino .* refuses the model: .*TOASTER") as caught:
        OpenVinoSession(weights, Recipe(), floats="fp32", threads=1)

    assert "\n" not in str(caught.value)


def test_weights_that_may_not_be_written_to_serve_too(weights: Weights) -> None:
    frozen = {name: array.copy() for name, array in weights.arrays.items()}
    for array in frozen.values():
        array.flags.writeable = False
    ids, mask, types = texts(np.random.default_rng(14), batch=1, length=10)

    logits = OpenVinoSession(Weights(SMALL, frozen), Recipe(), floats="fp32", threads=1).run(ids, mask, types)

    assert disagreement(logits, reference_logits(weights, ids, mask, types)) < 1e-4


def test_a_closed_session_says_so(float_session: OpenVinoSession, tmp_path: Path) -> None:
    ids = np.zeros((1, 4), dtype=np.int64)

    float_session.close()

    for call in (lambda: float_session.run(ids, ids), float_session.evidence, lambda: float_session.save(tmp_path)):
        with pytest.raises(BackendError, match="closed"):
            call()


def test_making_a_backend_does_not_import_the_runtime() -> None:
    code = (
        "import sys; from bigfast_backends.openvino_runtime import OpenVinoInt8; "
        "OpenVinoInt8().available(); sys.exit('openvino' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


FIXED = {"recipe": "static", "shapes": "fixed"}


def test_every_size_up_to_four_gets_a_model_of_its_own_and_the_others_share_one(weights: Weights) -> None:
    fixed = OpenVinoInt8().prepare(weights, machine=MACHINE, threads=1, options=FIXED)
    free = OpenVinoInt8().prepare(weights, machine=MACHINE, threads=1, options={"recipe": "static"})
    assert isinstance(fixed, OpenVinoSession)
    sizes = [(1, 8), (3, 8), (1, 20), (2, 128), (1, 9), (4, 17)]

    for seed, (batch, length) in enumerate(sizes):
        ids, mask, types = texts(np.random.default_rng(seed), batch=batch, length=length)
        expected = free.run(ids, mask, types)
        for _ in range(2):
            assert np.allclose(fixed.run(ids, mask, types), expected, atol=1e-4)

    assert list(fixed._requests) == [*sizes[:4], (-1, -1)]


def test_what_is_not_int8_may_be_bfloat16_where_the_cpu_multiplies_it() -> None:
    plain = OpenVinoInt8().variants(machine_with("avx2", "avx_vnni"))
    bfloat16 = OpenVinoInt8().variants(machine_with("avx512_vnni", "avx512_bf16"))

    assert {"recipe": "static", "rest": "bf16", "shapes": "fixed"} not in plain
    assert {"recipe": "static", "rest": "bf16", "shapes": "fixed"} in bfloat16
    assert plain[0] == bfloat16[0] == {"recipe": "static"}
