"""The best candidates measured on this machine: the most accurate one that really meets its limit wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bigfast.cpu import Machine
from bigfast.errors import BackendError, Infeasible
from bigfast.measure import Block, Deployment, Failure, Protocol, Size, Subject, Timing, measure, timings
from bigfast.search.core import Evaluation
from bigfast.space import Arch, BertSpace

AT_ONCE = 4
ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """A candidate that was measured."""

    evaluation: Evaluation
    timing: Timing
    within: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The winner under one limit, and all that were measured on the way to it, best accuracy first."""

    winner: Finalist
    measured: tuple[Finalist, ...]


def decide(
    ranked: Sequence[Evaluation],
    *,
    limit_s: float,
    time: Callable[[Sequence[Arch]], Sequence[Timing]],
) -> Decision:
    """Measures candidates, a few at a time from the most accurate down, until one meets the limit.

    Args:
        ranked: Candidates, most accurate first.
        limit_s: On the upper end of the median's 95 % interval, seconds.
        time: Measures some architectures.

    Raises:
        Infeasible: none meets it.
    """
    measured: list[Finalist] = []
    for start in range(0, len(ranked), AT_ONCE):
        group = ranked[start : start + AT_ONCE]
        for evaluation, timing in zip(group, time([e.arch for e in group]), strict=True):
            measured.append(Finalist(evaluation=evaluation, timing=timing, within=timing.p50_high_s <= limit_s))
        within = next((finalist for finalist in measured if finalist.within), None)
        if within is not None:
            return Decision(winner=within, measured=tuple(measured))
    fastest = min((f.timing.p50_high_s for f in measured), default=float("nan"))
    raise Infeasible(
        f"None of the {len(measured)} candidates that were predicted to answer within {limit_s * 1e3:g} ms did so when "
        f"measured: the fastest took up to {fastest * 1e3:.3g} ms; profile this machine again, or raise the limit"
    )


def timer(
    space: BertSpace, protocol: Protocol, *, deployment: Deployment, size: Size, vocab: int, machine: Machine
) -> Callable[[Sequence[Arch]], list[Timing]]:
    """Measures architectures with random weights, interleaved, in a fresh process each time."""

    def time(archs: Sequence[Arch]) -> list[Timing]:
        subjects = [
            Subject(
                deployment=deployment,
                size=size,
                label=str(arch),
                shape=space.shape(arch, vocab=vocab, positions=max(512, size.length), labels=3),
            )
            for arch in archs
        ]
        rounds = replace(protocol, rounds=ROUNDS)
        events = list(measure(subjects, rounds, machine=machine, anchor=len(subjects) - 1))
        for event in events:
            if isinstance(event, Failure):
                raise BackendError(f"{archs[event.subject]} could not be measured on {deployment}: {event.reason}")
        found = timings([event for event in events if isinstance(event, Block)], rounds)
        return [found[place] for place in range(len(subjects))]

    return time
