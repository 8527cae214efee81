"""The name of a processor's design, from the numbers it reports.

Sources: Linux ``arch/x86/include/asm/intel-family.h``, ``arch/x86/kernel/cpu/amd.c`` and
``arch/arm64/include/asm/cputype.h``; util-linux ``sys-utils/lscpu-arm.c``; xnu ``osfmk/mach/machine.h``. An unknown
number gives None, never a guess.
"""

from __future__ import annotations

import re

__all__ = ["amd_name", "apple_name", "arm_name", "arm_vendor", "intel_name", "x86_name"]

_INTEL_FAMILY_6 = {
    name: frozenset(models)
    for name, models in {
        "Core 2": (15, 22, 23, 29),
        "Bonnell": (28, 38),
        "Saltwell": (39, 53, 54),
        "Silvermont": (55, 74, 77, 90, 93),
        "Airmont": (76, 117),
        "Nehalem": (26, 30, 31, 46),
        "Westmere": (37, 44, 47),
        "Sandy Bridge": (42, 45),
        "Ivy Bridge": (58, 62),
        "Haswell": (60, 63, 69, 70),
        "Broadwell": (61, 71, 79, 86),
        "Skylake": (78, 94),
        "Knights Landing": (87,),
        "Knights Mill": (133,),
        "Goldmont": (92, 95),
        "Goldmont Plus": (122,),
        "Tremont": (134, 150, 156),
        "Cannon Lake": (102,),
        "Kaby Lake": (142, 158),
        "Comet Lake": (165, 166),
        "Ice Lake": (106, 108, 125, 126, 157),
        "Tiger Lake": (140, 141),
        "Rocket Lake": (167,),
        "Lakefield": (138,),
        "Alder Lake": (151, 154),
        "Alder Lake-N": (190,),
        "Raptor Lake": (183, 186, 191),
        "Meteor Lake": (170, 172),
        "Arrow Lake": (181, 197, 198),
        "Lunar Lake": (189,),
        "Panther Lake": (204,),
        "Wildcat Lake": (213,),
        "Bartlett Lake": (215,),
        "Sapphire Rapids": (143,),
        "Emerald Rapids": (207,),
        "Granite Rapids": (173, 174),
        "Sierra Forest": (175,),
        "Grand Ridge": (182,),
        "Clearwater Forest": (221,),
    }.items()
}

# (family, first model, last model): a later line wins over an earlier, wider one.
_AMD = (
    (15, 0x00, 0xFF, "K8"),
    (16, 0x00, 0xFF, "K10"),
    (18, 0x00, 0xFF, "K10"),
    (20, 0x00, 0xFF, "Bobcat"),
    (21, 0x00, 0x01, "Bulldozer"),
    (21, 0x02, 0x1F, "Piledriver"),
    (21, 0x30, 0x3F, "Steamroller"),
    (21, 0x60, 0x7F, "Excavator"),
    (22, 0x00, 0x0F, "Jaguar"),
    (22, 0x30, 0x3F, "Puma"),
    (23, 0x00, 0x2F, "Zen 1"),
    (23, 0x08, 0x08, "Zen+"),
    (23, 0x18, 0x18, "Zen+"),
    (23, 0x30, 0x4F, "Zen 2"),
    (23, 0x50, 0x5F, "Zen 1"),
    (23, 0x60, 0xAF, "Zen 2"),
    (24, 0x00, 0x03, "Zen 1"),  # Hygon Dhyana
    (25, 0x00, 0x0F, "Zen 3"),
    (25, 0x10, 0x1F, "Zen 4"),
    (25, 0x20, 0x5F, "Zen 3"),
    (25, 0x60, 0xAF, "Zen 4"),
    (26, 0x00, 0x2F, "Zen 5"),
    (26, 0x40, 0x4F, "Zen 5"),
    (26, 0x50, 0x5F, "Zen 6"),
    (26, 0x60, 0x7F, "Zen 5"),
    (26, 0x80, 0xAF, "Zen 6"),
    (26, 0xC0, 0xCF, "Zen 6"),
    (26, 0xD0, 0xD7, "Zen 5"),
)

_ARM_VENDORS = {
    0x41: "ARM",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x44: "DEC",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x4E: "NVIDIA",
    0x50: "APM",
    0x51: "Qualcomm",
    0x53: "Samsung",
    0x56: "Marvell",
    0x61: "Apple",
    0x66: "Faraday",
    0x69: "Intel",
    0x6D: "Microsoft",
    0x70: "Phytium",
    0xC0: "Ampere",
}

