"""The measuring itself: who is timed when, and what happens to one that fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from bigfast.backend import check_threads
from bigfast.cpu import Machine
from bigfast.errors import BackendError, ChildEnded
from bigfast.measure.crew import Crew
from bigfast.measure.events import Block, Event, Failure, Loaded
from bigfast.measure.protocol import Protocol
from bigfast.measure.statistics import rejected_blocks
from bigfast.measure.subject import Deployment, Subject
from bigfast.store import MACHINE_LOCK, exclusive

TRIES = 3  # a subject on which its process dies or hangs twice more has failed
PAUSE_S = 3.0  # before a further round, where all blocks of the last one were disturbed
QUARANTINE_AFTER = 3  # a deployment whose process so many subjects in a row have ended is given up


def order_of_round(count: int, *, seed: int, round: int) -> list[int]:  # noqa: A002 - it is one
    """In which order the subjects come in one round: a permutation of ``range(count)``, always the same."""
    return [int(i) for i in np.random.default_rng([seed, round]).permutation(count)]


def measure(
    subjects: Sequence[Subject],
    protocol: Protocol,
    *,
    machine: Machine,
    anchor: int = 0,
    done: Iterable[Event] = (),
    memory_bytes: int | None = None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Generator[Event]:
    """Measures subjects and yields what happens as it happens.

    Blocks come in random interleaved order, a round at a time, over all deployments at once. A block is
    measured again, in an extra round, where the machine was disturbed. The machine is held
    exclusively until the iterator is exhausted or closed.

    A subject that fails is one ``Failure``, and the others go on: at once where the backend refuses it or answers
    wrongly, after two more tries where its process dies, hangs or runs out of memory.

    Args:
        subjects: What to time.
        protocol: How.
        machine: Where; its usable cores bound the threads of one runtime.
        anchor: The place of the subject that serves as drift meter.
        done: Events of an earlier, interrupted run of the same subjects and protocol; not repeated.
        memory_bytes: That a process which times may allocate; None for three quarters of what there is.
        clock: Seconds, monotonic, for ``Block.started_s``.
        pause: Waits so many seconds.

    Raises:
        InputError: more threads than usable cores.
        Busy: another process measures on this machine.
        UnknownName: a backend that is not installed.
    """
    for threads in {subject.deployment.threads for subject in subjects}:
        check_threads(threads, machine)
    events = list(done)
    start = clock() - max((e.started_s for e in events if isinstance(e, Block)), default=0.0)
    with exclusive(MACHINE_LOCK, what="this machine's clock"), ExitStack() as stack:
        crew = Crew(subjects, protocol, machine=machine, stack=stack, memory_bytes=memory_bytes)
        run = _Run(subjects, protocol, anchor, events, crew, lambda: clock() - start, pause)
        yield from run.all_rounds()


class _Run:
    """One measuring run: the events so far, and what is to be done next."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        protocol: Protocol,
        anchor: int,
        events: list[Event],
        crew: Crew,
        now: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._subjects = subjects
        self._protocol = protocol
        self._anchor = anchor
        self._events = events
        self._crew = crew
        self._now = now
        self._pause = pause
        self._failed = {e.subject for e in events if isinstance(e, Failure)}
        self._deaths: Counter[Deployment] = Counter()  # subjects in a row that ended their process
        self._since_anchor = protocol.anchor_every

    def _blocks(self) -> list[Block]:
        return [e for e in self._events if isinstance(e, Block)]

    def all_rounds(self) -> Iterator[Event]:
        protocol = self._protocol
        for number in range(protocol.rounds):
            yield from self._round(number, range(len(self._subjects)))
        before: dict[int, int] = {}
        for number in range(protocol.rounds, protocol.rounds + protocol.extra_rounds):
            wanting = self._wanting()
            if not wanting:
                break
            if wanting == before:
                self._pause(PAUSE_S)  # a burst of somebody's work goes on: at once would be in vain again
            before = wanting
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

    def _wanting(self) -> dict[int, int]:
        """How many accepted blocks each subject still wants, of those that want any."""
        blocks = self._blocks()
        bad = rejected_blocks(blocks, self._protocol)
        counts = dict.fromkeys(range(len(self._subjects)), 0)
        for block, rejected in zip(blocks, bad, strict=True):
            if not block.is_anchor and rejected is None:
                counts[block.subject] += 1
        missing = {place: self._protocol.rounds - n for place, n in counts.items() if place not in self._failed}
        return {place: n for place, n in missing.items() if n > 0}

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
        deployment = self._subjects[place].deployment
        opened, died, reason = False, False, ""
        for _ in range(TRIES):
            opened = False
            try:
                self._crew.open(deployment)
                opened = True
                yield from self._one_block(place, number)
            except ChildEnded as error:
                died, reason = True, str(error)
                continue
            except BackendError as error:  # it would say so again
                died, reason = False, str(error)
                break
            del self._deaths[deployment]
            return
        if not opened:
            yield from self._give_up(deployment, reason)
            return
        yield self._note(Failure(subject=place, reason=reason))
        self._deaths[deployment] += died
        if self._deaths[deployment] >= QUARANTINE_AFTER:
            why = f"{deployment} was given up, since {QUARANTINE_AFTER} models in a row had ended its process"
            yield from self._give_up(deployment, f"{why}: {reason}")

    def _one_block(self, place: int, number: int) -> Iterator[Event]:
        started_s = self._now()
        for told in self._crew.block(place):
            if isinstance(told, Loaded):
                yield self._note(told)
                started_s = self._now()
                continue
            yield self._note(
                Block(
                    subject=place,
                    round=number,
                    started_s=started_s,
                    warmup_s=tuple(told["warmup_s"]),
                    samples_s=tuple(told["samples_s"]),
                    steal=told["steal"],
                    throttled=told["throttled"],
                    pressure=told["pressure"],
                    waited=told["waited"],
                )
            )

    def _give_up(self, deployment: Deployment, reason: str) -> Iterator[Event]:
        for place, subject in enumerate(self._subjects):
            if subject.deployment == deployment and place not in self._failed:
                yield self._note(Failure(subject=place, reason=reason))
