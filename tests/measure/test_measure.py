from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest

from bigfast.backend import Weights
from bigfast.backend.stock import save_stock
from bigfast.cpu import detect
from bigfast.errors import BackendError, Busy, InputError, UnknownName
from bigfast.measure import (
    Block,
    Deployment,
    Event,
    Failure,
    Loaded,
    Protocol,
    Size,
    Subject,
    crew,
    measure,
    order_of_round,
    worker,
)
from bigfast.measure import run as running
from bigfast.space import BertShape
from bigfast.workers import Child

MACHINE = detect()
# Nothing is rejected: these tests are of the order and of failures, on a machine that others use.
CALM = {"steal_at_most": 9.0, "waited_at_most": 1e9, "drift_at_most": 1e9}
PROTOCOL = Protocol(rounds=2, extra_rounds=0, block_s=0.005, anchor_every=3, seed=4, **CALM)


def subject(layers: int = 1, on: str = "fake", **changes: Any) -> Subject:
    shape = BertShape(layers=layers, hidden=24, ffn=16, heads=2, vocab=30, positions=16)
    values = {"deployment": Deployment.parse(on), "size": Size(length=8), "label": f"e={layers}", "shape": shape}
    return Subject(**{**values, **changes})


SUBJECTS = [subject(layers) for layers in (1, 2, 3, 4)]
BROKEN = subject(on="fake:mode=refuses")


def ran(events: list[Event]) -> list[tuple[int, int]]:
    """(round, subject) of each block, in the order of time, the anchor's left out."""
    return [(e.round, e.subject) for e in events if isinstance(e, Block) and not e.is_anchor]


def planned(rounds: int = 2, count: int = len(SUBJECTS)) -> list[tuple[int, int]]:
    return [(n, place) for n in range(rounds) for place in order_of_round(count, seed=4, round=n)]


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_a_round_is_a_permutation_that_follows_from_seed_and_number(count: int) -> None:
    order = order_of_round(count, seed=1, round=2)

    assert sorted(order) == list(range(count))
    assert order == order_of_round(count, seed=1, round=2)


def test_rounds_and_seeds_have_different_orders() -> None:
    orders = [tuple(order_of_round(50, seed=s, round=n)) for s in (0, 1) for n in (0, 1)]

    assert len(set(orders)) == 4


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """One real run of four models on PyTorch."""
    return list(
        measure(
            [replace(s, deployment=Deployment.parse("torch-fp32")) for s in SUBJECTS],
            PROTOCOL,
            machine=MACHINE,
            anchor=1,
        )
    )


def test_what_ran_is_what_was_planned_in_the_interleaved_order(events: list[Event]) -> None:
    assert ran(events) == planned()


def test_the_anchor_is_measured_first_then_after_every_few_blocks_and_last(events: list[Event]) -> None:
    kinds = [e.is_anchor for e in events if isinstance(e, Block)]

    assert kinds == [True, False, False, False, True, False, False, False, True, False, False, True]
    assert {e.subject for e in events if isinstance(e, Block) and e.is_anchor} == {1}


def test_each_model_is_loaded_and_found_correct_once_before_it_is_timed(events: list[Event]) -> None:
    loaded = [e.subject for e in events if isinstance(e, Loaded)]

    assert sorted(loaded) == [0, 1, 2, 3]
    assert all(e.disagreement < 1e-3 and e.peak_bytes > 0 for e in events if isinstance(e, Loaded))
    assert all(
        isinstance(events[place - 1], Loaded)
        for place, e in enumerate(events)
        if isinstance(e, Block) and e.subject not in {b.subject for b in events[:place] if isinstance(b, Block)}
    )


def test_a_block_has_the_calls_that_the_protocol_asks_for(events: list[Event]) -> None:
    blocks = [e for e in events if isinstance(e, Block)]

    # Two warm-ups, but one before a block of few calls.
    assert all(len(b.warmup_s) == (2 if len(b.samples_s) >= 16 else 1) for b in blocks)
    assert all(PROTOCOL.calls_at_least <= len(b.samples_s) <= PROTOCOL.calls_at_most for b in blocks)
    assert all(s > 0 for b in blocks for s in (*b.warmup_s, *b.samples_s))


def test_blocks_are_read_as_they_were_written(events: list[Event]) -> None:
    blocks = [e for e in events if isinstance(e, Block)]

    assert [Block.from_json({**b.to_json(), "a field of later": 1}) for b in blocks] == blocks


