"""Does a measurement repeat, on a machine that others use too; what does it cost; and what do the usual ways cost?

The same architectures are measured by interleaved blocks and, alternately with them, in one contiguous pass with as
many calls and the same estimate; quiet, and beside a neighbour that keeps one core busy in random bursts for 30 % of
the time. Then one whole ``bigfast profile`` is timed, and the usual way of benchmarking (one process and ten seconds
for each architecture) is shown beside it. Nothing else may run meanwhile.

    python benchmarks/measuring.py --json figures.json
    python benchmarks/measuring.py --quick
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
from figures import Figure, at_least, at_most, show
from neighbour import Neighbour

from bigfast.cpu import detect
from bigfast.measure import Block, Deployment, Event, Protocol, Size, Subject, measure, rejected_blocks, timings
from bigfast.pipeline.profiling import journal_of, ready_profile
from bigfast.predict import evaluate, fit
from bigfast.profile import Plan, nearest_middle, spread
from bigfast.profile.collect import events_of
from bigfast.space import paper_space
from bigfast.store import MACHINE_LOCK, exclusive, open_journal

SPACE = paper_space()
VOCAB = 30522
GIB = 2**30

# What "quiet" means (docs/measuring.md).
QUIET_STEAL, QUIET_PRESSURE, QUIET_ANCHOR = 0.01, 0.02, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured.

    Attributes:
        fitted: Architectures that the model is fitted on.
        unseen: Architectures that it is judged on.
        again: Architectures of the second profile.
        threads: Numbers of threads.
        protocol: Of the interleaved measuring.
        profiled: Architectures of the profile that is timed as a whole.
        alone: Architectures that are measured in the usual way, a process each.
        alone_s: Seconds of calls for each of these.
        slice_s: Seconds of one way of measuring before the next one goes on.
    """

    fitted: int
    unseen: int
    again: int
    threads: tuple[int, ...]
    protocol: Protocol
    profiled: int
    alone: int
    alone_s: float = 10.0
    slice_s: float = 20.0


def scale_of(*, quick: bool, backend: str) -> Scale:
    """The whole comparison, or one of about four minutes."""
    cores = detect().usable_cores or 1
    if quick:
        return Scale(
            fitted=20,
            unseen=12,
            again=12,
            threads=(cores,),
            protocol=Protocol(rounds=4),
            profiled=16,
            alone=2,
            slice_s=4.0,
        )
    return Scale(
        fitted=80, unseen=60, again=60, threads=tuple(sorted({1, cores})), protocol=Protocol(), profiled=80, alone=10
    )


def one_pass(protocol: Protocol) -> Protocol:
    """The usual protocol with as many calls: each architecture once, contiguously, whatever happens meanwhile."""
    return replace(
        protocol,
        rounds=1,
        extra_rounds=0,
        block_s=protocol.rounds * protocol.block_s,
        calls_at_least=protocol.rounds * protocol.calls_at_least,
        calls_at_most=protocol.rounds * protocol.calls_at_most,
        anchor_every=10**9,
        steal_at_most=float("inf"),
        waited_at_most=float("inf"),
        drift_at_most=float("inf"),
    )


def subjects_of(backend: str, archs: Sequence[object], threads: Sequence[int]) -> list[Subject]:
    """Every architecture with every number of threads."""
    return [
        Subject(
            deployment=Deployment.parse(f"{backend}@{count}"),
            size=Size(),
            label=str(arch),
            shape=SPACE.shape(arch, vocab=VOCAB, positions=512, labels=3),  # type: ignore[arg-type]
        )
        for count in threads
        for arch in archs
    ]


@dataclass
class Arm:
    """One way of measuring, going on while the other one waits."""

    events: Iterator[Event]
    protocol: Protocol
    blocks: list[Block] = field(default_factory=list)
    timed_s: float = 0.0

    def go_on(self, seconds: float) -> bool:
        """Takes events for about so many seconds; whether there are more."""
        end = time.monotonic() + seconds
        for event in self.events:
            if isinstance(event, Block):
                self.blocks.append(event)
                if time.monotonic() > end:
                    return True
        return False

    def seconds(self) -> dict[int, float]:
        """The estimate of each subject."""
        return {place: timing.estimate_s for place, timing in timings(self.blocks, self.protocol).items()}


def alternately(arms: Sequence[Arm], *, slice_s: float) -> None:
    """Runs all arms to their end, some seconds of one, then of the next."""
    going = list(arms)
    while going:
        going = [arm for arm in going if arm.go_on(slice_s)]


