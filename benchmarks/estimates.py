"""Which statistic of the accepted calls repeats best, under several kinds of noise? The table of docs/measuring.md.

Two independent profiles (fresh processes, other orders) of the same architectures are measured under each kind of
noise, alternately. Every candidate is computed from the same samples, with the blocks that the protocol rejects left
out, and once more with all of them. Shown are the median and the 90th percentile of the relative difference between
the two profiles, and how far the estimate lies above its own value in quiet: what noise adds to it.

    python benchmarks/estimates.py --json estimates.json
    python benchmarks/estimates.py --quick
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from neighbour import Neighbour

from bigfast.cpu import detect
from bigfast.measure import Block, Deployment, Event, Protocol, Size, Subject, measure, rejected_blocks
from bigfast.profile import nearest_middle, spread
from bigfast.space import paper_space

Samples = Sequence[np.ndarray]  # of one subject, one array of seconds a block

NOISES: dict[str, Callable[[int], contextlib.AbstractContextManager[None]]] = {
    "quiet": lambda seed: contextlib.nullcontext(),
    "one core busy in bursts, 30 %": lambda seed: Neighbour(share=0.3, seed=seed),
    "both cores busy, 50 % each": lambda seed: Neighbour(share=0.5, cores=2, seed=seed),
}


def quantile(share: float) -> Callable[[Samples, np.ndarray], float]:
    """A quantile of all calls."""
    return lambda blocks, drifts: float(np.quantile(np.concatenate(list(blocks)), share))


def of_medians(share: float) -> Callable[[Samples, np.ndarray], float]:
    """A quantile of the blocks' medians."""
    return lambda blocks, drifts: float(np.quantile([np.median(block) for block in blocks], share))


def normalised(blocks: Samples, drifts: np.ndarray) -> float:
    """The median of the blocks' medians, each divided by how slow the anchor was around it."""
    return float(np.median([np.median(block) / drift for block, drift in zip(blocks, drifts, strict=True)]))


def mean_of_minima(blocks: Samples, drifts: np.ndarray) -> float:
    """The mean of the faster half of the blocks' fastest calls."""
    minima = np.sort([block.min() for block in blocks])
    return float(minima[: max(1, len(minima) // 2)].mean())


CANDIDATES: dict[str, Callable[[Samples, np.ndarray], float]] = {
    "fastest call": quantile(0.0),
    "1 % of calls": quantile(0.01),
    "5 % of calls": quantile(0.05),
    "10 % of calls": quantile(0.1),
    "25 % of calls": quantile(0.25),
    "median of calls (p50)": quantile(0.5),
    "90 % of calls (p90)": quantile(0.9),
    "mean of the faster half of block minima": mean_of_minima,
    "lowest block median": of_medians(0.0),
    "25 % of block medians": of_medians(0.25),
    "anchor-normalised median": normalised,
}


def estimates(blocks: Sequence[Block], protocol: Protocol, *, all_blocks: bool) -> dict[str, dict[int, float]]:
    """Every candidate for every subject, seconds."""
    anchors = sorted((b.started_s, float(np.median(b.samples_s))) for b in blocks if b.is_anchor)
    times, medians = (np.array(column) for column in zip(*anchors, strict=True))
    usual = float(np.median(medians))
    chosen: dict[int, list[Block]] = {}
    rejected: dict[int, list[Block]] = {}
    for block, reason in zip(blocks, rejected_blocks(blocks, protocol), strict=True):
        if not block.is_anchor:
            (chosen if reason is None or all_blocks else rejected).setdefault(block.subject, []).append(block)
    for place in rejected.keys() - chosen.keys():
        chosen[place] = rejected[place]
    found: dict[str, dict[int, float]] = {name: {} for name in CANDIDATES}
    for place, own in chosen.items():
        samples = [np.array(block.samples_s) for block in own]
        drifts = np.interp([block.started_s for block in own], times, medians) / usual
        for name, candidate in CANDIDATES.items():
            found[name][place] = candidate(samples, drifts)
    return found


def collected(subjects: Sequence[Subject], anchor: int, protocol: Protocol, noise: str, seed: int) -> list[Block]:
    """One profile's blocks."""
    with NOISES[noise](seed):
        events: list[Event] = list(measure(subjects, protocol, machine=detect(), anchor=anchor))
    return [event for event in events if isinstance(event, Block)]


def main() -> None:
    """Measures, and prints one table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer architectures and rounds, about four minutes")
    parser.add_argument("--backend", default="torch-int8:engine=x86")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--samples", type=Path, help="keep all blocks here")
    options = parser.parse_args()
    space = paper_space()
    archs = spread(space.space, 12 if options.quick else 24, rng=np.random.default_rng(5))
    protocol = Protocol(rounds=4) if options.quick else Protocol()
    threads = sorted({1, detect().usable_cores or 1})
    anchor = nearest_middle(space.space, archs)
    subjects = [
        Subject(
            deployment=Deployment.parse(f"{options.backend}@{count}"),
            size=Size(),
            label=str(arch),
            shape=space.shape(arch, vocab=30522, positions=512, labels=3),
        )
        for count in threads
        for arch in archs
    ]
    kept: dict[str, list[list[Block]]] = {noise: [] for noise in NOISES}
    for half in range(2):
        for place, noise in enumerate(NOISES):
            kept[noise].append(collected(subjects, anchor, replace(protocol, seed=half), noise, seed=10 * half + place))
            print(f"measured: {noise}, profile {half + 1} of 2", flush=True)
    if options.samples:
        document = {noise: [[b.to_json() for b in blocks] for blocks in halves] for noise, halves in kept.items()}
        options.samples.write_text(json.dumps(document))
    rows = table(kept, protocol, threads, len(archs))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def table(
    kept: dict[str, list[list[Block]]], protocol: Protocol, threads: Sequence[int], archs: int
) -> list[dict[str, object]]:
    """Prints and returns the rows: noise, blocks, candidate, differences between the profiles, and what noise adds."""
    rows: list[dict[str, object]] = []
    for number, count in enumerate(threads):
        places = range(number * archs, (number + 1) * archs)
        print(f"\n{count} thread(s): repeat 50 % / 90 %, and above quiet")
        for all_blocks in (False, True):
            found = {
                noise: [estimates(blocks, protocol, all_blocks=all_blocks) for blocks in halves]
                for noise, halves in kept.items()
            }
            for name in CANDIDATES:
                cells = []
                for noise, (first, second) in found.items():
                    a, b = (np.array([half[name][place] for place in places]) for half in (first, second))
                    quiet = np.mean([[half[name][place] for place in places] for half in found["quiet"]], axis=0)
                    different = np.abs(a / b - 1)
                    added = float(np.median((a + b) / 2 / quiet - 1))
                    row = {
                        "threads": count,
                        "blocks": "all" if all_blocks else "accepted",
                        "estimate": name,
                        "noise": noise,
                        "repeats_p50": float(np.median(different)),
                        "repeats_p90": float(np.quantile(different, 0.9)),
                        "above_quiet": added,
                    }
                    rows.append(row)
                    cells.append(f"{row['repeats_p50']:6.1%} {row['repeats_p90']:6.1%} {added:+6.1%}")
                print(f"{'all' if all_blocks else 'accepted':<9}{name:<40}{'  |'.join(cells)}")
    for noise, halves in kept.items():
        reasons = [r for blocks in halves for r in rejected_blocks(blocks, protocol)]
        print(f"{noise}: {np.mean([r is not None for r in reasons]):.0%} of {len(reasons)} blocks rejected")
    return rows


if __name__ == "__main__":
    main()
