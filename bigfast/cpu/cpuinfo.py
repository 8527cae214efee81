"""What ``/proc/cpuinfo`` says, read from its text: x86, ARM, and any other processor as far as it goes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from bigfast.cpu.flags import is_arm, is_x86, isa_from
from bigfast.cpu.machine import Machine
from bigfast.cpu.microarchitecture import arm_name, arm_vendor, x86_name
from bigfast.errors import InputError

__all__ = ["clean", "parse_lines", "read_text"]

_X86_VENDORS = frozenset({"GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls", "Shanghai"})
_X86_FLAGS = frozenset({"fpu", "cx8", "sse", "sse2", "lm", "avx", "avx2"})
_ARM_FEATURES = frozenset({"asimd", "fp", "half", "neon", "vfpv3", "vfpv4"})
_OTHERS = (  # key, how its value begins, architecture; the first that fits
    ("isa", "rv64", "riscv64"),
    ("isa", "rv32", "riscv32"),
    ("CPU Family", "", "loongarch64"),
    ("cpu model", "", "mips"),
    ("cpu", "POWER", "ppc64"),
    ("cpu", "", "ppc"),
    ("arch", "IA-64", "ia64"),
)
_RISCV_VENDORS = {0x31E: "Andes", 0x489: "SiFive", 0x5B7: "T-Head", 0x710: "SpacemiT"}  # asm/vendorid_list.h
_NO_NAME = re.compile(r"(ARMv\d|AArch64)[\w-]* [Pp]rocessor")  # what 32-bit kernels say of any ARM processor
_MOST_PROCESSORS = 2**14  # twice the most that Linux can be built for on x86

WHAT_TO_SAVE = "save all of /proc/cpuinfo (Linux) or the output of 'sysctl hw machdep.cpu' (macOS)"


# Keys of long lists: what follows such a line without a key is the rest of it, wrapped by a mail or a terminal.
_LISTS = frozenset({"flags", "Features"} | {f"machdep.cpu.{name}features" for name in ("", "leaf7_", "ext")})
_LINE = re.compile(r"([^:=]*)[:=](.*)")


def parse_lines(text: str) -> Iterator[tuple[str, str]]:
    """Every ``key: value`` or ``key = value`` of a text, in order; also where it is quoted by ``>`` or wrapped."""
    listing, parts = "", [""]
    for line in text.lstrip("\ufeff").splitlines():
        halves = _LINE.match(line)
        if listing and not halves and (rest := line.strip(" \t>")):
            parts.append(rest)
            continue
        if listing:
            yield listing, " ".join(parts)
            listing = ""
        if halves:
            key, value = halves[1].strip(" \t>"), halves[2].strip()
            if key in _LISTS:
                listing, parts = key, [value]
            else:
                yield key, value
    if listing:
        yield listing, " ".join(parts)


def clean(text: str) -> str:
    """A name as one printable line, its spaces single, short enough for a table."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:120].rstrip() or "unknown"


def _without_cut_list(blocks: list[dict[str, str]]) -> tuple[dict[str, str], ...]:
    """Leaves out the list that ends a text cut off in the midst of it, where others show that lines follow it."""
    last = next(reversed(blocks[-1]), "")
    if last in _LISTS and any(last in block and next(reversed(block)) != last for block in blocks[:-1]):
        del blocks[-1][last]
    return tuple(blocks)