def begun(subjects: Sequence[Subject], anchor: int, protocol: Protocol) -> Arm:
    """One way of measuring that is ready to go on."""
    return Arm(measure(subjects, protocol, machine=detect(), anchor=anchor), protocol)


@dataclass
class Condition:
    """What was measured quiet, or beside the neighbour."""

    name: str
    whole: Arm
    again: Arm
    contiguous: Arm | None  # beside the neighbour alone: that is where it is asked for

    def error(self, arm: Arm, scale: Scale, number: int) -> float:
        """MAPE of a model fitted on some architectures, on others, with one number of threads, both of one arm."""
        found = arm.seconds()
        first = number * (scale.fitted + scale.unseen)
        places = np.arange(first, first + scale.fitted + scale.unseen)
        seconds = np.array([found[place] for place in places.tolist()])
        rows = features(places.size, scale)
        seen = np.arange(places.size) < scale.fitted
        predictor = fit(rows[seen], seconds[seen], kind="auto", terms="bert", rng=np.random.default_rng(0))
        return evaluate(predictor.predict(rows[~seen]).seconds, seconds[~seen]).mape

    def difference(self, scale: Scale, number: int) -> float:
        """Median absolute difference of the two profiles with one number of threads."""
        one, other = self.whole.seconds(), self.again.seconds()
        first, second = number * (scale.fitted + scale.unseen), number * scale.again
        pairs = [(one[first + n], other[second + n]) for n in range(scale.again)]
        return statistics.median(abs(a / b - 1) for a, b in pairs)


def features(count: int, scale: Scale) -> np.ndarray:
    """What predictors see of the first architectures."""
    rows = []
    for arch in architectures(scale)[:count]:
        shape = SPACE.shape(arch, vocab=VOCAB, positions=512, labels=3)
        rows.append((shape.layers, shape.hidden, shape.ffn, shape.heads, Size().length, Size().batch))
    return np.array(rows, dtype=np.float64)


def architectures(scale: Scale) -> tuple:
    """Those fitted on, which have the ends of the space, then those that are unseen."""
    return spread(SPACE.space, scale.fitted + scale.unseen, rng=np.random.default_rng(11))


def measured(name: str, backend: str, scale: Scale, seed: int, *, contiguous: bool) -> Condition:
    """Two independent profiles, and the contiguous pass if asked for, alternately."""
    archs = architectures(scale)
    subjects = subjects_of(backend, archs, scale.threads)
    protocol = replace(scale.protocol, seed=seed)
    condition = Condition(
        name,
        begun(subjects, nearest_middle(SPACE.space, archs), protocol),
        begun(
            subjects_of(backend, archs[: scale.again], scale.threads),
            nearest_middle(SPACE.space, archs[: scale.again]),
            replace(protocol, seed=seed + 1),
        ),
        begun(subjects, 0, one_pass(protocol)) if contiguous else None,
    )
    arms = [condition.whole, condition.again, *([condition.contiguous] if condition.contiguous else [])]
    alternately(arms, slice_s=scale.slice_s)
    return condition


def disturbance(arm: Arm) -> str:
    """Why the machine was not quiet meanwhile, by the anchor's blocks; empty where it was."""
    anchors = [block for block in arm.blocks if block.is_anchor]
    fast_s = np.array([np.quantile(block.samples_s, 0.1) for block in anchors])
    drift = float(np.quantile(np.abs(fast_s / np.median(fast_s) - 1), 0.75))
    steal = statistics.fmean(block.steal or 0.0 for block in anchors)
    pressure = statistics.fmean(block.pressure or 0.0 for block in anchors)
    if steal > QUIET_STEAL:
        return f"steal {steal:.1%}"
    if pressure > QUIET_PRESSURE:
        return f"CPU pressure {pressure:.1%}"
    return f"a quarter of the anchors are {drift:.1%} off their median" if drift > QUIET_ANCHOR else ""


