from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bigfast.cpu import detect
from bigfast.errors import BackendError, Infeasible
from bigfast.measure import Deployment, Protocol, Size, Timing, summarise
from bigfast.search import Evaluation
from bigfast.search.finalists import AT_ONCE, ROUNDS, decide, timer
from bigfast.space import Arch, BertSpace, Choice, Space

ARCHS = [Arch.of(e=1, h=12, f=value) for value in range(16, 26)]
RANKED = [Evaluation(arch=arch, score=1 - place / 100) for place, arch in enumerate(ARCHS)]


class Clock:
    """Times architectures by a table of milliseconds, and notes which were asked for."""

    def __init__(self, *milliseconds: float) -> None:
        self._table = dict(zip(ARCHS, milliseconds, strict=True))
        self.asked: list[list[Arch]] = []

    def __call__(self, archs: Sequence[Arch]) -> list[Timing]:
        self.asked.append(list(archs))
        return [summarise([[self._table[arch] / 1e3]], rejected=0) for arch in archs]


def test_the_most_accurate_within_the_limit_wins() -> None:
    clock = Clock(6, 4, 3, 9, 1, 1, 1, 1, 1, 1)

    decision = decide(RANKED, limit_s=5e-3, time=clock)

    assert decision.winner.evaluation == RANKED[1]
    assert [f.within for f in decision.measured] == [False, True, True, False]
    assert clock.asked == [ARCHS[:AT_ONCE]]


def test_where_none_of_a_group_holds_the_next_are_measured() -> None:
    clock = Clock(6, 6, 6, 6, 6, 7, 8, 9, 6, 5)

    decision = decide(RANKED, limit_s=5e-3, time=clock)

    assert decision.winner.evaluation == RANKED[9]
    assert [len(group) for group in clock.asked] == [4, 4, 2]
    assert [f.evaluation for f in decision.measured] == RANKED


def test_the_upper_end_of_the_median_decides_and_not_the_fastest_call() -> None:
    def time(archs: Sequence[Arch]) -> list[Timing]:
        return [summarise([[0.001, 0.009, 0.009]], rejected=0) for _ in archs]

    with pytest.raises(Infeasible):
        decide(RANKED[:1], limit_s=5e-3, time=time)


def test_where_none_holds_the_fastest_is_told() -> None:
    with pytest.raises(Infeasible, match=r"None of the 10 candidates .* within 5 ms .* the fastest took up to 5\.5 ms"):
        decide(RANKED, limit_s=5e-3, time=Clock(6, 6, 6, 6, 6, 5.5, 8, 9, 6, 7))


TINY = BertSpace(space=Space("tiny", (Choice("e", (1, 2)), Choice("h", (12, 24)), Choice("f", (16, 32)))), heads=2)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[None]:
    """See ``tests/measure/conftest.py``."""
    with pytest.MonkeyPatch.context() as patch:
        directory = Path(__file__).parents[1] / "measure" / "fake"
        patch.setattr("bigfast.measure.run.MACHINE_LOCK", tmp_path / "lock")
        patch.syspath_prepend(directory)
        patch.setenv("PYTHONPATH", str(directory))
        yield


@pytest.mark.usefixtures("fake")
def test_finalists_are_measured_in_their_order_with_rounds_enough_for_a_p90() -> None:
    calm = {"steal_at_most": 9.0, "waited_at_most": 1e9, "drift_at_most": 1e9}
    protocol = Protocol(block_s=0.003, calls_at_least=8, **calm)
    deployment = Deployment.parse("fake")
    time = timer(TINY, protocol, deployment=deployment, size=Size(length=8), vocab=30, machine=detect())

    found = time([TINY.space.largest, TINY.space.smallest])

    assert [t.blocks for t in found] == [ROUNDS, ROUNDS]
    assert all(t.p90_s is not None for t in found)


@pytest.mark.usefixtures("fake")
def test_a_finalist_that_cannot_be_measured_is_told_by_name() -> None:
    deployment = Deployment.parse("fake:mode=refuses")
    time = timer(TINY, Protocol(), deployment=deployment, size=Size(length=8), vocab=30, machine=detect())

    with pytest.raises(
        BackendError, match="e=1 h=12 f=16 could not be measured on fake:mode=refuses@1: it refuses this model"
    ):
        time([TINY.space.smallest])
