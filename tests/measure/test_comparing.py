from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bigfast.cpu import detect
from bigfast.errors import BackendError, Busy, InputError
from bigfast.measure import (
    Deployment,
    Peak,
    Peaks,
    Protocol,
    Size,
    Subject,
    ThreadPeaks,
    cold_start,
    compare,
    comparing,
)
from bigfast.measure.comparison import Comparison, Row
from bigfast.measure.statistics import summarise
from bigfast.space import BertShape, linear_operations
from bigfast.store import exclusive

MACHINE = detect()
PROTOCOL = Protocol(rounds=2, extra_rounds=0, block_s=0.005, steal_at_most=9.0, waited_at_most=1e9, drift_at_most=1e9)
MODELS = {
    name: BertShape(layers=layers, hidden=24, ffn=16, heads=2, vocab=30, positions=16)
    for name, layers in (("small", 1), ("large", 3))
}
INT8_GOPS = 5.0


@pytest.fixture(autouse=True)
def own_lock_here(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "MACHINE_LOCK", lock)


def peaks(**giga: float) -> Peaks:
    one = ThreadPeaks(
        threads=1,
        peaks={
            name: Peak(operations_per_s=rate * 1e9, kernel="a kernel", shape=(8, 9, 10)) for name, rate in giga.items()
        },
        memory_bytes_per_s=3e10,
        missing={name: "nobody has it" for name in ("fp32", "bf16", "int8") if name not in giga},
        shapes=5,
    )
    return Peaks(at=(one,))


def compared(*deployments: str, **changes: object) -> Comparison:
    told: list[str] = []
    values: dict[str, object] = {"machine": MACHINE, "peaks": peaks(fp32=1.0), "size": Size(length=8), **changes}
    found = compare(
        MODELS,
        [Deployment.parse(name) for name in deployments],
        PROTOCOL,
        tell=lambda done, total, text: told.append(text),
        **values,  # type: ignore[arg-type]
    )
    assert told
    return found


def test_every_model_is_timed_and_started_alone_on_every_deployment() -> None:
    found = compared("fake")

    assert [(row.model, str(row.deployment), row.precision) for row in found.rows] == [
        ("small", "fake:default@1", "fp32"),
        ("large", "fake:default@1", "fp32"),
    ]
    for row in found.rows:
        assert row.timing is not None
        assert row.cold is not None
        assert row.disagreement == pytest.approx(0, abs=1e-5)
        assert row.evidence == {"linear": "numpy"}
        operations = linear_operations(MODELS[row.model], length=8)
        assert row.share_of_peak == pytest.approx(operations / row.timing.estimate_s / 1e9)


def test_a_model_that_leaves_no_file_is_deployed_in_float32() -> None:
    shape = MODELS["large"]

    found = cold_start(subject_of("fake"), machine=MACHINE, seed=0)

    assert found.file_bytes == found.float32_bytes > 4 * 3 * (4 * shape.hidden**2 + 2 * shape.hidden * shape.ffn)
    assert 0 < found.first_logits_s < 5
    assert 0 <= found.growth_bytes < found.resident_bytes


def subject_of(deployment: str) -> Subject:
    return Subject(deployment=Deployment.parse(deployment), size=Size(length=8), label="large", shape=MODELS["large"])


def test_what_fails_has_its_reason_and_the_others_go_on() -> None:
    found = compared("fake", "fake:mode=refuses")

    reasons = {str(row.deployment): (row.timing is None, row.reason) for row in found.rows}
    assert reasons["fake:mode=refuses@1"][0]
    assert "it refuses this model" in reasons["fake:mode=refuses@1"][1]
    assert reasons["fake:default@1"] == (False, "")


def test_a_first_answer_that_fails_is_told_by_the_backend() -> None:
    with pytest.raises(BackendError, match="it refuses this model"):
        cold_start(subject_of("fake:mode=refuses"), machine=MACHINE, seed=0)


def test_without_peaks_there_are_no_shares() -> None:
    assert [row.share_of_peak for row in compared("fake", peaks=None).rows] == [None, None]


def test_too_many_threads_are_refused() -> None:
    with pytest.raises(InputError, match="only 1 cores may be used"):
        compared("fake@2", machine=replace(MACHINE, usable_cores=1))


def test_two_do_not_measure_at_once(lock: Path) -> None:
    with exclusive(lock, what="this machine's clock"), pytest.raises(Busy):
        compared("fake")


def row(model: str, name: str, milliseconds: float) -> Row:
    deployment = Deployment.parse(name)
    return Row(
        model=model,
        deployment=deployment,
        precision=deployment.backend.rpartition("-")[2],
        timing=summarise([[milliseconds / 1e3]] * 3, rejected=0),
        share_of_peak=None,
        disagreement=0.0,
        cold=None,
        evidence={},
    )


def advice(latencies: Mapping[str, tuple[float, ...]]) -> str:
    """The advice for deployments with latencies, in ms, of a small and a large model."""
    rows = [row(model, name, ms) for name, both in latencies.items() for model, ms in zip(MODELS, both, strict=False)]
    return Comparison(machine=MACHINE, size=Size(), models=dict.fromkeys(MODELS, ""), rows=tuple(rows)).advice


def test_the_best_choice_is_the_one_that_lies_least_behind_everywhere() -> None:
    found = advice({"a-int8": (1.0, 4.0), "b-int8": (1.2, 2.1), "c-int8": (9.0, 2.0), "a-fp32": (9.0, 9.0)})

    assert "b-int8 is the best choice over them all" in found


@pytest.mark.parametrize(
    ("latencies", "words"),
    [
        (
            {"a-int8": (1, 2), "b-int8:engine=x": (2, 4), "a-fp32": (3, 4), "a-bf16": (4, 5)},
            "int8 pays on this CPU: a-int8 is the best choice over them all, and the fastest int8 answers 2.0 to "
            "3.0 times as fast as the fastest other precision (most often a-fp32).",
        ),
        ({"a-int8": (3, 2), "a-fp32": (3, 4)}, "int8 pays on this CPU except for the small model at 1 thread: a-int8"),
        (
            {"a-int8": (3, 2), "a-fp32": (3, 4), "a-int8@2": (2, 3), "a-bf16@2": (2, 3)},
            "int8 pays on this CPU for the large model at 1 thread only: a-int8",
        ),
        (
            {"a-int8": (3, 4), "a-fp32": (3, 4), "a-bf16": (2, 2)},
            "int8 does not pay on this CPU: at its best it is 0.67 times as fast as the fastest other precision, so "
            "use a-bf16.",
        ),
        ({"a-int8": (3, 4)}, "Nothing can be said of int8 here"),
    ],
    ids=["everywhere", "mostly", "hardly", "nowhere", "alone"],
)
def test_the_advice_is_one_sentence_that_follows_from_the_rows(
    latencies: Mapping[str, tuple[float, ...]], words: str
) -> None:
    found = advice(latencies)

    assert found.startswith(words)
    assert found.count(". ") == 0