def whole_profile(backend: str, scale: Scale, place: Path) -> tuple[float, float]:
    """One profile as ``bigfast profile`` makes it: seconds inside timed calls, and its wall time in seconds."""
    start = time.monotonic()
    machine = detect()
    plan = Plan.make(
        machine=machine,
        protocol=scale.protocol,
        space=SPACE,
        vocab=VOCAB,
        count=scale.profiled,
        deployments=[Deployment.parse(backend)],
        sizes=[Size()],
    )
    with mock.patch("bigfast.pipeline.profiling.remove_journal"):  # it alone has the sentinels' calls
        ready_profile(plan, place, probe=True, teller=Silent())
    wall_s = time.monotonic() - start
    with open_journal(journal_of(place)) as journal:
        blocks = [e for stage in plan.stages for e in events_of(journal, stage) if isinstance(e, Block)]
    return sum(sum(block.samples_s) for block in blocks), wall_s


class Silent:
    """Nothing is drawn while something is timed."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, done: float, total: float, text: str) -> None:
        """Nothing."""


def alone(backend: str, arch: object, *, threads: int, seconds: float) -> float:
    """The usual way: a process of its own, a warm-up, and calls for some seconds; the median."""
    protocol = Protocol(
        rounds=1,
        extra_rounds=0,
        block_s=seconds,
        calls_at_least=10,
        calls_at_most=10**6,
        warmup_calls=10,
        anchor_every=10**9,
        steal_at_most=float("inf"),
        waited_at_most=float("inf"),
    )
    [subject] = subjects_of(backend, [arch], (threads,))
    events = list(without_anchor(subject, protocol))
    return float(np.median(next(e.samples_s for e in events if isinstance(e, Block))))


def without_anchor(subject: Subject, protocol: Protocol) -> Iterator[Event]:
    """One block of one subject: the anchor's would only take time."""
    events = measure([subject], protocol, machine=detect())
    for event in events:
        yield event
        if isinstance(event, Block):  # the anchor's is the subject's own
            return


class PeakMemory:
    """The peak of this process and all its descendants together, shared pages counted once, sampled twice a second."""

    def __enter__(self) -> PeakMemory:
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(0.5):
            total = 0
            for process in [own, *own.children(recursive=True)]:
                with contextlib.suppress(psutil.Error, OSError):
                    total += process.memory_full_info().pss
            self.peak_bytes = max(self.peak_bytes, total)


def peak_of_profile(backend: str, scale: Scale) -> int:
    """Peak memory of measuring 60 architectures with every number of threads; the figure of rounds does not matter."""
    program = (
        "import sys; from bigfast.cpu import detect; import measuring as m\n"
        "scale = m.scale_of(quick=sys.argv[2] == 'quick', backend=sys.argv[1])\n"
        "subjects = m.subjects_of(sys.argv[1], m.architectures(scale)[:scale.again], scale.threads)\n"
        "list(m.measure(subjects, m.replace(scale.protocol, rounds=1, extra_rounds=0), machine=detect()))\n"
    )
    with PeakMemory() as memory:
        own = psutil.Process().memory_full_info().pss
        subprocess.run(
            [sys.executable, "-c", program, backend, "quick" if scale.alone == 2 else "full"],
            check=True,
            cwd=Path(__file__).parent,
        )
    return memory.peak_bytes - own


def command_seconds(repeats: int = 5) -> tuple[float, float]:
    """Median seconds of ``detect()`` in a new process, and of ``bigfast cpu``."""
    program = (
        "import time; from bigfast.cpu import detect\n"
        "start = time.perf_counter(); detect(); print(time.perf_counter() - start)"
    )
    detected, whole = [], []
    for _ in range(repeats):
        answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        detected.append(float(answer.stdout))
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bigfast.cli", "cpu"], check=True, stdout=subprocess.DEVNULL)
        whole.append(time.perf_counter() - start)
    return statistics.median(detected), statistics.median(whole)


