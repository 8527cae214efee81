"""Whether a model keeps its limit: measured in fresh processes, judged by the upper end of an interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bigfast.cpu import Machine
from bigfast.errors import BackendError
from bigfast.measure import (
    Block,
    Deployment,
    Event,
    Failure,
    Protocol,
    Size,
    Subject,
    Timing,
    measure,
    rejected_blocks,
    summarise,
)

PROCESSES = 3
LEAST_BLOCKS = 4  # of each process, however little time there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A measured median latency and the limit it was held against.

    Attributes:
        timing: Over all processes.
        limit_s: On the median, seconds; None where there is none.
        processes: Fresh processes that were timed.
    """

    timing: Timing
    limit_s: float | None
    processes: int

    @property
    def holds(self) -> bool:
        """Whether the upper end of the median's 95 % interval lies within the limit."""
        return self.limit_s is None or self.timing.p50_high_s <= self.limit_s

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description, latencies in seconds."""
        timing = self.timing
        return {
            "limit_s": self.limit_s,
            "holds": self.holds,
            "p50_s": timing.p50_s,
            "p50_low_s": timing.p50_low_s,
            "p50_high_s": timing.p50_high_s,
            "p90_s": timing.p90_s,
            "calls": timing.calls,
            "blocks": timing.blocks,
            "rejected": timing.rejected,
            "verdict": timing.verdict,
            "processes": self.processes,
        }


def _blocks_within(events: Iterator[Event], budget_s: float, clock: Callable[[], float]) -> Iterator[Block]:
    """The blocks of one process, from its first on for so many seconds, and a few at the least."""
    start: float | None = None
    count = 0
    for event in events:
        if isinstance(event, Failure):
            raise BackendError(event.reason)
        if isinstance(event, Block):
            start = clock() if start is None else start
            count += not event.is_anchor
            yield event
            if count >= LEAST_BLOCKS and clock() - start >= budget_s:
                return


def measure_promise(
    model: Path,
    *,
    deployment: Deployment,
    size: Size,
    protocol: Protocol,
    machine: Machine,
    limit_s: float | None,
    budget_s: float = 60.0,
    told: Callable[[float], None] = lambda share: None,
    clock: Callable[[], float] = time.monotonic,
) -> Promise:
    """Times a stock directory on a backend for about ``budget_s`` seconds over three fresh processes.

    Args:
        model: A stock directory.
        deployment: On what.
        size: Of the inputs.
        protocol: The rules of rejection; rounds are as many as the time allows.
        machine: This machine.
        limit_s: On the median, seconds; None to measure only.
        budget_s: Seconds for all processes together.
        told: Told the share of the time that has passed.
        clock: Seconds, monotonic.

    Raises:
        Busy: another process measures on this machine.
        BackendError: the backend fails on the model.
    """
    subject = Subject(deployment=deployment, size=size, label=model.name, model=model)
    good: list[tuple[float, ...]] = []
    bad: list[tuple[float, ...]] = []
    for number in range(PROCESSES):
        told(number / PROCESSES)
        rules = replace(protocol, rounds=100_000, seed=protocol.seed + number)
        with closing(measure([subject], rules, machine=machine)) as events:  # frees the machine for the next process
            blocks = list(_blocks_within(events, budget_s / PROCESSES, clock))
        for block, reason in zip(blocks, rejected_blocks(blocks, rules), strict=True):
            if not block.is_anchor:
                (good if reason is None else bad).append(block.samples_s)
    told(1.0)
    timing = summarise(good or bad, rejected=len(bad))
    return Promise(timing=timing, limit_s=limit_s, processes=PROCESSES)
