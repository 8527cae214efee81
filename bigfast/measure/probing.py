"""The probe: which kernel multiplies when, in which child, and what happens to one that fails.

Shapes come one after another, and at each of them all kernels take turns in short slices, round after round: a
neighbour's burst then spoils a slice of each and not all of one. The fastest call of a kernel is its time, since what
disturbs only adds to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bigfast.backend import MultipliesMatrices, backend_names, find_backend
from bigfast.cpu import Machine, change, read_health
from bigfast.errors import BackendError, UnknownName
from bigfast.measure.peaks import FEWEST_SHAPES, MEMORY, PRECISIONS, Peak, Peaks, ThreadPeaks, one_line
from bigfast.measure.subject import threads_in_words
from bigfast.store import MACHINE_LOCK, exclusive
from bigfast.workers import Child

__all__ = ["SHAPES", "probe"]

# (m, k, n): 128 tokens through a wide layer first, then larger ones, until neither the caches nor the waking of threads
# hold a kernel back. The last is for machines of many cores, as ENOUGH_S says.
SHAPES = (
    (128, 768, 3072),
    (512, 1024, 1024),
    (256, 2048, 2048),
    (1024, 1024, 2048),
    (1024, 2048, 2048),
    (2048, 2048, 4096),
)
ROUNDS = 3
SLICE_S = 0.006
MEMORY_SLICE_S = 0.04
LAST_SLICE_S = 0.15  # of the best of each precision once more, for short slices fall short by a few percent
# A kernel is given no call that would take longer than this at its best rate so far: it is far from any peak.
LONG_CALL_S = 0.1
# Of the shapes beyond the fewest, it is given none where a call would take longer than this: threads wake within tens
# of microseconds, so that a larger product would be no faster.
ENOUGH_S = 0.01
# A kernel below this share of the fastest of its precision is given no further round of a shape.
HOPELESS = 0.8

BUDGET_S = 18.0  # nothing is begun afterwards; what is still running is ended
OPEN_DEADLINE_S = 8.0  # a runtime is imported
HUNG_S = 3.0  # every other request takes a small part of this

# Beyond the caches: an array is four times the last level that one core sees, and 16 MiB for each thread, which is
# more than a core's share of any last level that is made of several.
CACHES, THREAD_BYTES, LEAST_BYTES, MOST_BYTES = 4, 16 * 2**20, 64 * 2**20, 2 * 2**30
MEMORY_SHARE = 16  # of the machine's memory; there are two such arrays

Tell = Callable[[float, float, str], None]


def _silent(done: float, total: float, text: str) -> None:
    """Tells nobody."""


def probe(
    machine: Machine,
    *,
    backends: Sequence[str] | None = None,
    tell: Tell = _silent,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> Peaks:
    """Measures the peaks of matrix products and of memory bandwidth, at 1 thread and at all usable ones.

    The int8 peak is that of the fastest kernel of all backends over all shapes, whatever it does besides multiplying.
    A kernel that fails, crashes, hangs or multiplies wrongly is left out with its reason. Memory bandwidth is that of
    NumPy's copies between arrays beyond the caches, bytes read and bytes written both counted; where the processor
    reads a line before writing it, the wires carry up to half as much again.

    Args:
        machine: This machine.
        backends: Whose products are tried; all that are installed where this is None.
        tell: Is told how far it has come, as (done, total, text), while nothing is timed.
        budget_s: How long it may take; the ending of a process comes on top.
        clock: Seconds, monotonic.

    Raises:
        Busy: another process measures on this machine.
        UnknownName: no installed package offers a backend of that name.
    """
    cores = machine.usable_cores or os.cpu_count() or 1
    counts = sorted({1, cores})
    skipped: dict[str, str] = {}
    offering = _offering(backend_names() if backends is None else backends, skipped)
    ends_s = clock() + budget_s
    found = []
    with exclusive(MACHINE_LOCK, what="this machine's clock"):
        before = read_health()
        for place, threads in enumerate(counts):
            share_s = (ends_s - clock()) / (len(counts) - place)  # what one count leaves is the next one's
            crew = _Crew(threads, offering, skipped, ends_s=clock() + share_s, clock=clock)

            def told(done: float, text: str, place: int = place) -> None:
                tell(place + done, len(counts), text)

            try:
                found.append(_Turns(crew, machine, told).run())
            finally:
                crew.close()
        steal_share = change(before, read_health()).steal_share
    return Peaks(at=tuple(found), skipped=skipped, steal_share=steal_share)


def _offering(names: Sequence[str], skipped: dict[str, str]) -> list[str]:
    """The backends that offer products and can be used here; the reasons of those that cannot go to ``skipped``."""
    found = []
    for name in names:
        try:
            backend = find_backend(name)
            state = backend.available()
        except UnknownName:
            raise
        except Exception as error:  # another package's code: whatever it raises leaves it out
            skipped[name] = one_line(str(error))
            continue
        if not isinstance(backend, MultipliesMatrices):
            continue
        if state.usable:
            found.append(name)
        else:
            skipped[name] = one_line(state.reason)
    return found


class _TimeIsUp(Exception):
    """The share of one thread count is spent."""


class _Crew:
    """One child at a time, started again after a death without what killed it."""

    def __init__(
        self,
        threads: int,
        backends: Sequence[str],
        skipped: dict[str, str],
        *,
        ends_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.threads = threads
        self.skipped = skipped
        self._backends = backends
        self._ends_s = ends_s
        self._clock = clock
        self._child: Child | None = None
        self._prepared: set[str] = set()
        self._checked: set[str] = set()
        self.kernels: dict[str, str] = {}  # label -> precision, of all that any child had

    def _start(self) -> Child:
        self._prepared.clear()
        environment: dict[str, str] = {}
        for name in self._backends:
            try:
                environment.update(find_backend(name).environment(self.threads))
            except Exception as error:  # another package's code: whatever it raises leaves it out
                self.skipped[name] = one_line(str(error))
        return Child("bigfast.measure.peaks_worker", environment=environment, name="The probing process")

    def ready(self) -> Child:
        """A living child that has opened every backend that has not failed."""
        while self._child is None or not self._child.alive:
            self.close()
            self._child = self._start()
            for name in self._backends:
                request = {"do": "open", "backend": name, "threads": self.threads}
                if name in self.skipped:
                    continue
                answer = self._ask(self._child, name, request, deadline_s=OPEN_DEADLINE_S)
                self.kernels.update(dict((answer or {}).get("kernels", ())))
                if not self._child.alive:
                    break
        return self._child

    def _ask(
        self, child: Child, culprit: str, request: Mapping[str, Any], *, deadline_s: float | None = None
    ) -> dict[str, Any] | None:
        """The answer; None where there is none, and then the culprit is skipped from now on."""
        left_s = self._ends_s - self._clock()
        if left_s <= 0:
            raise _TimeIsUp
        try:
            return child.ask(request, deadline_s=min(deadline_s or HUNG_S, left_s))
        except BackendError as error:
            if self._clock() >= self._ends_s:
                raise _TimeIsUp from error  # it was not given the time to show that it works
            self.skipped[culprit] = one_line(str(error))
            return None

    def ask(self, culprit: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """As ``_ask``, of a child that is ready."""
        return None if culprit in self.skipped else self._ask(self.ready(), culprit, request)

    def time_s(self, label: str, shape: tuple[int, int, int], *, slice_s: float = SLICE_S) -> float | None:
        """Seconds of a kernel's fastest call in one slice, once it is known to multiply correctly; None: it fails."""
        if label in self.skipped:
            return None
        child = self.ready()
        if label not in self._checked:
            if self._ask(child, label, {"do": "check", "kernel": label}) is None:
                return None
            self._checked.add(label)
        if label not in self._prepared:
            if self._ask(child, label, {"do": "prepare", "kernel": label, "shape": shape}) is None:
                return None
            self._prepared.add(label)
        request = {"do": "time", "kernel": label, "slice_s": slice_s, "long_s": LONG_CALL_S}
        answer = self._ask(child, label, request)
        return None if answer is None else max(float(answer["fastest_s"]), 1e-9)

    def drop(self) -> None:
        """Frees all products, for those of another shape."""
        self._prepared.clear()
        if self._child is not None and self._child.alive:
            self._ask(self._child, "freeing memory", {"do": "drop"})

    def close(self) -> None:
        """Ends the child at once: it has nothing to put away."""
        if self._child is not None:
            self._child.kill()
            self._child.close()
            self._child = None