def main() -> None:
    """Measures everything, prints the tables, and ends with the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer architectures and rounds, about four minutes")
    parser.add_argument("--cost-only", action="store_true", help="only what a profile costs, about four minutes")
    parser.add_argument("--backend", default="torch-int8:engine=x86")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    scale = scale_of(quick=options.quick, backend=options.backend)
    with tempfile.TemporaryDirectory() as place:
        timed_s, wall_s = whole_profile(options.backend, scale, Path(place) / "profile")
    peak_bytes = peak_of_profile(options.backend, scale)
    detect_s, cpu_s = command_seconds()
    figures = [
        *cost_figures(timed_s, wall_s, peak_bytes, scale),
        at_most("detect(), seconds", detect_s, 0.1),
        at_most("bigfast cpu, seconds", cpu_s, 0.4),
    ]
    if options.cost_only:
        show(figures, options.json)
        return
    # One process holds the machine for all arms, which take turns: what they would each hold is already held.
    with (
        exclusive(MACHINE_LOCK, what="this machine's clock"),
        mock.patch("bigfast.measure.run.exclusive", lambda *_, **__: contextlib.nullcontext()),
    ):
        quiet = measured("quiet", options.backend, scale, seed=0, contiguous=False)
        with Neighbour(share=0.3, seed=1):
            busy = measured("neighbour", options.backend, scale, seed=2, contiguous=True)
        usual, usual_s = usual_way(options.backend, scale)
    figures += [*accuracy_figures(quiet, busy, scale), *usual_figures(usual, usual_s, quiet, wall_s, scale)]
    show(figures, options.json)


def usual_way(backend: str, scale: Scale) -> tuple[float, float]:
    """Median absolute difference of two passes in the usual way, and its seconds for each architecture."""
    archs = architectures(scale)[: scale.alone]
    start = time.monotonic()
    first, second = (
        [alone(backend, arch, threads=scale.threads[0], seconds=scale.alone_s) for arch in archs] for _ in range(2)
    )
    each_s = (time.monotonic() - start) / (2 * len(archs))
    return statistics.median(abs(a / b - 1) for a, b in zip(first, second, strict=True)), each_s


def accuracy_figures(quiet: Condition, busy: Condition, scale: Scale) -> list[Figure]:
    """Repeatability and the error of a fitted model, of both protocols."""
    print(f"{'':<12}{'threads':>8}{'two profiles':>14}{'interleaved':>13}{'one pass':>10}{'rejected':>10}")
    figures: list[Figure] = []
    bars = {"quiet": (0.02, 0.03), "neighbour": (0.05, 0.06)}
    for condition in (quiet, busy):
        reasons = rejected_blocks(condition.whole.blocks, condition.whole.protocol)
        share = sum(reason is not None for reason in reasons) / len(reasons)
        for number, threads in enumerate(scale.threads):
            different = condition.difference(scale, number)
            ours = condition.error(condition.whole, scale, number)
            usual = condition.error(condition.contiguous, scale, number) if condition.contiguous else None
            cell = "-" if usual is None else f"{usual:.2%}"
            print(f"{condition.name:<12}{threads:>8}{different:>14.2%}{ours:>13.2%}{cell:>10}{share:>10.0%}")
            where = f"{condition.name}, {threads} thread(s)"
            repeat_bar, model_bar = bars[condition.name]
            figures += [
                at_most(f"two profiles differ, {where}", different, repeat_bar),
                at_most(f"model on unseen, {where}", ours, model_bar),
            ]
            if usual is not None:
                figures.append(at_least(f"one pass against interleaved, {where}", usual / ours, 2.5))
    why = disturbance(quiet.whole)
    return [replace(f, holds=None, why=f"not quiet: {why}") if why and ", quiet," in f.name else f for f in figures]


def cost_figures(timed_s: float, wall_s: float, peak_bytes: int, scale: Scale) -> list[Figure]:
    """What a whole profile costs."""
    share = timed_s / wall_s
    print(f"\na profile of {scale.profiled} architectures: {wall_s:.0f} s, {share:.0%} of it inside timed calls")
    seconds_for_80 = at_most("seconds for 80 architectures", wall_s, 180.0)
    if scale.profiled != 80:
        seconds_for_80 = replace(seconds_for_80, holds=None, why=f"{scale.profiled} architectures only")
    return [
        at_least("share of wall time inside timed calls", share, 0.6),
        seconds_for_80,
        at_most(f"peak GiB of {scale.again} architectures, {len(scale.threads)} children", peak_bytes / GIB, 2.0),
    ]


def usual_figures(usual: float, usual_s: float, quiet: Condition, wall_s: float, scale: Scale) -> list[Figure]:
    """One process and ten seconds for each architecture, beside the interleaved profile."""
    ours, theirs = 60 * scale.profiled / wall_s, 60 / usual_s
    different = quiet.difference(scale, 0)
    print(f"architectures a minute: {ours:.1f} interleaved, {theirs:.1f} one process each")
    print(f"two passes differ by {different:.2%} interleaved, {usual:.2%} one process each")
    return [
        at_least("architectures a minute against one process each", ours / theirs, 1.0),
        at_most("repeatability against one process each", different / max(usual, 1e-9), 1.0),
    ]


if __name__ == "__main__":
    main()
