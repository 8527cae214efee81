"""How long our own threads stood ready and found no core: the sharpest sign that somebody else was busy here.

Steal is counted in jiffies of 10 ms and pressure over the whole machine; this is counted in nanoseconds and is ours
alone. Kernel documentation: ``Documentation/scheduler/sched-stats.rst``, "/proc/<pid>/schedstat".
"""

from __future__ import annotations

from pathlib import Path

from bigfast.cpu.kernel_file import content

__all__ = ["waited_s"]


def waited_s(*, root: Path = Path("/")) -> float | None:
    """Seconds that the threads of this process have waited for a core since they began, summed over them.

    Args:
        root: Where ``/proc`` is.

    Returns:
        None where the system does not tell.
    """
    waits = []
    for file in (root / "proc/self/task").glob("*/schedstat"):
        numbers = content(file).split()  # time on a core in ns, time waiting for one in ns, time slices
        if len(numbers) == 3 and numbers[1].isdecimal():
            waits.append(int(numbers[1]))
    return sum(waits) / 1e9 if waits else None
