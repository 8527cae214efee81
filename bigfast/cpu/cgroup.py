"""The Linux control groups we are in, and what they leave us of processor and memory.

A limit of any ancestor holds for us too, so every question is asked of the group and all groups above it that we
can see. Both versions may be mounted at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bigfast.cpu.kernel_file import content

__all__ = ["cpu_quota", "groups", "memory_limit_bytes"]

# proc_pid_mountinfo(5): id, parent, device, root of the mount, mount point, ... - type, source, options
_MOUNT = re.compile(r"^\d+ \d+ \S+ (\S+) (\S+) .*?- (cgroup2?) \S* (\S+)$", re.MULTILINE)
_UNLIMITED = 2**60  # version 1 says 2**63 less a page for "no limit"


def groups(controller: str, *, root: Path = Path("/")) -> list[Path]:
    """The directories of our control group and of its ancestors, own one first, of both versions.

    Args:
        controller: What version 1 must control there, ``cpu`` or ``memory``; version 2 has one tree for all.
        root: Where ``/proc`` and ``/sys`` are.
    """
    mounts = list(_mounts(root))
    found: list[Path] = []
    for line in content(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        wanted = controller if controllers else ""
        for mounted, top, names in mounts:
            if wanted in names:
                found += _chain(root / mounted.lstrip("/"), path, top)
                break
    return found


def _mounts(root: Path) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Where each hierarchy is mounted, which of its groups is the top there, and its controllers ("" in version 2)."""
    for top, mounted, kind, options in _MOUNT.findall(content(root / "proc/self/mountinfo")):
        yield mounted, top, frozenset({""}) if kind == "cgroup2" else frozenset(options.split(","))


def _chain(mounted: Path, path: str, top: str) -> list[Path]:
    """The directories from our group up to the mount point; a container may show the path of its host."""
    names = [name for name in path.split("/") if name]
    tops = [name for name in top.split("/") if name]
    if names[: len(tops)] == tops:
        names = names[len(tops) :]
    if ".." in names:  # our group lies outside what is mounted here
        names = []
    chain = [mounted.joinpath(*names[:depth]) for depth in range(len(names), -1, -1)]
    return [directory for directory in chain if directory.is_dir()]


def cpu_quota(*, root: Path = Path("/")) -> float | None:
    """How many processors' time the tightest group allows (``cpu.max``, ``cpu.cfs_quota_us``); None: no limit."""
    quotas: list[float] = []
    for directory in groups("cpu", root=root):
        quota, _, period = content(directory / "cpu.max").strip().partition(" ")
        if not quota:
            quota, period = (content(directory / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
        if quota.isdecimal() and period.isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def memory_limit_bytes(*, root: Path = Path("/")) -> int | None:
    """The tightest memory limit in bytes (``memory.max``, ``memory.limit_in_bytes``); None: no limit."""
    texts = [
        content(directory / name).strip()
        for directory in groups("memory", root=root)
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    return min((int(text) for text in texts if text.isdecimal() and 0 < int(text) < _UNLIMITED), default=None)
