from __future__ import annotations

import pytest

from bigfast.cpu import ISA, read_cpuinfo
from bigfast.errors import InputError

CASCADE_LAKE = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Gold 6230   CPU @ 2.10GHz
stepping\t: 7
cache size\t: 28160 KB
physical id\t: 0
siblings\t: 40
core id\t\t: 0
cpu cores\t: 20
flags\t\t: fpu sse2 lm avx avx2 avx512f avx512bw avx512vl avx512_vnni
vmx flags\t: amx_int8
"""
NEOVERSE = """\
processor : 0
Features  : fp asimd asimddp sve svei8mm svebf16
CPU implementer : 0x41
CPU part  : 0xd40
"""


def x86(flags: str, *more: str) -> str:
    return "\n".join(["processor : 0", "vendor_id : AuthenticAMD", f"flags : fpu lm {flags}", *more])


def test_every_instruction_set_is_answered() -> None:
    machine = read_cpuinfo(CASCADE_LAKE)

    assert tuple(machine.isa) == ISA
    assert {name for name, has in machine.isa.items() if has} == {
        "avx2",
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512_vnni",
    }


def test_identity_comes_from_the_first_processor() -> None:
    machine = read_cpuinfo(CASCADE_LAKE)

    assert (machine.vendor, machine.model) == ("GenuineIntel", "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz")
    assert (machine.microarchitecture, machine.signature) == ("Cascade Lake", "6-85-7")
    assert (machine.system, machine.architecture) == ("linux", "x86_64")


def test_a_saved_text_tells_cores_but_not_what_we_may_use() -> None:
    machine = read_cpuinfo(CASCADE_LAKE)

    assert (machine.physical_cores, machine.usable_cores, machine.smt) == (20, None, True)


def test_sockets_add_up() -> None:
    second = CASCADE_LAKE.replace("physical id\t: 0", "physical id\t: 1").replace("processor\t: 0", "processor\t: 1")

    assert read_cpuinfo(CASCADE_LAKE + "\n" + second).physical_cores == 40


def test_only_what_all_processors_of_a_hybrid_have_counts() -> None:
    machine = read_cpuinfo(x86("avx2 avx_vnni avx512f") + "\n\n" + x86("avx2 avx_vnni"))

    assert machine.isa["avx_vnni"] and not machine.isa["avx512f"]


@pytest.mark.parametrize(
    ("flags", "by", "recipe"),
    [
        ("avx2", (), "u8s8-reduce-range"),
        ("", (), "u8s8-reduce-range"),
        ("avx2 avx512f avx512bw avx512vl", (), "u8s8-reduce-range"),
        ("avx512_bf16 amx_bf16", (), "u8s8-reduce-range"),
        ("avx2 avx_vnni", ("avx_vnni",), "u8s8"),
        ("avx2 avx_vnni avx_vnni_int8", ("avx_vnni_int8", "avx_vnni"), "u8s8"),
        ("avx512_vnni avx_vnni amx_int8", ("amx_int8", "avx512_vnni", "avx_vnni"), "u8s8"),
    ],
)
def test_the_recipe_on_x86_follows_from_vnni(flags: str, by: tuple[str, ...], recipe: str) -> None:
    int8 = read_cpuinfo(x86(flags)).int8

    assert (int8.accelerated, int8.by, int8.recipe) == (bool(by), by, recipe)


def test_sve_variants_are_not_mistaken_for_the_plain_instruction_sets() -> None:
    machine = read_cpuinfo(NEOVERSE)

    assert [name for name in ISA if machine.isa[name]] == ["asimddp", "sve"]
    assert (machine.int8.by, machine.int8.recipe) == (("asimddp",), "s8s8")


def test_an_arm_core_is_named_by_implementer_and_part() -> None:
    machine = read_cpuinfo(NEOVERSE)

    assert (machine.vendor, machine.model, machine.microarchitecture) == ("ARM", "ARM Neoverse V1", "Neoverse V1")
    assert (machine.architecture, machine.physical_cores) == ("aarch64", None)


def test_big_and_little_cores_are_both_named() -> None:
    little = NEOVERSE.replace("processor : 0", "processor : 1").replace("0xd40", "0xd05")

    assert read_cpuinfo(NEOVERSE + "\n" + little).microarchitecture == "Neoverse V1 + Cortex-A55"


def test_arm_without_dot_product_still_takes_s8s8() -> None:
    int8 = read_cpuinfo("Features: fp asimd\nCPU implementer: 0x41\nCPU part: 0xd08").int8

    assert (int8.accelerated, int8.recipe) == (False, "s8s8")


def test_arm_words_mean_nothing_on_x86() -> None:
    assert not any(read_cpuinfo(x86("bf16 i8mm sve asimddp")).isa.values())


@pytest.mark.parametrize(
    ("text", "architecture", "model"),
    [
        ("processor : 0\ncpu : POWER9, altivec supported\nrevision : 2.2", "ppc64", "POWER9, altivec supported"),
        ("processor : 0\nhart : 0\nisa : rv64imafdcv\nuarch : sifive,u74-mc", "riscv64", "sifive,u74-mc"),
        ("vendor_id : IBM/S390\nfeatures : esan3 zarch", "s390x", "IBM/S390"),
    ],
)
def test_other_processors_are_known_to_have_none_of_it(text: str, architecture: str, model: str) -> None:
    machine = read_cpuinfo(text)

    assert (machine.architecture, machine.model) == (architecture, model)
    assert not any(machine.isa.values()) and machine.int8.recipe == "u8s8-reduce-range"


def test_line_ends_marks_and_blanks_do_not_matter() -> None:
    windows = "\ufeff" + CASCADE_LAKE.replace("\n", "\r\n").replace("\t", "   ")

    assert read_cpuinfo(windows) == read_cpuinfo(CASCADE_LAKE)


@pytest.mark.parametrize(
    "key", ["processor", "vendor_id", "cpu family", "model", "stepping", "cpu cores", "cache size"]
)
def test_a_missing_line_costs_only_what_it_told(key: str) -> None:
    lines = [line for line in CASCADE_LAKE.splitlines() if line.split("\t")[0] != key]

    assert read_cpuinfo("\n".join(lines)).int8.by == ("avx512_vnni",)


def test_numbers_that_are_none_are_not_told() -> None:
    machine = read_cpuinfo(x86("avx2", "cpu cores : many", "siblings : -3", "cache size : 0 KB", "cpu family : 1e9"))

    assert (machine.physical_cores, machine.smt, machine.caches, machine.microarchitecture) == (None, None, {}, None)


def test_names_cannot_steer_a_terminal() -> None:
    machine = read_cpuinfo(x86("avx2", "model name : AMD \x1b[2J\x07 EPYC" + "!" * 500))

    assert machine.model.isprintable() and len(machine.model) <= 120


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "Dear sir: hello",
        "processor : yes\nflags : none",
        "\x00\xff: \x00",
        '{"flags": "avx2"}',
        "hw",
        " " * 100_000,
    ],
)
def test_an_unrelated_text_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^The text describes no processor: save all of /proc/cpuinfo .*") as error:
        read_cpuinfo(text)

    assert "\n" not in str(error.value)


def test_a_processor_without_its_flags_is_refused_since_absent_is_not_false() -> None:
    with pytest.raises(InputError, match=r"no 'flags' line, so its instruction sets are unknown"):
        read_cpuinfo("processor : 0\nvendor_id : GenuineIntel\nmodel name : Xeon")