def test_no_process_is_left_behind_and_the_lock_is_free(events: list[Event], lock: Path) -> None:
    left = [p for p in psutil.Process().children(recursive=True) if "bigfast.measure.worker" in p.cmdline()]

    assert not left
    list(measure(SUBJECTS[:1], replace(PROTOCOL, rounds=1), machine=MACHINE))


def test_a_run_that_was_interrupted_goes_on_where_it_stopped() -> None:
    first = measure(SUBJECTS, PROTOCOL, machine=MACHINE, anchor=1)
    before = []
    for event in first:
        before.append(event)
        if len(ran(before)) == 3:
            break
    first.close()

    after = list(measure(SUBJECTS, PROTOCOL, machine=MACHINE, anchor=1, done=before))

    assert ran(before) + ran(after) == planned()
    assert min(e.started_s for e in after if isinstance(e, Block)) >= max(
        e.started_s for e in before if isinstance(e, Block)
    )


def test_a_run_that_is_finished_measures_only_the_anchor_again(events: list[Event]) -> None:
    again = list(measure(SUBJECTS, PROTOCOL, machine=MACHINE, anchor=1, done=events))

    assert ran(again) == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (BROKEN, "it refuses this model"),
        (subject(on="fake-missing"), "'fake-missing' cannot be used here: pip install it"),
        (subject(on="fake:mode=wrong"), "answers wrongly: its logits lie"),
        (subject(on="fake:mode=nan"), "answers wrongly: its logits lie nan"),
        (subject(on="fake:mode=dies"), "signal SIGKILL"),
    ],
    ids=lambda value: str(value.deployment) if isinstance(value, Subject) else "",
)
def test_a_backend_that_fails_is_one_failure_and_the_others_go_on(broken: Subject, reason: str) -> None:
    found = list(measure([broken, *SUBJECTS[:2]], PROTOCOL, machine=MACHINE, anchor=0))

    failures = [e for e in found if isinstance(e, Failure)]
    assert [e.subject for e in failures] == [0]
    assert reason in failures[0].reason
    assert [pair for pair in ran(found) if pair[1] != 0] == [pair for pair in planned(count=3) if pair[1] != 0]


def test_a_model_whose_answers_changed_while_it_was_timed_is_a_failure_at_the_end() -> None:
    found = list(measure([subject(on="fake:mode=drifts"), SUBJECTS[0]], PROTOCOL, machine=MACHINE))

    assert found[-1] == Failure(subject=0, reason="its answers changed while it was timed")
    assert ran(found) == planned(count=2)


def test_a_failure_of_an_earlier_run_is_not_tried_again() -> None:
    known = Failure(subject=0, reason="it failed before")

    found = list(measure([BROKEN, SUBJECTS[0]], PROTOCOL, machine=MACHINE, anchor=1, done=[known]))

    assert not [e for e in found if isinstance(e, Failure)]
    assert {place for _, place in ran(found)} == {1}


def test_a_model_directory_can_be_timed(tmp_path: Path) -> None:
    shape = BertShape(layers=1, hidden=24, ffn=16, heads=2, vocab=30, positions=16)
    save_stock(Weights.random(shape, seed=0), ("a", "b", "c"), tmp_path / "model")
    one = subject(shape=None, model=tmp_path / "model", label="a model")

    found = list(measure([one], PROTOCOL, machine=MACHINE))

    assert ran(found) == [(0, 0), (1, 0)]


@pytest.mark.parametrize(("extra", "rounds"), [(3, [0, 1, 2, 3]), (1, [0, 1, 2])])
def test_disturbed_blocks_are_measured_again_in_extra_rounds_and_no_others(
    monkeypatch: pytest.MonkeyPatch, extra: int, rounds: list[int]
) -> None:
    def first_two_rounds_of_one(blocks: Sequence[Block], protocol: Protocol) -> list[str | None]:
        return ["steal 2.0%" if b.subject == 1 and b.round in (0, 1) else None for b in blocks]

    monkeypatch.setattr(running, "rejected_blocks", first_two_rounds_of_one)

    found = list(measure(SUBJECTS[:3], replace(PROTOCOL, extra_rounds=extra), machine=MACHINE))

    assert [n for n, place in ran(found) if place == 1] == rounds
    assert [n for n, place in ran(found) if place != 1] == [0, 0, 1, 1]


