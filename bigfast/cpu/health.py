"""How disturbed this machine is now: time stolen by its host, throttling by a quota, pressure, load.

Counters only grow, so two snapshots around a block say what happened in between. Steal is counted in jiffies, mostly
of 10 ms a processor, so a share of it is as coarse as that. Kernel documentation: ``proc_stat(5)``,
``Documentation/accounting/psi.rst``, ``Documentation/admin-guide/cgroup-v2.rst``.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bigfast.cpu.cgroup import groups
from bigfast.cpu.kernel_file import content

__all__ = ["Health", "HealthChange", "change", "health_json", "missing", "read_health"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One snapshot. Counters are cumulative since boot or since the group was made; None: the system does not tell.

    ``throttles`` and ``throttled_s`` are sums over our control group and its ancestors. ``pressure_s`` is how long
    some task waited for a processor (PSI), ``pressure_10s`` the share of the last ten seconds, from 0 to 1.
    """

    at_s: float
    steal_jiffies: int | None = None
    total_jiffies: int | None = None
    throttles: int | None = None
    throttled_s: float | None = None
    pressure_s: float | None = None
    pressure_10s: float | None = None
    load_1min: float | None = None

    @property
    def steal_share(self) -> float | None:
        """The share of all processors' time since boot that the host gave to others, from 0 to 1."""
        return (
            self.steal_jiffies / self.total_jiffies if self.steal_jiffies is not None and self.total_jiffies else None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChange:
    """What happened between two snapshots; shares from 0 to 1; None: not told, or too short to tell."""

    elapsed_s: float
    steal_share: float | None
    throttled: int | None
    throttled_s: float | None
    pressure_share: float | None


def read_health(*, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> Health:
    """The state of this machine now, in well under a millisecond.

    Args:
        root: Where ``/proc`` and ``/sys`` are.
        clock: Seconds, from any start.
    """
    steal, total = _jiffies(root)
    throttles, throttled_s = _throttling(root)
    pressure = re.search(r"^some avg10=([\d.]+) .*total=(\d+)$", content(root / "proc/pressure/cpu"), re.MULTILINE)
    return Health(
        at_s=clock(),
        steal_jiffies=steal,
        total_jiffies=total,
        throttles=throttles,
        throttled_s=throttled_s,
        pressure_s=int(pressure[2]) / 1e6 if pressure else None,
        pressure_10s=float(pressure[1]) / 100 if pressure else None,
        load_1min=_load(root),
    )


def _jiffies(root: Path) -> tuple[int | None, int | None]:
    """Stolen and all jiffies of all processors."""
    name, *numbers = content(root / "proc/stat").partition("\n")[0].split() or [""]
    if name != "cpu" or len(numbers) < 8 or not all(map(str.isdecimal, numbers)):
        return None, None
    counts = [int(number) for number in numbers[:8]]  # the two that follow, of guests, are counted in user already
    return counts[7], sum(counts)


def _throttling(root: Path) -> tuple[int | None, float | None]:
    """How often and for how long we were throttled; version 1 counts the time in nanoseconds."""
    found = [
        dict(re.findall(r"^(nr_throttled|throttled_usec|throttled_time) (\d+)$", text, re.MULTILINE))
        for directory in groups("cpu", root=root)
        if "nr_throttled" in (text := content(directory / "cpu.stat"))
    ]
    if not found:
        return None, None
    seconds = sum(int(one.get("throttled_usec", 0)) / 1e6 + int(one.get("throttled_time", 0)) / 1e9 for one in found)
    return sum(int(one.get("nr_throttled", 0)) for one in found), seconds


def _load(root: Path) -> float | None:
    found = re.match(r"\d+\.\d+", content(root / "proc/loadavg"))
    if found:
        return float(found.group())
    try:
        return os.getloadavg()[0] if root == Path("/") else None  # macOS has it, without a /proc
    except (AttributeError, OSError):
        return None


def change(before: Health, after: Health) -> HealthChange:
    """What happened from ``before`` to ``after``, both of the same machine."""
    elapsed_s = after.at_s - before.at_s
    pressure_s = _growth(before.pressure_s, after.pressure_s)
    steal, total = (_growth(getattr(before, key), getattr(after, key)) for key in ("steal_jiffies", "total_jiffies"))
    throttled = _growth(before.throttles, after.throttles)
    return HealthChange(
        elapsed_s=elapsed_s,
        steal_share=steal / total if steal is not None and total else None,
        throttled=None if throttled is None else int(throttled),
        throttled_s=_growth(before.throttled_s, after.throttled_s),
        pressure_share=min(1.0, pressure_s / elapsed_s) if pressure_s is not None and elapsed_s > 0 else None,
    )


def _growth(before: float | None, after: float | None) -> float | None:
    """How much a counter grew; kernels are known to turn steal back by a little."""
    return None if before is None or after is None else max(0, after - before)


def health_json(before: Health, after: Health) -> dict[str, object]:
    """What ``bigfast cpu --json`` shows of two snapshots, the later of them taken now; shares from 0 to 1."""
    between = change(before, after)
    return {
        "elapsed_s": between.elapsed_s,
        "steal_share": between.steal_share,
        "steal_share_since_boot": after.steal_share,
        "pressure_share": between.pressure_share,
        "pressure_share_10s": after.pressure_10s,
        "throttled": between.throttled,
        "throttled_s": between.throttled_s,
        "throttled_in_all": after.throttles,
        "load_1min": after.load_1min,
        "missing": list(missing(after)),
    }


def missing(health: Health) -> tuple[str, ...]:
    """One sentence for each fact that this system does not tell, and what is not seen without it."""
    facts = (
        (health.steal_jiffies, "Steal time is not told here, so a busy host shows only in the timings"),
        (
            health.throttles,
            "Throttling by a control group is not told here, so a quota shows only in the timings",
        ),
        (health.pressure_s, "CPU pressure (PSI) is not told here, so neighbours show only in the load and the timings"),
        (health.load_1min, "The load average is not told here"),
    )
    return tuple(sentence for value, sentence in facts if value is None)