_ARM = {
    0x41: {
        0xB36: "ARM1136",
        0xB56: "ARM1156",
        0xB76: "ARM1176",
        0xC05: "Cortex-A5",
        0xC07: "Cortex-A7",
        0xC08: "Cortex-A8",
        0xC09: "Cortex-A9",
        0xC0D: "Cortex-A17",
        0xC0E: "Cortex-A17",
        0xC0F: "Cortex-A15",
        0xD01: "Cortex-A32",
        0xD02: "Cortex-A34",
        0xD03: "Cortex-A53",
        0xD04: "Cortex-A35",
        0xD05: "Cortex-A55",
        0xD06: "Cortex-A65",
        0xD07: "Cortex-A57",
        0xD08: "Cortex-A72",
        0xD09: "Cortex-A73",
        0xD0A: "Cortex-A75",
        0xD0B: "Cortex-A76",
        0xD0C: "Neoverse N1",
        0xD0D: "Cortex-A77",
        0xD0E: "Cortex-A76AE",
        0xD15: "Cortex-R82",
        0xD40: "Neoverse V1",
        0xD41: "Cortex-A78",
        0xD42: "Cortex-A78AE",
        0xD43: "Cortex-A65AE",
        0xD44: "Cortex-X1",
        0xD46: "Cortex-A510",
        0xD47: "Cortex-A710",
        0xD48: "Cortex-X2",
        0xD49: "Neoverse N2",
        0xD4A: "Neoverse E1",
        0xD4B: "Cortex-A78C",
        0xD4C: "Cortex-X1C",
        0xD4D: "Cortex-A715",
        0xD4E: "Cortex-X3",
        0xD4F: "Neoverse V2",
        0xD80: "Cortex-A520",
        0xD81: "Cortex-A720",
        0xD82: "Cortex-X4",
        0xD83: "Neoverse V3AE",
        0xD84: "Neoverse V3",
        0xD85: "Cortex-X925",
        0xD87: "Cortex-A725",
        0xD88: "Cortex-A520AE",
        0xD89: "Cortex-A720AE",
        0xD8A: "C1-Nano",
        0xD8B: "C1-Pro",
        0xD8C: "C1-Ultra",
        0xD8E: "Neoverse N3",
        0xD8F: "Cortex-A320",
        0xD90: "C1-Premium",
    },
    0x42: {0x100: "Brahma-B53", 0x516: "ThunderX2"},
    0x43: dict.fromkeys((0x0A0, 0x0A1, 0x0A2, 0x0A3), "ThunderX") | {0x0AF: "ThunderX2"},
    0x46: {0x001: "A64FX", 0x003: "MONAKA"},
    0x48: {0xD01: "TaiShan v110", 0xD02: "TaiShan v120", 0xD40: "Cortex-A76", 0xD41: "Cortex-A77"},
    0x4E: {0x000: "Denver", 0x003: "Denver 2", 0x004: "Carmel", 0x010: "Olympus"},
    0x50: {0x000: "X-Gene"},
    0x51: {
        0x001: "Oryon",
        0x00F: "Scorpion",
        0x02D: "Scorpion",
        0x04D: "Krait",
        0x06F: "Krait",
        0x201: "Kryo",
        0x205: "Kryo",
        0x211: "Kryo",
        0x800: "Kryo 2xx Gold",
        0x801: "Kryo 2xx Silver",
        0x802: "Kryo 3xx Gold",
        0x803: "Kryo 3xx Silver",
        0x804: "Kryo 4xx Gold",
        0x805: "Kryo 4xx Silver",
        0xC00: "Falkor",
        0xC01: "Saphira",
    },
    0x53: {0x001: "Exynos M1", 0x002: "Exynos M3", 0x003: "Exynos M4", 0x004: "Exynos M5"},
    0x61: dict.fromkeys((0x022, 0x023, 0x024, 0x025, 0x028, 0x029), "Apple M1")
    | dict.fromkeys((0x032, 0x033, 0x034, 0x035, 0x038, 0x039), "Apple M2"),
    0x6D: {0xD49: "Neoverse N2"},  # Azure Cobalt 100
    0x70: {0x303: "FTC310", 0x660: "FTC660", 0x661: "FTC661", 0x662: "FTC662", 0x663: "FTC663", 0x862: "FTC862"},
    0xC0: {0xAC3: "AmpereOne", 0xAC4: "AmpereOne A", 0xAC5: "AmpereOne B"},
}

_APPLE_FAMILIES = {
    0x1B588BB3: "Apple M1",
    0xDA33D83D: "Apple M2",
    0xFA33415E: "Apple M3",
    0x5F4DEA93: "Apple M3",  # Pro
    0x72015832: "Apple M3",  # Max
    0x6F5129AC: "Apple M4",
    0x17D5B93A: "Apple M4",  # Pro, Max
}


def x86_name(vendor: str, family: int | None, model: int | None, stepping: int | None) -> str | None:
    """The design behind an x86 processor's family, model and stepping."""
    if family is None or model is None:
        return None
    if vendor == "GenuineIntel":
        return intel_name(family, model, stepping)
    if vendor in {"AuthenticAMD", "HygonGenuine"}:
        return amd_name(family, model)
    return None


def intel_name(family: int, model: int, stepping: int | None) -> str | None:
    """Intel's design; three server generations share one model number and differ by stepping."""
    if family != 6:
        return "Diamond Rapids" if (family, model) == (19, 1) else None
    if model == 158 and stepping is not None and stepping >= 10:
        return "Coffee Lake"  # it kept the number of Kaby Lake
    if model == 85:
        if stepping is None:
            return None
        return "Skylake-SP" if stepping < 5 else "Cascade Lake" if stepping < 10 else "Cooper Lake"
    return next((name for name, models in _INTEL_FAMILY_6.items() if model in models), None)


def amd_name(family: int, model: int) -> str | None:
    """AMD's design, whose models come in ranges."""
    return next((name for f, low, high, name in reversed(_AMD) if f == family and low <= model <= high), None)


def arm_name(implementer: int | None, part: int | None) -> str | None:
    """The design of an ARM core from MIDR's implementer and part number."""
    return None if implementer is None or part is None else _ARM.get(implementer, {}).get(part)


def arm_vendor(implementer: int | None) -> str:
    """Who designed an ARM core."""
    return "unknown" if implementer is None else _ARM_VENDORS.get(implementer, f"implementer 0x{implementer:02x}")


def apple_name(brand: str, family: int | None = None) -> str | None:
    """``Apple M1`` for the brand ``Apple M1 Pro``; without a brand, by the ``hw.cpufamily`` of a Mac."""
    found = re.match(r"Apple [AM]\d{1,3}(?!\d)", brand)
    if found:
        return found.group()
    return _APPLE_FAMILIES.get(family) if family and not brand else None
