"""What a Linux kernel says about its machine: ``/proc/cpuinfo``, and what the rest of ``/proc`` and ``/sys`` tells."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from bigfast.cpu.cgroup import cpu_quota, memory_limit_bytes
from bigfast.cpu.cpuinfo import clean, read_text
from bigfast.cpu.flags import is_x86
from bigfast.cpu.kernel_file import content
from bigfast.cpu.machine import Machine

__all__ = ["read_kernel"]

_CPUS = "sys/devices/system/cpu"
_MARKS = (  # in firmware names and clock sources: the hypervisor they betray
    ("amazon ec2", "KVM (Amazon Nitro)"),
    ("google compute", "KVM (Google)"),
    ("vmware", "VMware"),
    ("virtualbox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("parallels", "Parallels"),
    ("apple virtualization", "Apple Virtualization"),
    ("xen", "Xen"),
    ("microsoft corporation virtual", "Hyper-V"),
    ("hyperv", "Hyper-V"),
    ("qemu", "KVM (QEMU)"),
    ("kvm", "KVM"),
)


def read_kernel(*, allowed: int, root: Path = Path("/")) -> Machine:
    """The machine this kernel runs on.

    Args:
        allowed: How many processors the scheduler may put us on (``sched_getaffinity``).
        root: Where ``/proc`` and ``/sys`` are.

    Raises:
        InputError: ``/proc/cpuinfo`` does not describe a processor.
    """
    told = read_text(content(root / "proc/cpuinfo"))
    quota = cpu_quota(root=root)
    smt = _switch(root / _CPUS / "smt/active")
    return replace(
        told,
        physical_cores=_cores(root) or told.physical_cores,
        usable_cores=max(1, allowed if quota is None else min(allowed, int(quota))),
        smt=told.smt if smt is None else smt,
        numa_nodes=len(list((root / "sys/devices/system/node").glob("node[0-9]*"))) or None,
        caches=_caches(root) or told.caches,
        memory_bytes=_memory_bytes(root),
        memory_limit_bytes=memory_limit_bytes(root=root),
        hypervisor=_hypervisor(root, told.hypervisor, x86=is_x86(told.architecture)),
        governor=_line(root / _CPUS / "cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(root),
    )


def _cores(root: Path) -> int:
    """Groups of processors that share a core; 0 where the kernel does not tell."""
    lists = (content(path) for path in (root / _CPUS).glob("cpu[0-9]*/topology/thread_siblings_list"))
    return len({shared.strip() for shared in lists if shared.strip()})


def _caches(root: Path) -> dict[str, int]:
    caches: dict[str, int] = {}
    for index in (root / _CPUS / "cpu0/cache").glob("index[0-9]*"):
        level, kind = content(index / "level").strip(), content(index / "type").strip()
        size = re.fullmatch(r"(\d{1,9})([KM])", content(index / "size").strip())
        name = {"1Data": "l1d", "2Unified": "l2", "3Unified": "l3"}.get(level + kind)
        if size and name and int(size[1]):
            caches[name] = int(size[1]) * (1024 if size[2] == "K" else 1024**2)
    return caches


def _memory_bytes(root: Path) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d{1,15}) kB", content(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _hypervisor(root: Path, told: str | None, *, x86: bool) -> str | None:
    """Its name where firmware or clocks betray it; an x86 processor tells by a flag whether there is one at all."""
    firmware = [content(root / "sys/class/dmi/id" / name).strip() for name in ("sys_vendor", "product_name")]
    if (x86 and told is None) or firmware[1].endswith(".metal"):
        return None
    others = (
        "sys/hypervisor/type",
        "proc/device-tree/hypervisor/compatible",
        "sys/devices/system/clocksource/clocksource0/available_clocksource",
    )
    marks = " ".join([*firmware, *(content(root / name) for name in others)]).lower()
    return next((name for mark, name in _MARKS if mark in marks), told)


def _turbo(root: Path) -> bool | None:
    refused = _switch(root / _CPUS / "intel_pstate/no_turbo")
    return _switch(root / _CPUS / "cpufreq/boost") if refused is None else not refused


def _switch(path: Path) -> bool | None:
    return {"0": False, "1": True}.get(content(path).strip())


def _line(path: Path) -> str | None:
    text = content(path).strip()
    return clean(text) if text else None
