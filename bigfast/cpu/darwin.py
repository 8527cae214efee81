"""What ``sysctl hw machdep.cpu`` says on macOS, on Apple silicon and on Intel."""

from __future__ import annotations

import re

from bigfast.cpu.cpuinfo import WHAT_TO_SAVE, clean, parse_lines
from bigfast.cpu.flags import isa_from
from bigfast.cpu.machine import Machine
from bigfast.cpu.microarchitecture import apple_name, x86_name
from bigfast.errors import InputError

__all__ = ["is_sysctl", "read_kernel", "read_text"]

_X86_CPUTYPES = {"7", "16777223"}  # <mach/machine.h>: CPU_TYPE_X86, CPU_TYPE_X86_64
_ARM_FEATURE = "hw.optional.arm.FEAT_"
_FEATURES = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")


def is_sysctl(text: str) -> bool:
    """Whether a text looks like the output of sysctl."""
    return re.search(r"^\ufeff?[ \t]*(hw|machdep)\.[\w.]+[ \t]*[:=]", text, re.MULTILINE) is not None


def read_kernel() -> Machine:
    """The machine that this macOS runs on; about 10 ms, for a process is started.

    Raises:
        InputError: sysctl cannot be run, or names no processor.
    """
    import subprocess  # nobody else who imports this room needs it

    command = ["/usr/sbin/sysctl", "hw", "machdep.cpu", "kern.hv_vmm_present", "sysctl.proc_translated"]
    # sysctl ends with 1 where it does not know one of the names, and prints the others all the same.
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=5, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"{command[0]} tells nothing: {error}") from error
    return read_text(answer.stdout)


def read_text(text: str) -> Machine:
    """The machine that a sysctl listing describes.

    Raises:
        InputError: It names no processor, or not its instruction sets.
    """
    facts: dict[str, str] = {}
    for key, value in parse_lines(text):
        facts.setdefault(key, value)
    brand = facts.get("machdep.cpu.brand_string", "")
    arm = _is_arm(facts, brand)
    if arm is None:
        raise InputError(f"The sysctl text describes no processor: {WHAT_TO_SAVE}")
    translated = brand.startswith("Apple") and not arm
    numbers = [_number(facts, f"machdep.cpu.{key}") for key in ("family", "model", "stepping")]
    vendor = clean("Apple" if arm or translated else facts.get("machdep.cpu.vendor", ""))
    cores = _number(facts, "hw.physicalcpu") or _number(facts, "machdep.cpu.core_count")
    threads = _number(facts, "hw.logicalcpu") or _number(facts, "machdep.cpu.thread_count")
    in_vm = facts.get("kern.hv_vmm_present") == "1" or "VMM" in facts.get("machdep.cpu.features", "").split()
    design = apple_name(brand, _family(facts))
    isa = _arm_isa(facts, design) if arm else _x86_isa(facts)
    if isa is None:
        raise InputError(f"The sysctl text does not list the processor's instruction sets: {WHAT_TO_SAVE}")
    return Machine(
        system="darwin",
        architecture="aarch64" if arm else "x86_64",
        vendor=vendor,
        model=clean(brand or design or ""),
        microarchitecture=design or x86_name(vendor, numbers[0] or 6, numbers[1], numbers[2]),
        signature=_signature(facts, numbers),
        isa=isa,
        physical_cores=cores,
        usable_cores=_number(facts, "hw.activecpu") or threads,
        smt=threads > cores if threads and cores else None,
        caches=_caches(facts),
        memory_bytes=_number(facts, "hw.memsize"),
        hypervisor="Rosetta 2" if translated else "a macOS hypervisor" if in_vm else None,
    )


def _is_arm(facts: dict[str, str], brand: str) -> bool | None:
    """Whether our programs run as ARM; under Rosetta 2 an Apple processor shows itself as x86. None: not told."""
    if facts.get("hw.cputype") in _X86_CPUTYPES or any(facts.get(key) for key in _FEATURES):
        return False
    if brand.startswith("Apple") or facts.get("hw.optional.arm64") == "1" or "hw.optional.arm.FEAT_DotProd" in facts:
        return True
    return False if "Intel" in brand else None


def _arm_isa(facts: dict[str, str], design: str | None) -> dict[str, bool] | None:
    """What ``hw.optional.arm`` lists. Without it, what every chip of that name has; None: neither is told."""
    names = {key.removeprefix(_ARM_FEATURE) for key, value in facts.items() if value == "1"}
    if not any(key.startswith(_ARM_FEATURE) for key in facts):
        chip = re.fullmatch(r"Apple ([AM])(\d+)", design or "")
        if chip and int(chip[2]) >= {"A": 15, "M": 2}[chip[1]]:
            names |= {"DotProd", "I8MM", "BF16"}
        elif chip or facts.get("hw.optional.armv8_2_sha3") == "1":  # macOS 11 runs on no Apple silicon but M1
            names.add("DotProd")
        else:
            return None
    return isa_from(names, "aarch64")


def _x86_isa(facts: dict[str, str]) -> dict[str, bool] | None:
    """What ``machdep.cpu`` lists, and ``hw.optional``; None: neither is told."""
    prefix = "hw.optional."
    optional = {key.removeprefix(prefix): value for key, value in facts.items() if key.startswith(prefix)}
    lists = [facts[key] for key in _FEATURES if key in facts]
    if not lists and "avx2_0" not in optional:
        return None
    names = {name for name, value in optional.items() if value == "1"}
    return isa_from(names.union(*(words.split() for words in lists)), "x86_64")


def _signature(facts: dict[str, str], numbers: list[int | None]) -> str | None:
    """Apple's number of a family of cores, or Intel's family-model-stepping."""
    if any(numbers[1:]):
        return "-".join("?" if number is None else str(number) for number in numbers)
    family = _family(facts)
    return str(family) if family else None


def _family(facts: dict[str, str]) -> int | None:
    """Apple's number of a family of cores, 32 bits, which some macOS print with a sign."""
    value = facts.get("hw.cpufamily", "")
    return int(value) % 2**32 or None if re.fullmatch(r"-?\d{1,10}", value, re.ASCII) else None


def _caches(facts: dict[str, str]) -> dict[str, int]:
    """Of a performance core (``perflevel0``) where there are two kinds."""
    found = {
        level: _number(facts, f"hw.perflevel0.{level}cachesize") or _number(facts, f"hw.{level}cachesize")
        for level in ("l1d", "l2", "l3")
    }
    return {level: size for level, size in found.items() if size}


def _number(facts: dict[str, str], key: str) -> int | None:
    value = facts.get(key, "")
    return int(value) or None if re.fullmatch(r"\d{1,15}", value, re.ASCII) else None