def test_where_a_whole_extra_round_was_disturbed_the_next_one_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(running, "rejected_blocks", lambda blocks, protocol: ["steal 2.0%"] * len(blocks))

    found = list(measure(SUBJECTS[:1], replace(PROTOCOL, extra_rounds=3), machine=MACHINE, pause=pauses.append))

    assert [n for n, _ in ran(found)] == [0, 1, 2, 3, 4]
    assert pauses == [running.PAUSE_S] * 2


class Dying(Child):
    """Kills its process before the given numbers of blocks."""

    deaths: tuple[int, ...] = ()
    blocks = 0
    made: list[Dying] = []  # noqa: RUF012 - all of them, on purpose

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Dying.made.append(self)

    def send(self, request: Mapping[str, Any]) -> None:
        if request["do"] == "block":
            Dying.blocks += 1
            if Dying.blocks in Dying.deaths:
                os.kill(self._process.pid, signal.SIGKILL)
        super().send(request)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> type[Dying]:
    monkeypatch.setattr(crew, "Child", Dying)
    monkeypatch.setattr(Dying, "blocks", 0)
    monkeypatch.setattr(Dying, "made", [])
    return Dying


def test_a_child_that_dies_once_is_replaced_and_no_block_is_lost(
    dying: type[Dying], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dying, "deaths", (4,))

    found = list(measure(SUBJECTS[:2], PROTOCOL, machine=MACHINE))

    assert ran(found) == planned(count=2)
    assert not [e for e in found if isinstance(e, Failure)]
    assert len(dying.made) == 2


def test_a_model_on_which_its_child_dies_three_times_fails_and_the_others_go_on(
    dying: type[Dying], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dying, "deaths", (2, 3, 4))  # the first block is the anchor's

    found = list(measure(SUBJECTS[:3], PROTOCOL, machine=MACHINE, anchor=planned(count=3)[1][1]))

    first = planned(count=3)[0][1]
    failures = [e for e in found if isinstance(e, Failure)]
    assert [e.subject for e in failures] == [first]
    assert "signal SIGKILL" in failures[0].reason
    assert ran(found) == [pair for pair in planned(count=3) if pair[1] != first]


