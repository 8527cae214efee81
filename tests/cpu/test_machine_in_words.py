from __future__ import annotations

import pytest

from bigfast.cpu import ISA, Health, Machine, describe, describe_health, int8_verdict


def machine(*isa: str, architecture: str = "x86_64", **more: object) -> Machine:
    facts: dict[str, object] = {"system": "linux", "vendor": "GenuineIntel", "model": "Xeon"} | more
    # The fields are of many types, and a test may name any of them.
    return Machine(architecture=architecture, isa={name: name in isa for name in ISA}, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        (
            machine("avx512_vnni", "avx_vnni"),
            "AVX512-VNNI and AVX-VNNI: U8S8 kernels without saturation, so weights keep all 8 bits (recipe u8s8)",
        ),
        (
            machine("amx_int8", "avx512_vnni", "avx_vnni"),
            "AMX-INT8, AVX512-VNNI and AVX-VNNI: U8S8 kernels without saturation, so weights keep all 8 bits "
            "(recipe u8s8)",
        ),
        (
            machine("asimddp", architecture="aarch64"),
            "dot product: S8S8 kernels, since these multiply signed by signed without saturation (recipe s8s8)",
        ),
        (
            machine("avx2"),
            "No VNNI and no AMX: U8S8 kernels would saturate, so weights keep to 7 bits (recipe u8s8-reduce-range)",
        ),
        (machine(architecture="aarch64"), "No dot product and no i8mm: S8S8 kernels, not accelerated (recipe s8s8)"),
        (
            machine(architecture="riscv64"),
            "No int8 instructions known on riscv64: weights keep to 7 bits, to be safe (recipe u8s8-reduce-range)",
        ),
    ],
)
def test_the_verdict_names_the_instructions_and_what_follows(subject: Machine, sentence: str) -> None:
    assert int8_verdict(subject) == sentence


def test_the_rows_say_what_is_known() -> None:
    rows = dict(
        describe(
            machine(
                "avx2",
                "avx512_bf16",
                microarchitecture="Cooper Lake",
                physical_cores=4,
                usable_cores=2,
                smt=False,
                numa_nodes=1,
                caches={"l1d": 49152, "l3": 36 * 2**20},
                memory_bytes=2**35,
                memory_limit_bytes=3 * 2**29,
                hypervisor="KVM",
                governor="powersave",
                turbo=True,
            )
        )
    )

    assert rows["design"] == "Cooper Lake, made by GenuineIntel"
    assert rows["system"] == "linux on x86_64, under KVM"
    assert rows["cores"] == "4 physical, 2 usable, without SMT, 1 NUMA node"
    assert rows["caches"] == "L1d 48 KiB, L3 36 MiB"
    assert rows["memory"] == "32 GiB, limited to 1.5 GiB by a control group"
    assert rows["clock"] == "governor powersave, turbo on"
    assert rows["instructions"] == "AVX2, AVX512-BF16"


def test_what_is_not_told_has_no_row() -> None:
    names = [name for name, _ in describe(machine("avx2"))]

    assert names == ["processor", "design", "system", "instructions", "int8", "bf16", "fingerprint"]


def test_the_state_of_now_is_told_with_the_time_it_is_about() -> None:
    before = Health(at_s=1.0, steal_jiffies=0, total_jiffies=900, throttles=1, throttled_s=0.0, pressure_s=0.0)
    after = Health(
        at_s=1.5,
        steal_jiffies=5,
        total_jiffies=1000,
        throttles=3,
        throttled_s=0.1,
        pressure_s=0.25,
        pressure_10s=0.031,
        load_1min=1.5,
    )

    assert describe_health(before, after) == (
        ("load", "1.50 in the last minute"),
        ("steal", "5 % in the last 0.50 s, 0.5 % since boot"),
        ("pressure", "50 % in the last 0.50 s, 3.1 % in the last 10 s"),
        ("throttled", "2 times in the last 0.50 s, 3 in all"),
    )


def test_what_the_system_does_not_tell_of_now_is_said_in_a_sentence_each() -> None:
    rows = describe_health(Health(at_s=0.0), Health(at_s=0.1, load_1min=0.0))

    assert [name for name, _ in rows] == ["load", "not told", "not told", "not told"]
