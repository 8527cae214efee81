"""A machine in words: only facts, as rows of a table, and one sentence on int8."""

from __future__ import annotations

from bigfast.cpu.flags import ISA, is_arm, is_x86
from bigfast.cpu.health import Health, change, missing
from bigfast.cpu.machine import Machine

__all__ = ["describe", "describe_health", "int8_verdict", "isa_word"]

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
    """One sentence: which int8 instructions there are, and which recipe follows from them."""
    support, recipe = machine.int8, f"(recipe {machine.int8.recipe})"
    if support.accelerated:
        kernels = {
            "u8s8": "U8S8 kernels without saturation, so weights keep all 8 bits",
            "s8s8": "S8S8 kernels, since these multiply signed by signed without saturation",
            "u8s8-reduce-range": "U8S8 kernels with weights of 7 bits",
        }[support.recipe]
        return f"{_listed([isa_word(name) for name in support.by])}: {kernels} {recipe}"
    if is_x86(machine.architecture):
        return f"No VNNI and no AMX: U8S8 kernels would saturate, so weights keep to 7 bits {recipe}"
    if is_arm(machine.architecture):
        return f"No dot product and no i8mm: S8S8 kernels, not accelerated {recipe}"
    return f"No int8 instructions known on {machine.architecture}: weights keep to 7 bits, to be safe {recipe}"


def describe_health(before: Health, after: Health) -> tuple[tuple[str, str], ...]:
    """Rows of (name, text): how disturbed the machine is, and one sentence for each fact that it does not tell.

    Args:
        before: A snapshot a moment ago.
        after: A snapshot now.
    """
    between, span = change(before, after), f"in the last {after.at_s - before.at_s:.2f} s"
    rows = (
        ("load", None if after.load_1min is None else f"{after.load_1min:.2f} in the last minute"),
        (
            "steal",
            _phrase(
                _share(between.steal_share, span),
                _share(after.steal_share, "since boot"),
            ),
        ),
        (
            "pressure",
            _phrase(_share(between.pressure_share, span), _share(after.pressure_10s, "in the last 10 s")),
        ),
        (
            "throttled",
            None if between.throttled is None else f"{between.throttled} times {span}, {after.throttles} in all",
        ),
        *(("not told", sentence) for sentence in missing(after)),
    )
    return tuple((name, text) for name, text in rows if text)


def _share(share: float | None, when: str) -> str | None:
    return None if share is None else f"{100 * share:.3g} % {when}"


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