def test_a_child_that_cannot_open_its_backend_does_not_stay(
    dying: type[Dying], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try starts another; a hundred architectures would leave three hundred."""
    alive = []

    def die(self: Dying, request: Mapping[str, Any]) -> None:
        alive.append(sum(child.alive for child in dying.made))
        os.kill(self._process.pid, signal.SIGKILL)
        Child.send(self, request)

    monkeypatch.setattr(Dying, "send", die)
    found = list(measure(SUBJECTS[:2], PROTOCOL, machine=MACHINE))

    assert [(e.subject, "SIGKILL" in e.reason) for e in found if isinstance(e, Failure)] == [(0, True), (1, True)]
    assert alive == [1] * 3


def test_a_child_that_breaks_at_the_last_check_is_a_failure_and_the_others_stay(
    dying: type[Dying], monkeypatch: pytest.MonkeyPatch
) -> None:

    def breaks(self: Child, request: Mapping[str, Any]) -> None:
        if request["do"] == "check" and request["key"] == 1:
            raise BackendError("it broke")
        Child.send(self, request)

    monkeypatch.setattr(Dying, "send", breaks)
    found = list(measure(SUBJECTS[:3], PROTOCOL, machine=MACHINE))

    assert [e for e in found if isinstance(e, Failure)] == [Failure(subject=1, reason="it broke")]


def test_a_deployment_is_given_up_after_three_models_in_a_row_have_ended_its_process(dying: type[Dying]) -> None:
    deadly = [subject(layers, on="fake:mode=dies") for layers in (1, 2, 3, 4, 5)]

    found = list(measure([SUBJECTS[0], *deadly], PROTOCOL, machine=MACHINE))

    reasons = {e.subject: e.reason for e in found if isinstance(e, Failure)}
    assert sorted(reasons) == [1, 2, 3, 4, 5]
    given_up = [reason for reason in reasons.values() if "fake:mode=dies@1 was given up" in reason]
    assert len(given_up) == 2
    assert ran(found) == [(0, 0), (1, 0)]
    assert len(dying.made) == 1 + 3 * 3


def test_a_backend_that_exhausts_its_memory_limit_is_a_failure_that_says_so() -> None:
    found = list(measure([subject(on="fake:mode=hungry"), SUBJECTS[0]], PROTOCOL, machine=MACHINE, memory_bytes=2**31))

    failures = [e for e in found if isinstance(e, Failure)]
    assert [e.subject for e in failures] == [0]
    assert failures[0].reason.endswith("was out of memory: it may allocate 2.0 GiB")
    assert {place for _, place in ran(found)} == {1}


def test_a_backend_that_hangs_is_ended_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "LOAD_DEADLINE_S", 0.5)

    found = list(measure([subject(on="fake:mode=hangs"), SUBJECTS[0]], PROTOCOL, machine=MACHINE, anchor=1))

    failures = [e for e in found if isinstance(e, Failure)]
    assert [e.subject for e in failures] == [0]
    assert "did not answer within 0 s and was ended" in failures[0].reason
    assert {place for _, place in ran(found)} == {1}


def test_one_session_serves_inputs_of_all_sizes() -> None:
    sizes = [subject(3, size=size) for size in (Size(1, 4), Size(1, 16), Size(4, 8))]

    found = list(measure(sizes, PROTOCOL, machine=MACHINE))

    loaded = [e for e in found if isinstance(e, Loaded)]
    assert sorted(e.subject for e in loaded) == [0, 1, 2]
    assert len({e.prepare_s for e in loaded}) == 1
    assert ran(found) == planned(count=3)


def test_workers_of_one_deployment_are_timed_in_the_same_window(dying: type[Dying]) -> None:
    found = list(measure([subject(on="fake@1x3")], PROTOCOL, machine=MACHINE))

    blocks = [e for e in found if isinstance(e, Block)]
    assert len(dying.made) == 3
    assert ran(found) == [(0, 0), (1, 0)]
    assert all(len(b.samples_s) >= 3 * PROTOCOL.calls_at_least for b in blocks)


def test_waiting_is_not_told_where_workers_must_wait_for_each_other() -> None:
    two_cores = replace(MACHINE, usable_cores=2)

    blocks = [e for e in measure([subject(on="fake@1x3")], PROTOCOL, machine=two_cores) if isinstance(e, Block)]

    assert {b.waited for b in blocks} == {None}


def test_only_calls_that_lie_wholly_inside_a_window_count() -> None:
    times = iter([0.0, 3.0, 6.0, 9.0, 12.0])

    warmup, samples = worker.timed_window(lambda: None, start_s=2.0, end_s=10.0, clock=lambda: next(times))

    assert (warmup, samples) == ([3.0], [3.0, 3.0])


def test_more_threads_than_cores_are_refused() -> None:
    cores = MACHINE.usable_cores or 1

    with pytest.raises(InputError, match=f"{cores + 1} threads .* only {cores} cores .*--threads {cores}"):
        next(measure([subject(on=f"fake@{cores + 1}")], PROTOCOL, machine=replace(MACHINE, usable_cores=cores)))


def test_a_second_measurement_at_once_is_refused_with_the_process_of_the_first(lock: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from bigfast.store import exclusive\n"
        "with exclusive(Path(sys.argv[1]), what='it'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        try:
            with pytest.raises(Busy, match=f"Process {holder.pid} is using this machine's clock"):
                next(measure(SUBJECTS, PROTOCOL, machine=MACHINE))
        finally:
            holder.kill()


def test_the_machine_is_held_until_the_run_is_closed() -> None:
    run = measure(SUBJECTS, PROTOCOL, machine=MACHINE)
    list(islice(run, 1))

    with pytest.raises(Busy):
        next(measure(SUBJECTS, PROTOCOL, machine=MACHINE))
    run.close()


def test_an_unknown_backend_is_told_before_anything_is_timed() -> None:
    with pytest.raises(UnknownName, match="did you mean"):
        list(measure([subject(on="torch-fp3")], PROTOCOL, machine=MACHINE))


def test_a_protocol_is_read_as_it_was_written() -> None:
    assert Protocol.from_json({**PROTOCOL.to_json(), "a field of later": 1}) == PROTOCOL


@pytest.mark.parametrize("value", [{"rounds": "many"}, {"block_s": None}, {"rounds": 0}, {"anchor_every": -1}])
def test_json_that_describes_no_protocol_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Protocol.from_json(value)


@pytest.mark.parametrize("changes", [{"shape": None}, {"model": Path("/")}])
def test_a_subject_is_either_a_shape_or_a_directory(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="needs either a shape or a model's directory"):
        subject(**changes)
