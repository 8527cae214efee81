"""Is our int8 graph faster than the stock ways, how much of the machine does it use, and what does int8 cost?

Latency is measured by interleaved blocks, all sides in one run; the stock side of each architecture is the fastest of
its own settings: ONNX Runtime with and without the offline optimizer, with spinning and sleeping threads, and torch's
``quantize_dynamic`` on either engine. Bars are on the median over the rounds of a round's fastest call. Then come first
answers in fresh processes, a whole profile for each backend, and accuracy on real rows if data and a teacher are given.
Nothing else may run meanwhile.

    python benchmarks/backends.py --data my-mnli --teacher my-teacher --json figures.json
    python benchmarks/backends.py --quick
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from figures import Figure, at_least, at_most, show, unknown
from measuring import Scale, scale_of, whole_profile

STOCK = Path(__file__).with_name("stock")
sys.path.insert(0, str(STOCK))  # where the stock side is installed, as it were, here and in every child
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(STOCK), os.environ.get("PYTHONPATH")]))

from bigfast.backend import find_backend, local_directory, parse_backend, read_stock  # noqa: E402
from bigfast.cpu import Machine, detect  # noqa: E402
from bigfast.data import encode, load_tokenizer, read_data  # noqa: E402
from bigfast.errors import BackendError  # noqa: E402
from bigfast.measure import (  # noqa: E402
    Block,
    Deployment,
    Failure,
    Protocol,
    Size,
    Subject,
    cold_start,
    measure,
    probe,
    rejected_blocks,
)
from bigfast.pipeline.profiling import all_variants  # noqa: E402
from bigfast.profile import spread  # noqa: E402
from bigfast.search.evaluation import Evaluator  # noqa: E402
from bigfast.space import Arch, linear_operations, paper_space  # noqa: E402

SPACE = paper_space()
VOCAB, LENGTH = 30522, 128
ALL = 10**9  # rows
OURS = "onnxruntime-int8:recipe=linear"
ONE_STOCK = "stock-onnxruntime-int8:optimizer=no,spin=yes"  # of which first answers are measured
STOCK_SIDES = (
    *(f"stock-onnxruntime-int8:optimizer={o},spin={s}" for o in ("no", "yes") for s in ("yes", "no")),
    "torch-int8:engine=x86",
    "torch-int8:engine=onednn",
)
NOT_BESIDE = ("onnxruntime-int8", "torch-int8", "torchao-int8")  # their other variants are not faster than these sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side's calls on one architecture, seconds: the median of the rounds' fastest, and of all calls."""

    fastest_s: float
    median_s: float
    halves: tuple[float, float]  # the first of them over the even and over the odd rounds


Sides = dict[tuple[int, str, int], Side]  # (threads, side, place of the architecture)


def architectures(count: int) -> tuple[Arch, ...]:
    """The smallest, the largest, and others spread between them."""
    return spread(SPACE.space, 12, rng=np.random.default_rng(7))[:count]


def subject(side: str, arch: Arch, *, threads: int) -> Subject:
    """An architecture with random weights on one side."""
    shape = SPACE.shape(arch, vocab=VOCAB, positions=512, labels=3)
    return Subject(deployment=Deployment.parse(f"{side}@{threads}"), size=Size(), label=str(arch), shape=shape)


