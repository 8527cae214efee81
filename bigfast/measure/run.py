"""The measuring itself: who is timed when, by which child, and what happens to one that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from bigfast.backend import find_backend
from bigfast.cpu import Machine
from bigfast.errors import BackendError, InputError
from bigfast.measure.protocol import Block, Event, Failure, Loaded, Protocol, Subject
from bigfast.measure.statistics import rejected_blocks
from bigfast.store import MACHINE_LOCK, exclusive
from bigfast.workers import Child

LOAD_DEADLINE_S = 180.0
BLOCK_DEADLINE_S = 120.0
TRIES = 3  # a child that dies or hangs twice more on the same subject has that subject failed


class _Crew:
    """One child for each backend and variant, started when first needed and again after a death."""

    def __init__(self, subjects: Sequence[Subject], protocol: Protocol, stack: ExitStack) -> None:
        self._subjects = subjects
        self._protocol = protocol
        self._stack = stack
        self._children: dict[str, Child] = {}
        self._loaded: dict[int, float] = {}  # subject -> seconds of its fastest first call

    def _child(self, subject: Subject) -> Child:
        child = self._children.get(subject.worker)
        if child is not None and child.alive:
            return child
        for place in [p for p in self._loaded if self._subjects[p].worker == subject.worker]:
            del self._loaded[place]
        protocol = self._protocol
        child = self._stack.enter_context(
            Child(
                "bigfast.measure.worker",
                environment=find_backend(subject.backend).environment(protocol.threads),
                name=f"The process measuring {subject.worker}",
            )
        )
        table = max(
            (s.shape.vocab * s.shape.hidden for s in self._subjects if s.worker == subject.worker and s.shape),
            default=0,
        )
        opening = {
            "do": "open",
            "backend": subject.backend,
            "options": dict(subject.options),
            "threads": protocol.threads,
            "batch": protocol.batch,
            "length": protocol.length,
            "table": table,
            "seed": protocol.seed,
        }
        try:
            child.ask(opening, deadline_s=LOAD_DEADLINE_S)
        except BackendError:
            child.close()  # each try starts another
            raise
        self._children[subject.worker] = child
        return child

    def _request(self, place: int) -> dict[str, Any]:
        subject, protocol = self._subjects[place], self._protocol
        calls = round(protocol.block_s / max(self._loaded[place], 1e-6))
        return {
            "do": "block",
            "key": place,
            "warmup": protocol.warmup_calls,
            "calls": min(max(calls, protocol.calls_at_least), protocol.calls_at_most),
            "subject": subject.label,
        }

    def block(self, place: int) -> Iterator[Loaded | Mapping[str, Any]]:
        """What there is to tell about one block: first of the loading, where it was needed; then the answer."""
        subject = self._subjects[place]
        child = self._child(subject)
        if place not in self._loaded:
            answer = child.ask(subject.request(place, self._protocol.seed), deadline_s=LOAD_DEADLINE_S)
            self._loaded[place] = min(answer["first_s"])
            yield Loaded(
                subject=place,
                prepare_s=answer["prepare_s"],
                disagreement=answer["disagreement"],
                evidence=answer["evidence"],
                peak_bytes=answer["peak_bytes"],
            )
        yield child.ask(self._request(place), deadline_s=BLOCK_DEADLINE_S)

    def still_correct(self, place: int) -> bool:
        """Whether a subject that has been timed answers as it did before; True where its session is gone."""
        subject = self._subjects[place]
        if place not in self._loaded or not self._children[subject.worker].alive:
            return True
        answer = self._children[subject.worker].ask({"do": "check", "key": place}, deadline_s=BLOCK_DEADLINE_S)
        return bool(answer["agrees"])


def order_of_round(count: int, *, seed: int, round: int) -> list[int]:  # noqa: A002 - it is one
    """In which order the subjects come in one round: a permutation of ``range(count)``, always the same."""
    return [int(i) for i in np.random.default_rng([seed, round]).permutation(count)]


def check_threads(threads: int, machine: Machine) -> None:
    """Refuses more threads than there are cores for them.

    Raises:
        InputError: there are fewer cores, with their number.
    """
    if machine.usable_cores is not None and threads > machine.usable_cores:
        raise InputError(
            f"{threads} threads were asked for, but only {machine.usable_cores} cores may be used here: "
            f"use --threads {machine.usable_cores}"
        )


def measure(
    subjects: Sequence[Subject],
    protocol: Protocol,
    *,
    machine: Machine,
    anchor: int = 0,
    done: Iterable[Event] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Event]:
    """Measures subjects and yields what happens as it happens.

    Blocks come in random interleaved order, a round at a time, over all backends at once. A block is
    measured again, in an extra round, where the machine was disturbed. The machine is held
    exclusively until the iterator is exhausted or closed.

    Args:
        subjects: What to time.
        protocol: How.
        machine: Where; its usable cores bound the threads.
        anchor: The place of the subject that serves as drift meter.
        done: Events of an earlier, interrupted run of the same subjects and protocol; not repeated.
        clock: Seconds, monotonic, for ``Block.started_s``.

    Raises:
        InputError: more threads than usable cores.
        Busy: another process measures on this machine.
        UnknownName: a backend that is not installed.
    """
    check_threads(protocol.threads, machine)
    events = list(done)
    start = clock() - max((e.started_s for e in events if isinstance(e, Block)), default=0.0)
    with exclusive(MACHINE_LOCK, what="this machine's clock"), ExitStack() as stack:
        run = _Run(subjects, protocol, anchor, events, _Crew(subjects, protocol, stack), lambda: clock() - start)
        yield from run.all_rounds()


class _Run:
    """One measuring run: the events so far, and what is to be done next."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        protocol: Protocol,
        anchor: int,
        events: list[Event],
        crew: _Crew,
        now: Callable[[], float],
    ) -> None:
        self._subjects = subjects
        self._protocol = protocol
        self._anchor = anchor
        self._events = events
        self._crew = crew
        self._now = now
        self._failed = {e.subject for e in events if isinstance(e, Failure)}
        self._since_anchor = protocol.anchor_every

    def _blocks(self) -> list[Block]:
        return [e for e in self._events if isinstance(e, Block)]

    def all_rounds(self) -> Iterator[Event]:
        protocol = self._protocol
        for number in range(protocol.rounds):
            yield from self._round(number, range(len(self._subjects)))
        for number in range(protocol.rounds, protocol.rounds + protocol.extra_rounds):
            wanting = self._disturbed()
            if not wanting:
                break
            yield from self._round(number, wanting)
        yield from self._anchor_block()
        for place in range(len(self._subjects)):
            if place in self._failed:
                continue
            try:
                reason = "" if self._crew.still_correct(place) else "its answers changed while it was timed"
            except BackendError as error:
                reason = str(error)
            if reason:
                yield self._note(Failure(subject=place, reason=reason))

    def _disturbed(self) -> list[int]:
        blocks = self._blocks()
        bad = rejected_blocks(blocks, self._protocol)
        counts = dict.fromkeys(range(len(self._subjects)), 0)
        for block, rejected in zip(blocks, bad, strict=True):
            if not block.is_anchor and rejected is None:
                counts[block.subject] += 1
        return [p for p, n in counts.items() if n < self._protocol.rounds and p not in self._failed]

    def _round(self, number: int, places: Iterable[int]) -> Iterator[Event]:
        wanted = set(places) - {b.subject for b in self._blocks() if b.round == number}
        for place in order_of_round(len(self._subjects), seed=self._protocol.seed, round=number):
            if place not in wanted or place in self._failed:
                continue
            if self._since_anchor >= self._protocol.anchor_every:
                yield from self._anchor_block()
                if place in self._failed:  # it was the anchor
                    continue
            yield from self._block(place, number)
            self._since_anchor += 1

    def _anchor_block(self) -> Iterator[Event]:
        self._since_anchor = 0
        if self._anchor not in self._failed:
            yield from self._block(self._anchor, -1)

    def _note(self, event: Event) -> Event:
        if isinstance(event, Failure):
            self._failed.add(event.subject)
        self._events.append(event)
        return event

    def _block(self, place: int, number: int) -> Iterator[Event]:
        reason = ""
        for _ in range(TRIES):
            started = self._now()
            try:
                for told in self._crew.block(place):
                    if isinstance(told, Loaded):
                        yield self._note(told)
                        started = self._now()
                        continue
                    yield self._note(
                        Block(
                            subject=place,
                            round=number,
                            started_s=started,
                            warmup_s=tuple(told["warmup_s"]),
                            samples_s=tuple(told["samples_s"]),
                            steal=told["steal"],
                            throttled=told["throttled"],
                            pressure=told["pressure"],
                        )
                    )
                return
            except BackendError as error:
                reason = str(error)
        yield self._note(Failure(subject=place, reason=reason))
