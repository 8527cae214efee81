"""A machine in words: only facts, as rows of a table, and one sentence on int8."""

from __future__ import annotations

from bigfast.cpu.flags import ISA, is_arm, is_x86
from bigfast.cpu.machine import Machine

__all__ = ["describe", "int8_verdict", "isa_word"]

_WORDS = {
    "avx512f": "AVX512F",
    "avx512bw": "AVX512BW",
    "avx512vl": "AVX512VL",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "asimddp": "dot product",
    "i8mm": "i8mm",
    "bf16": "bf16",
}


def isa_word(name: str) -> str:
    """An instruction set as people write it: ``AVX512-VNNI`` for ``avx512_vnni``."""
    return _WORDS.get(name, name.upper().replace("_", "-"))


def describe(machine: Machine) -> tuple[tuple[str, str], ...]:
    """Rows of (name, text) about a machine; what is not told is left out."""
    rows = (
        ("processor", machine.model),
        ("design", _phrase(machine.microarchitecture, f"made by {machine.vendor}", machine.signature)),
        ("system", _phrase(f"{machine.system} on {machine.architecture}", _under(machine))),
        ("cores", _cores(machine)),
        ("caches", _phrase(*(f"{name.upper()[:2]}{name[2:]} {_size(n)}" for name, n in machine.caches.items()))),
        ("memory", _memory(machine)),
        ("clock", _clock(machine)),
        (
            "instructions",
            _phrase(*(isa_word(name) for name in ISA if machine.isa[name])) or "none of those looked for",
        ),
        ("int8", int8_verdict(machine)),
        ("bf16", "yes, as instructions" if machine.has_bf16 else "no"),
        ("fingerprint", machine.fingerprint),
    )
    return tuple((name, text) for name, text in rows if text)


def int8_verdict(machine: Machine) -> str:
    """One sentence: which int8 instructions there are, and what follows from them."""
    support = machine.int8
    if support.accelerated:
        kernels = {
            "u8s8": "U8S8 kernels without saturation",
            "s8s8": "S8S8 kernels",
            "u8s8-reduce-range": "U8S8 kernels with weights of 7 bits",
        }[support.recipe]
        return f"{_listed([isa_word(name) for name in support.by])}: {kernels}"
    if is_x86(machine.architecture):
        return "No VNNI and no AMX: U8S8 kernels would saturate, so weights keep to 7 bits (reduce range)"
    if is_arm(machine.architecture):
        return "No dot product and no i8mm: S8S8 kernels, not accelerated"
    return f"No int8 instructions known on {machine.architecture}: weights keep to 7 bits (reduce range), to be safe"


def _under(machine: Machine) -> str | None:
    return f"under {machine.hypervisor}" if machine.hypervisor else None


def _cores(machine: Machine) -> str:
    smt = {True: "with SMT", False: "without SMT", None: None}[machine.smt]
    nodes = machine.numa_nodes
    return _phrase(
        f"{machine.physical_cores} physical" if machine.physical_cores else None,
        f"{machine.usable_cores} usable" if machine.usable_cores else None,
        smt,
        f"{nodes} NUMA node{'s' if nodes > 1 else ''}" if nodes else None,
    )


def _memory(machine: Machine) -> str:
    limit = machine.memory_limit_bytes
    return _phrase(
        _size(machine.memory_bytes) if machine.memory_bytes else None,
        f"limited to {_size(limit)} by a control group" if limit else None,
    )


def _clock(machine: Machine) -> str:
    turbo = {True: "turbo on", False: "turbo off", None: None}[machine.turbo]
    return _phrase(f"governor {machine.governor}" if machine.governor else None, turbo)


def _size(count: int) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} bytes"


def _phrase(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