def timed(machine: Machine, sides: Sequence[str], archs: Sequence[Arch], threads: Sequence[int], rounds: int) -> Sides:
    """All sides on all architectures, interleaved."""
    keys = [(count, side, place) for count in threads for side in sides for place in range(len(archs))]
    subjects = [subject(side, archs[place], threads=count) for count, side, place in keys]
    protocol = Protocol(rounds=rounds)
    blocks: list[Block] = []
    for event in measure(subjects, protocol, machine=machine, anchor=len(archs) // 2):
        if isinstance(event, Block):
            blocks.append(event)
        elif isinstance(event, Failure):
            print(f"{subjects[event.subject].deployment}, {subjects[event.subject].label}: {event.reason}")
    reasons = rejected_blocks(blocks, protocol)
    print(f"{len(blocks)} blocks, {sum(reason is not None for reason in reasons)} of them rejected")
    calls: dict[int, list[tuple[float, ...]]] = {}
    for block, reason in zip(blocks, reasons, strict=True):
        if reason is None and not block.is_anchor:
            calls.setdefault(block.subject, []).append(block.samples_s)
    return {keys[place]: _side(rounds_of) for place, rounds_of in calls.items()}


def _side(rounds: Sequence[Sequence[float]]) -> Side:
    fastest = [min(samples) for samples in rounds]
    return Side(
        fastest_s=statistics.median(fastest),
        median_s=statistics.median(s for samples in rounds for s in samples),
        halves=(statistics.median(fastest[::2]), statistics.median(fastest[1::2] or fastest)),
    )


def latency_figures(found: Sides, archs: Sequence[Arch], threads: Sequence[int], others: Sequence[str]) -> list[Figure]:
    """Ours against the fastest of the stock settings, for each number of threads."""
    figures = []
    for count in threads:
        print(f"\n{count} threads: median of the rounds' fastest calls (median of all calls), ms")
        ratios, floors = {}, []
        for place, arch in enumerate(archs):
            sides = {side: one for (n, side, p), one in found.items() if (n, p) == (count, place)}
            stock = {side: one for side, one in sides.items() if side in STOCK_SIDES}
            if OURS not in sides or not stock:
                print(f"{arch}: not timed without disturbance")
                continue
            ours = sides[OURS]
            best = min(stock, key=lambda side: stock[side].fastest_s)
            ratios[str(arch)] = stock[best].fastest_s / ours.fastest_s
            floors.append(abs(ours.halves[0] / ours.halves[1] - 1))
            shown = [f"{side} {_ms(sides[side])}" for side in others if side in sides]
            print(
                f"{arch}: ours {_ms(ours)}, stock {_ms(stock[best])} by {best}, {ratios[str(arch)]:.2f} times"
                f"{'; ' if shown else ''}{', '.join(shown)}"
            )
            print("    " + ", ".join(f"{side} {_ms(one)}" for side, one in stock.items()))
        floor = statistics.median(floors)
        worst = min(ratios, key=lambda arch: ratios[arch])
        figures += [
            at_most(
                f"{count} threads: ours against the fastest stock setting, worst architecture",
                1 / ratios[worst],
                1 + floor,
                why=f"{worst}; the noise floor is {floor:.1%}",
            ),
            at_least(
                f"{count} threads: times faster than the fastest stock setting, geometric mean",
                statistics.geometric_mean(ratios.values()),
                1.25,
            ),
        ]
    return figures


def _ms(one: Side) -> str:
    return f"{one.fastest_s * 1e3:.3f} ({one.median_s * 1e3:.3f})"


def peak_figure(machine: Machine, found: Sides, archs: Sequence[Arch]) -> list[Figure]:
    """Which share of the measured int8 peak the fastest int8 backend reaches on the largest architecture."""
    name, bar = "share of the int8 peak on the largest architecture, 1 thread", 0.62
    peak = probe(machine).peak("int8", threads=1)
    place = archs.index(SPACE.space.largest)
    sides = {side: one for (count, side, p), one in found.items() if (count, p) == (1, place)}
    if peak is None or not sides:
        return [unknown(name, f"at least {bar:g}", "no int8 peak, or nothing timed at 1 thread")]
    fastest = min(sides, key=lambda side: sides[side].fastest_s)
    operations = linear_operations(SPACE.shape(archs[place], vocab=VOCAB, positions=512, labels=3), length=LENGTH)
    rate = operations / sides[fastest].fastest_s
    why = f"{fastest}, {rate / 1e9:.0f} of {peak.operations_per_s / 1e9:.0f} GOP/s ({peak.kernel})"
    return [at_least(name, rate / peak.operations_per_s, bar, why=why)]


def first_figures(machine: Machine, archs: Sequence[Arch]) -> list[Figure]:
    """From weights to the first logits, and what that takes in memory, each in a fresh process."""
    ratios, largest_s, growth = [], 0.0, 0.0
    print("\nfirst logits in a fresh process, ms; growth of memory in float32 sizes of the model")
    for arch in archs:
        ours, stock = (
            cold_start(subject(side, arch, threads=1), machine=machine, seed=0) for side in (OURS, ONE_STOCK)
        )
        ratios.append(stock.first_logits_s / ours.first_logits_s)
        growth = max(growth, ours.growth_bytes / ours.float32_bytes)
        if arch == SPACE.space.largest:
            largest_s = ours.first_logits_s
        print(
            f"{arch}: ours {ours.first_logits_s * 1e3:.0f}, stock {stock.first_logits_s * 1e3:.0f}, {ratios[-1]:.0f} "
            f"times; growth {ours.growth_bytes / ours.float32_bytes:.2f} and "
            f"{stock.growth_bytes / stock.float32_bytes:.2f}"
        )
    return [
        at_least("times sooner to the first logits than the stock route, median", statistics.median(ratios), 20.0),
        at_most("seconds to the first logits of the largest", largest_s, 0.15),
        at_most("peak memory while preparing, float32 sizes of the model", growth, 3.0),
    ]


def profile_figures(machine: Machine, scale: Scale, backends: Sequence[str]) -> list[Figure]:
    """What a whole profile costs on each backend."""
    figures = []
    for backend in backends:
        with tempfile.TemporaryDirectory() as place:
            try:
                timed_s, wall_s = whole_profile(backend, scale, Path(place) / "profile")
            except BackendError as error:
                figures.append(unknown(f"{backend}: seconds for 80 architectures", "at most 180", str(error)))
                continue
        seconds = at_most(f"{backend}: seconds for 80 architectures", wall_s, 180.0)
        if scale.profiled != 80:
            seconds = replace(seconds, holds=None, why=f"{scale.profiled} architectures only")
        figures += [seconds, at_least(f"{backend}: share of it inside timed calls", timed_s / wall_s, 0.6)]
        print(f"{backend}: {wall_s:.0f} s for {scale.profiled} architectures, {timed_s / wall_s:.0%} in timed calls")
    return figures


def accuracy_figures(machine: Machine, data: str, teacher: str, rows: int, variants: Sequence[str]) -> list[Figure]:
    """Points of accuracy that each int8 variant loses on validation rows with trained weights."""
    model = read_stock(local_directory(teacher))
    validation = read_data(data, label_order=model.labels, seed=0).validation
    tokenizer = load_tokenizer(local_directory(teacher))
    chosen = encode(tokenizer, validation.take(np.arange(min(rows, len(validation)))), max_length=LENGTH)
    print(f"\naccuracy on {len(chosen)} validation rows")
    found = {}
    for variant in ["onnxruntime-fp32", *variants]:
        name, options = parse_backend(variant)
        start = time.monotonic()
        evaluator = Evaluator(find_backend(name), options, chosen, machine=machine, threads=1)
        found[variant] = evaluator.accuracy(model.weights).share
        print(f"{variant}: {found[variant]:.2%} in {time.monotonic() - start:.0f} s")
    reference = found["onnxruntime-fp32"]
    return [
        at_most(
            f"{variant}: points of accuracy lost", 100 * (reference - found[variant]), 1.0, why=f"{len(chosen)} rows"
        )
        for variant in variants
    ]


def main() -> None:
    """Measures everything, prints the tables, and ends with the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer architectures and rounds, about four minutes")
    parser.add_argument("--only", choices=("latency", "first", "profiles", "accuracy"), action="append")
    parser.add_argument("--backend", action="append", help="whose profiles are timed; otherwise all")
    parser.add_argument("--data", help="a directory of real data, for the accuracy")
    parser.add_argument("--teacher", help="a directory with a model that was trained on it")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = detect()
    parts = options.only or ("latency", "first", "profiles", "accuracy")
    archs = architectures(3 if options.quick else 12)
    threads = sorted({1, min(2, machine.usable_cores or 1)})
    usable = [name for name in all_variants(machine) if not name.startswith("stock-")]
    int8 = [name for name in usable if find_backend(parse_backend(name)[0]).precision == "int8"]
    defaults = list({parse_backend(name)[0]: name for name in reversed(usable)}.values())[::-1]
    figures: list[Figure] = []
    if "latency" in parts:
        others = [name for name in int8 if name != OURS and parse_backend(name)[0] not in NOT_BESIDE]
        found = {}
        for count in threads:  # one after the other, or the models of both would fill the memory
            found.update(timed(machine, [OURS, *STOCK_SIDES, *others], archs, (count,), 3 if options.quick else 10))
        figures += latency_figures(found, archs, threads, others)
        figures += peak_figure(machine, found, archs)
    if "first" in parts:
        figures += first_figures(machine, archs[:2] if options.quick else archs)
    if "profiles" in parts:
        scale = replace(scale_of(quick=options.quick, backend=OURS), profiled=12 if options.quick else 80)
        figures += profile_figures(machine, scale, options.backend or ([OURS] if options.quick else defaults))
    if "accuracy" in parts:
        if options.data and options.teacher:
            figures += accuracy_figures(machine, options.data, options.teacher, 200 if options.quick else ALL, int8)
        else:
            figures.append(unknown("points of accuracy lost", "at most 1", "no --data and --teacher"))
    show(figures, options.json)


if __name__ == "__main__":
    main()
