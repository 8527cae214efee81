"""``bigfast cpu``: what machine this is, and what int8 can gain on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bigfast.cli.options import Json

if TYPE_CHECKING:
    from bigfast.cpu import Machine
    from bigfast.measure import Peaks, ThreadPeaks

LEAST_INTERVAL_S = 0.1  # ten jiffies of one processor: less tells nothing of steal


def cpu(
    cpuinfo: Annotated[
        Path | None, typer.Option(help="Read a saved /proc/cpuinfo or sysctl text instead of this machine.")
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure the peaks of matrix products and of memory too, in 20 s at most.")
    ] = False,
    json: Json = False,
) -> None:
    """Tells what CPU this is, which int8 instructions it has, and which kernels each backend will use.

    Examples: `bigfast cpu`, `bigfast cpu --probe` and `bigfast cpu --cpuinfo saved.txt --json`
    """
    from bigfast.cpu import (
        describe,
        describe_health,
        detect,
        health_json,
        int8_verdict,
        read_cpuinfo,
        read_health,
    )

    before = read_health()  # the interval of what follows: steal shows only while there is work
    from bigfast.cli.installed import installed
    from bigfast.cli.showing import show_facts, show_json
    from bigfast.errors import InputError
    from bigfast.store import read_bytes

    if probe and cpuinfo is not None:
        raise InputError("--probe measures this machine and --cpuinfo describes another: give one of them")
    machine = detect() if cpuinfo is None else read_cpuinfo(read_bytes(cpuinfo, at_most=16 * 2**20))
    backends = installed(machine)
    kernels = {row["name"]: row["kernels"] for row in backends if "kernels" in row}
    if cpuinfo is None:
        time.sleep(max(0.0, LEAST_INTERVAL_S - (time.monotonic() - before.at_s)))
    after = read_health()
    if json:
        facts: dict[str, Any] = {
            **machine.to_json(),
            "verdict": int8_verdict(machine),
            "kernels": kernels,
            "backends": backends,
        }
        if cpuinfo is None:
            facts["health"] = health_json(before, after)
        show_json({**facts, **_measured(machine)} if probe else facts)
        return
    show_facts(describe(machine))
    if cpuinfo is None:
        print("\nHow disturbed it is now:")
        show_facts(describe_health(before, after))
    print(f"\nWhat the installed backends {'use' if cpuinfo is None else 'would use'} on it:")
    show_facts([(row["name"], _use(row)) for row in backends])
    if probe:
        _show_measured(machine)


def _use(row: Mapping[str, Any]) -> str:
    """What a backend runs; where it cannot be used here, also why not."""
    parts = (row.get("kernels", ""), "" if row["usable"] else f"not usable here: {row['reason']}")
    return "; ".join(filter(None, parts))


def _probed(machine: Machine) -> tuple[Peaks, tuple[str, ...]]:
    """The peaks, and why they or the flags should not be believed."""
    from bigfast.cli.showing import Shown
    from bigfast.measure import contradictions, probe

    shown = Shown()
    peaks = probe(machine, tell=shown.progress)
    shown.progress(1, 1, "Probed")
    return peaks, contradictions(machine, peaks)


def _measured(machine: Machine) -> dict[str, object]:
    peaks, warnings = _probed(machine)
    return {"peaks": peaks.to_json(), "warnings": list(warnings)}


def _show_measured(machine: Machine) -> None:
    from bigfast.cli.showing import show_facts, show_table

    peaks, warnings = _probed(machine)
    print()
    show_table(("threads", "what", "peak", "reached by"), [row for one in peaks.at for row in _rows(one)])
    if peaks.skipped:
        print("\nnot counted:")
        show_facts(list(peaks.skipped.items()))
    for sentence in warnings:
        print(f"\nwarning: {sentence}")


def _rows(one: ThreadPeaks) -> list[tuple[object, ...]]:
    from bigfast.measure.peaks import MEMORY

    rows: list[tuple[object, ...]] = [
        (one.threads, name, f"{peak.operations_per_s / 1e9:.0f} GOP/s", f"{peak.kernel}, {_sides(peak.shape)}")
        for name, peak in one.peaks.items()
    ]
    if one.memory_bytes_per_s is not None:
        rows.append((one.threads, MEMORY, f"{one.memory_bytes_per_s / 1e9:.1f} GB/s", "copying, reads and writes"))
    return rows + [(one.threads, name, "-", reason) for name, reason in one.missing.items()]


def _sides(shape: tuple[int, int, int]) -> str:
    m, k, n = shape
    return f"({m} x {k}) by ({k} x {n})"
