from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from bigfast.cpu import ISA, Machine
from bigfast.errors import InputError

MACHINE = Machine(
    system="linux",
    architecture="x86_64",
    vendor="GenuineIntel",
    model="Intel(R) Xeon(R)",
    microarchitecture="Sapphire Rapids",
    signature="6-143-6",
    isa={name: name in {"avx2", "avx512_vnni", "amx_int8", "amx_bf16"} for name in ISA},
    physical_cores=56,
    usable_cores=4,
    smt=True,
    numa_nodes=2,
    caches={"l2": 2**21, "l1d": 49152},
    memory_bytes=2**36,
    memory_limit_bytes=2**33,
    hypervisor="KVM",
    governor="performance",
    turbo=True,
)


def test_a_machine_survives_json() -> None:
    assert Machine.from_json(json.loads(json.dumps(MACHINE.to_json()))) == MACHINE


def test_what_is_not_told_survives_json_too() -> None:
    bare = Machine(system="linux", architecture="arm", vendor="ARM", model="?", isa=dict.fromkeys(ISA, False))

    assert Machine.from_json(bare.to_json()) == bare


def test_json_has_what_the_command_promises() -> None:
    shown = MACHINE.to_json()

    assert shown["cores"] == {"physical": 56, "usable": 4}
    assert shown["int8"] == {"accelerated": True, "by": ["amx_int8", "avx512_vnni"], "recipe": "u8s8"}


def test_unknown_fields_are_ignored_and_derived_ones_derived_again() -> None:
    entries = MACHINE.to_json() | {"colour": "red", "fingerprint": "forged", "int8": None}

    assert Machine.from_json(entries).fingerprint == MACHINE.fingerprint


def without(key: str) -> Callable[[dict[str, object]], object]:
    return lambda entries: {name: value for name, value in entries.items() if name != key}


def with_(key: str, value: object) -> Callable[[dict[str, object]], object]:
    return lambda entries: entries | {key: value}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entries: None,
        lambda entries: [entries],
        lambda entries: {1: 2},
        lambda entries: dict.fromkeys(map(str, range(10_000)), 0),
        without("isa"),
        without("model"),
        with_("isa", {"avx2": True}),
        with_("isa", dict.fromkeys(ISA, 1)),
        with_("model", "a\x1b[2Jb"),
        with_("model", "m" * 10_000),
        with_("model", ""),
        with_("vendor", ["x"]),
        with_("cores", {"physical": True}),
        with_("cores", {"usable": -1}),
        with_("cores", {"usable": 2**80}),
        with_("caches", {"l2": 1.5}),
        with_("memory_bytes", float("nan")),
        with_("smt", "yes"),
    ],
)
def test_a_hostile_document_is_refused_in_one_sentence(spoil: Callable[[dict[str, object]], object]) -> None:
    with pytest.raises(InputError) as error:
        Machine.from_json(spoil(MACHINE.to_json()))

    assert str(error.value).isprintable() and len(str(error.value)) < 250


def test_the_fingerprint_stays_when_only_the_day_differs() -> None:
    other = replace(MACHINE, governor="powersave", turbo=False, memory_bytes=1, microarchitecture=None)

    assert other.fingerprint == MACHINE.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        replace(MACHINE, model="Intel(R) Xeon(R) Gold"),
        replace(MACHINE, usable_cores=2),
        replace(MACHINE, caches={"l2": 2**20}),
        replace(MACHINE, isa=MACHINE.isa | {"amx_int8": False}),  # type: ignore[operator]  # a dict underneath
    ],
)
def test_the_fingerprint_changes_with_what_timings_depend_on(changed: Machine) -> None:
    assert changed.fingerprint != MACHINE.fingerprint


def test_the_fingerprint_is_short_hex_and_blind_to_the_order_of_caches() -> None:
    other = replace(MACHINE, caches={"l1d": 49152, "l2": 2**21})

    assert other.fingerprint == MACHINE.fingerprint
    assert len(bytes.fromhex(MACHINE.fingerprint)) == 8


def test_equal_machines_hash_equal() -> None:
    assert len({MACHINE, replace(MACHINE)}) == 1


def test_an_instruction_set_may_not_be_left_out() -> None:
    with pytest.raises(InputError, match="missing or unknown: sve"):
        replace(MACHINE, isa={name: False for name in ISA if name != "sve"})


@pytest.mark.parametrize(
    ("name", "expected"), [("amx_bf16", True), ("avx512_bf16", True), ("bf16", True), ("sve", False)]
)
def test_bf16_comes_from_any_of_three_instruction_sets(name: str, expected: bool) -> None:
    assert replace(MACHINE, isa={one: one == name for one in ISA}).has_bf16 is expected