@dataclass(frozen=True, slots=True)
class _Processors:
    """The lines of a cpuinfo text, by processor; what precedes the first one is a block of its own."""

    blocks: tuple[dict[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> _Processors:
        blocks: list[dict[str, str]] = [{}]
        for key, value in parse_lines(text):
            if key == "processor" and blocks[-1]:
                blocks.append({})
                if len(blocks) > _MOST_PROCESSORS:
                    raise InputError(f"The text lists more than {_MOST_PROCESSORS} processors, which no machine has")
            blocks[-1].setdefault(key, value)
        return cls(_without_cut_list(blocks) if not text.endswith("\n") else tuple(blocks))

    def values(self, key: str) -> list[str]:
        """The different values of ``key``, in order."""
        return list(dict.fromkeys(block[key] for block in self.blocks if key in block))

    def first(self, key: str) -> str:
        return next(iter(self.values(key)), "")

    def number(self, key: str) -> int | None:
        return _number(self.first(key))

    def words(self, key: str) -> frozenset[str]:
        """The words that every processor lists under ``key``: a program may be moved to any of them."""
        lists = [frozenset(value.split()) for value in self.values(key)]
        return frozenset.intersection(*lists) if lists else frozenset()


def read_text(text: str) -> Machine:
    """The machine that a ``/proc/cpuinfo`` describes; what such a file does not tell is None.

    Raises:
        InputError: It names no processor, or an x86 or ARM one without its instruction sets.
    """
    processors = _Processors.parse(text)
    architecture = _architecture(processors)
    if architecture is None:
        raise InputError(f"The text describes no processor: {WHAT_TO_SAVE}")
    listing = "Features" if is_arm(architecture) else "flags"
    words = processors.words(listing)
    if not words and (is_arm(architecture) or is_x86(architecture)):
        raise InputError(f"The text has no {listing!r} line, so its instruction sets are unknown: {WHAT_TO_SAVE}")
    if is_arm(architecture):
        return _arm(processors, architecture, words)
    return _x86(processors, architecture, words) if is_x86(architecture) else _other(processors, architecture)


def _architecture(processors: _Processors) -> str | None:
    vendor = processors.first("vendor_id")
    flags, features = processors.words("flags"), processors.words("Features")
    if vendor in _X86_VENDORS or flags & _X86_FLAGS:
        return "x86" if flags and "lm" not in flags else "x86_64"
    if features & _ARM_FEATURES or processors.first("CPU implementer"):
        return "arm" if features and "asimd" not in features else "aarch64"
    if vendor == "IBM/S390":
        return "s390x"
    if not processors.values("processor"):
        return None
    fitting = (name for key, start, name in _OTHERS if (value := processors.first(key)) and value.startswith(start))
    return next(fitting, None)


def _x86(processors: _Processors, architecture: str, flags: frozenset[str]) -> Machine:
    vendor = clean(processors.first("vendor_id"))
    family, model, stepping = (processors.number(key) for key in ("cpu family", "model", "stepping"))
    threads, cores = processors.number("siblings"), processors.number("cpu cores")
    return Machine(
        system="linux",
        architecture=architecture,
        vendor=vendor,
        model=clean(processors.first("model name")),
        microarchitecture=x86_name(vendor, family, model, stepping),
        signature=_signature(family, model, stepping),
        isa=isa_from(flags, architecture),
        physical_cores=_cores(processors),
        smt=threads > cores if threads and cores else None,
        caches=_caches(vendor, processors.first("cache size"), flags),
        hypervisor=_hypervisor(vendor, flags),
    )


def _hypervisor(vendor: str, flags: frozenset[str]) -> str | None:
    if vendor == "VirtualApple":
        return "Rosetta 2"
    return "an unnamed hypervisor" if "hypervisor" in flags else None


def _cores(processors: _Processors) -> int | None:
    """Cores of all sockets: what each socket claims, since a saved text may show only some of its processors."""
    claimed: dict[str, int] = {}
    shown: defaultdict[str, set[str]] = defaultdict(set)  # kernels before 6.9 may claim too few of a hybrid
    for block in processors.blocks:
        if cores := _number(block.get("cpu cores", "")):
            socket = block.get("physical id", "0")
            claimed[socket] = max(claimed.get(socket, 0), cores)
            shown[socket].add(block.get("core id", "0"))
    return sum(max(cores, len(shown[socket])) for socket, cores in claimed.items()) or None


def _caches(vendor: str, size: str, flags: frozenset[str]) -> dict[str, int]:
    """Linux shows one cache: AMD's L2, and Intel's last level, which is L3 in all that have AVX."""
    level = {"AuthenticAMD": "l2", "HygonGenuine": "l2", "GenuineIntel": "l3" if "avx" in flags else "l2"}.get(vendor)
    found = re.fullmatch(r"(\d{1,9}) KB", size)
    return {level: int(found[1]) * 1024} if found and level and int(found[1]) else {}


def _arm(processors: _Processors, architecture: str, features: frozenset[str]) -> Machine:
    cores: dict[int | None, dict[int, None]] = {}  # big.LITTLE has several parts, some of other makers
    names: dict[str, None] = {}
    for block in processors.blocks:
        maker, part = (_number(block.get(f"CPU {key}", "")) for key in ("implementer", "part"))
        if maker or part:
            cores.setdefault(maker, {}).update({part: None} if part else {})
        if core := arm_name(maker, part):
            names[core] = None
    vendor = arm_vendor(processors.number("CPU implementer"))
    numbers = "-".join(
        f"0x{number:x}" for maker, parts in cores.items() for number in (maker, *sorted(parts)) if number
    )
    name = " + ".join(names) or None
    brand = processors.first("model name") or processors.first("Processor")
    if name and (not brand or _NO_NAME.match(brand)):
        brand = name if name.startswith(vendor) else f"{vendor} {name}"
    return Machine(
        system="linux",
        architecture=architecture,
        vendor=vendor,
        model=clean(brand or (f"{vendor} processor {numbers}" if numbers else "")),
        microarchitecture=name,
        signature=numbers or None,
        isa=isa_from(features, architecture),
    )


def _other(processors: _Processors, architecture: str) -> Machine:
    keys = ("model name", "Model Name", "uarch", "cpu", "cpu model", "isa", "family", "vendor_id")
    number = processors.number("mvendorid")
    names = (
        processors.first("vendor_id") or processors.first("vendor"),
        _RISCV_VENDORS.get(number, "") if number else "",
        processors.first("mvendorid") or processors.first("uarch").partition(",")[0],
        {"ppc64": "IBM", "loongarch64": "Loongson"}.get(architecture, ""),
    )
    return Machine(
        system="linux",
        architecture=architecture,
        vendor=clean(next(filter(None, names), "")),
        model=clean(next((value for key in keys if (value := processors.first(key))), "")),
        isa=isa_from((), architecture),
    )


def _signature(*numbers: int | None) -> str | None:
    return "-".join("?" if number is None else str(number) for number in numbers) if any(numbers) else None


def _number(text: str) -> int | None:
    """A decimal or ``0x`` number of at most eight digits."""
    return int(text, 0) if re.fullmatch(r"0x[0-9a-fA-F]{1,8}|0|[1-9]\d{0,8}", text, re.ASCII) else None
