from __future__ import annotations

import pytest

from bigfast.cpu.microarchitecture import apple_name, arm_name, arm_vendor, x86_name

INTEL, AMD = "GenuineIntel", "AuthenticAMD"


@pytest.mark.parametrize(
    ("vendor", "family", "model", "stepping", "name"),
    [
        (INTEL, 6, 79, 1, "Broadwell"),
        (INTEL, 6, 85, 4, "Skylake-SP"),
        (INTEL, 6, 85, 6, "Cascade Lake"),
        (INTEL, 6, 85, 11, "Cooper Lake"),
        (INTEL, 6, 106, 6, "Ice Lake"),
        (INTEL, 6, 151, 2, "Alder Lake"),
        (INTEL, 6, 183, 1, "Raptor Lake"),
        (INTEL, 6, 207, 2, "Emerald Rapids"),
        (INTEL, 6, 173, 1, "Granite Rapids"),
        (AMD, 23, 49, 0, "Zen 2"),
        (AMD, 23, 113, 0, "Zen 2"),
        (AMD, 23, 8, 2, "Zen+"),
        (AMD, 25, 1, 1, "Zen 3"),
        (AMD, 25, 33, 0, "Zen 3"),
        (AMD, 25, 97, 2, "Zen 4"),
        (AMD, 26, 2, 1, "Zen 5"),
        (AMD, 26, 68, 0, "Zen 5"),
        ("HygonGenuine", 24, 1, 1, "Zen 1"),
    ],
)
def test_common_x86_designs_have_their_names(vendor: str, family: int, model: int, stepping: int, name: str) -> None:
    assert x86_name(vendor, family, model, stepping) == name


@pytest.mark.parametrize(
    ("vendor", "family", "model", "stepping"),
    [(INTEL, 6, 9999, 1), (INTEL, 15, 6, 1), (INTEL, 6, 85, None), (AMD, 99, 1, 1), (AMD, None, 1, 1), ("?", 6, 63, 1)],
)
def test_an_unknown_design_is_not_guessed(
    vendor: str, family: int | None, model: int | None, stepping: int | None
) -> None:
    assert x86_name(vendor, family, model, stepping) is None


@pytest.mark.parametrize(
    ("implementer", "part", "name"),
    [
        (0x41, 0xD0C, "Neoverse N1"),
        (0x41, 0xD49, "Neoverse N2"),
        (0x41, 0xD4F, "Neoverse V2"),
        (0x6D, 0xD49, "Neoverse N2"),
        (0x61, 0x023, "Apple M1"),
        (0xC0, 0xAC4, "AmpereOne A"),
        (0x41, 0xFFF, None),
        (None, 0xD0C, None),
    ],
)
def test_arm_cores_have_their_names(implementer: int | None, part: int, name: str | None) -> None:
    assert arm_name(implementer, part) == name


def test_an_unknown_implementer_is_shown_by_its_number() -> None:
    assert (arm_vendor(0x41), arm_vendor(0x7F), arm_vendor(None)) == ("ARM", "implementer 0x7f", "unknown")


@pytest.mark.parametrize(("brand", "name"), [("Apple M1 Pro", "Apple M1"), ("Apple M4", "Apple M4"), ("Intel", None)])
def test_apple_brands_name_their_design(brand: str, name: str | None) -> None:
    assert apple_name(brand) == name


@pytest.mark.parametrize(("stepping", "name"), [(9, "Kaby Lake"), (10, "Coffee Lake"), (None, "Kaby Lake")])
def test_coffee_lake_is_told_from_kaby_lake_by_its_stepping(stepping: int | None, name: str) -> None:
    assert x86_name(INTEL, 6, 158, stepping) == name


@pytest.mark.parametrize(
    ("brand", "family", "name"),
    [
        ("", 0x1B588BB3, "Apple M1"),
        ("Apple processor", 0x1B588BB3, None),
        ("", 5, None),
        ("Apple A18 Pro", 5, "Apple A18"),
    ],
)
def test_a_nameless_apple_chip_is_known_by_its_family(brand: str, family: int, name: str | None) -> None:
    assert apple_name(brand, family) == name
