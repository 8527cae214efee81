"""The processor where the kernel tells nothing: Windows and others, by py-cpuinfo and psutil. Untested there.

py-cpuinfo asks the processor itself, takes about a second, and knows neither AVX-VNNI nor AMX: they count as absent.
"""

from __future__ import annotations

import sys

from bigfast.cpu.cpuinfo import clean
from bigfast.cpu.flags import isa_from
from bigfast.cpu.machine import Machine
from bigfast.cpu.microarchitecture import x86_name

__all__ = ["read_foreign"]

_ARCHITECTURES = {"X86_64": "x86_64", "X86_32": "x86", "ARM_8": "aarch64", "ARM_7": "arm"}


def read_foreign() -> Machine:
    """The machine as py-cpuinfo and psutil see it."""
    import cpuinfo  # a second at first use, so only where nothing else answers
    import psutil

    facts = dict(cpuinfo.get_cpu_info())
    architecture = _ARCHITECTURES.get(str(facts.get("arch")), clean(str(facts.get("arch_string_raw", ""))))
    vendor = clean(str(facts.get("vendor_id_raw", "")))
    numbers = [value if isinstance(value := facts.get(key), int) else None for key in ("family", "model", "stepping")]
    caches = {level: facts.get(f"{level}_cache_size") for level in ("l2", "l3")}
    cores, threads = psutil.cpu_count(logical=False), psutil.cpu_count()
    return Machine(
        system={"win32": "windows", "cygwin": "windows"}.get(sys.platform, sys.platform),
        architecture=architecture,
        vendor=vendor,
        model=clean(str(facts.get("brand_raw", ""))),
        microarchitecture=x86_name(vendor, *numbers),
        signature="-".join("?" if number is None else str(number) for number in numbers) if any(numbers) else None,
        isa=isa_from(map(str, facts.get("flags", ())), architecture),
        physical_cores=cores,
        usable_cores=_allowed() or threads,
        smt=threads > cores if threads and cores else None,
        caches={level: size for level, size in caches.items() if isinstance(size, int) and size > 0},
        memory_bytes=psutil.virtual_memory().total,
    )


def _allowed() -> int | None:
    """How many processors our affinity allows, where the system has affinity."""
    import psutil

    try:
        return len(psutil.Process().cpu_affinity() or ()) or None
    except (AttributeError, psutil.Error):
        return None