class _Turns:
    """All kernels and the memory at one thread count."""

    def __init__(self, crew: _Crew, machine: Machine, told: Callable[[float, str], None]) -> None:
        self._crew = crew
        self._told = told
        self._copied_bytes = _copied_bytes(machine, crew.threads)
        self._rates: dict[str, Peak] = {}  # label -> the kernel's own peak
        self._memory = 0.0
        self._shapes = 0

    def run(self) -> ThreadPeaks:
        try:
            self._crew.ready()
            for number, shape in enumerate(SHAPES):
                for done in self._at(shape):
                    count = threads_in_words(self._crew.threads)
                    self._told((number + done) / len(SHAPES), f"Probing with {count}: {' x '.join(map(str, shape))}")
            for peak in self._best().values():
                self._time(peak.kernel, peak.shape, slice_s=LAST_SLICE_S)
                self._crew.drop()
        except _TimeIsUp:
            pass
        return self._result()

    def _at(self, shape: tuple[int, int, int]) -> Iterator[float]:
        """All turns at one shape; yields the share that is done."""
        turns = [label for label in self._crew.kernels if _operations(shape) <= self._most_operations(label)]
        fastest: dict[str, float] = {}  # label -> operations per second at this shape
        for number in range(ROUNDS):
            for place, label in enumerate(turns):
                rate = self._time(label, shape)
                if rate is not None:
                    fastest[label] = max(fastest.get(label, 0.0), rate)
                yield (number + (place + 1) / len(turns)) / ROUNDS
            turns = self._hopeful(fastest)
        self._shapes += bool(fastest)
        self._crew.drop()
        self._copy()

    def _most_operations(self, label: str) -> float:
        """Those of the longest call that this kernel is given next."""
        if label not in self._rates:
            return float("inf")
        return self._rates[label].operations_per_s * (LONG_CALL_S if self._shapes < FEWEST_SHAPES else ENOUGH_S)

    def _time(self, label: str, shape: tuple[int, int, int], *, slice_s: float = SLICE_S) -> float | None:
        """Operations per second of one slice, noted if they are the kernel's most; None where it fails."""
        seconds = self._crew.time_s(label, shape, slice_s=slice_s)
        if seconds is None:
            return None
        rate = _operations(shape) / seconds
        if label not in self._rates or rate > self._rates[label].operations_per_s:
            self._rates[label] = Peak(operations_per_s=rate, kernel=label, shape=shape)
        return rate

    def _best(self) -> dict[str, Peak]:
        """The peak of each precision that has any."""
        found: dict[str, Peak] = {}
        for label, peak in self._rates.items():
            kind = self._crew.kernels[label]
            if label in self._crew.skipped:
                continue
            if kind not in found or peak.operations_per_s > found[kind].operations_per_s:
                found[kind] = peak
        return {kind: found[kind] for kind in PRECISIONS if kind in found}

    def _hopeful(self, fastest: Mapping[str, float]) -> list[str]:
        """Those that are not far below the fastest of their precision."""
        kinds = self._crew.kernels
        best = {kind: max((r for x, r in fastest.items() if kinds[x] == kind), default=0.0) for kind in PRECISIONS}
        return [label for label, rate in fastest.items() if rate >= HOPELESS * best[kinds[label]]]

    def _copy(self) -> None:
        request = {
            "do": "memory",
            "bytes": self._copied_bytes,
            "threads": self._crew.threads,
            "slice_s": MEMORY_SLICE_S,
            "long_s": 10 * MEMORY_SLICE_S,
        }
        answer = self._crew.ask(MEMORY, request)
        if answer is not None:
            self._memory = max(self._memory, float(answer["bytes_per_s"]))

    def _result(self) -> ThreadPeaks:
        skipped = self._crew.skipped
        peaks = self._best()
        missing = {
            precision: one_line(_why_none(precision, self._crew.kernels, skipped))
            for precision in PRECISIONS
            if precision not in peaks
        }
        if not self._memory:
            missing[MEMORY] = skipped.get(MEMORY, "the time was up before it was measured")
        return ThreadPeaks(
            threads=self._crew.threads,
            peaks=peaks,
            memory_bytes_per_s=self._memory or None,
            missing=missing,
            shapes=self._shapes,
        )


def _operations(shape: tuple[int, int, int]) -> int:
    m, k, n = shape
    return 2 * m * k * n


def _why_none(precision: str, kernels: Mapping[str, str], skipped: Mapping[str, str]) -> str:
    labels = [label for label, kind in kernels.items() if kind == precision]
    if not labels:
        return f"no backend that can be used here offers products in {precision}"
    failed = [label for label in labels if label in skipped]
    return f"{failed[0]}: {skipped[failed[0]]}" if failed else "the time was up before any was measured"


def _copied_bytes(machine: Machine, threads: int) -> int:
    """How large each of the two arrays of a copy is."""
    last = max(machine.caches.values(), default=0)
    wanted = max(CACHES * last, THREAD_BYTES * threads, LEAST_BYTES)
    memory_bytes = machine.memory_at_most_bytes
    return min(wanted, MOST_BYTES, MOST_BYTES if memory_bytes is None else memory_bytes // MEMORY_SHARE)
