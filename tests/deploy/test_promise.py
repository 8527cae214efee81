from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bigfast.cpu import detect
from bigfast.deploy.promise import PROCESSES, Promise, measure_promise
from bigfast.errors import BackendError
from bigfast.measure import Deployment, Protocol, Size, summarise

PROTOCOL = Protocol(block_s=0.002, steal_at_most=9.0, waited_at_most=1e9, drift_at_most=1e9)
DEPLOYMENT = Deployment.parse("onnxruntime-int8:recipe=linear")


def promise(limit_s: float | None) -> Promise:
    timing = summarise([[1.0, 1.1, 1.2], [1.0, 1.1, 1.3]], rejected=0)
    return Promise(timing=timing, limit_s=limit_s, processes=3)


def test_a_limit_holds_only_if_the_upper_end_of_the_interval_lies_within_it() -> None:
    found = promise(None).timing

    assert promise(found.p50_high_s).holds
    assert not promise(0.999 * found.p50_high_s).holds


def test_without_a_limit_there_is_nothing_to_break() -> None:
    assert promise(None).holds


def test_every_process_gives_blocks_however_little_time_there_is(tiny: Any, own_lock: None) -> None:
    found = measure_promise(
        tiny.teacher,
        deployment=DEPLOYMENT,
        size=Size(length=8),
        protocol=PROTOCOL,
        machine=detect(),
        limit_s=10.0,
        budget_s=0.001,
    )

    assert found.timing.blocks >= 4 * PROCESSES
    assert found.holds


def test_a_model_that_cannot_be_loaded_is_one_sentence(tmp_path: Path, own_lock: None) -> None:
    with pytest.raises(BackendError, match="holds no model"):
        measure_promise(
            tmp_path,
            deployment=DEPLOYMENT,
            size=Size(length=8),
            protocol=PROTOCOL,
            machine=detect(),
            limit_s=None,
            budget_s=0.001,
        )
