"""``bigfast cpu``: what machine this is, and what int8 can gain on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bigfast.cli.options import Json

LEAST_INTERVAL_S = 0.1  # ten jiffies of one processor: less tells nothing of steal


def cpu(
    cpuinfo: Annotated[
        Path | None, typer.Option(help="Read a saved /proc/cpuinfo or sysctl text instead of this machine.")
    ] = None,
    json: Json = False,
) -> None:
    """Tells what CPU this is, which int8 instructions it has, and which kernels each backend will use.

    Examples: `bigfast cpu` and `bigfast cpu --cpuinfo saved.txt --json`
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
    from bigfast.store import read_bytes

    machine = detect() if cpuinfo is None else read_cpuinfo(read_bytes(cpuinfo, at_most=16 * 2**20))
    backends = installed(machine)
    kernels = {row["name"]: row["kernels"] for row in backends if "kernels" in row}
    if cpuinfo is None:
        time.sleep(max(0.0, LEAST_INTERVAL_S - (time.monotonic() - before.at_s)))
    after = read_health()
    if json:
        facts = {**machine.to_json(), "verdict": int8_verdict(machine), "kernels": kernels, "backends": backends}
        show_json(facts if cpuinfo else {**facts, "health": health_json(before, after)})
        return
    show_facts(describe(machine))
    if cpuinfo is None:
        print("\nHow disturbed it is now:")
        show_facts(describe_health(before, after))
    print(f"\nWhat the installed backends {'use' if cpuinfo is None else 'would use'} on it:")
    show_facts([(row["name"], _use(row)) for row in backends])


def _use(row: Mapping[str, Any]) -> str:
    """What a backend runs; where it cannot be used here, also why not."""
    parts = (row.get("kernels", ""), "" if row["usable"] else f"not usable here: {row['reason']}")
    return "; ".join(filter(None, parts))
