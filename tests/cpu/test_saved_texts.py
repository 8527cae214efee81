"""Texts as people save them: packed, wide, quoted, wrapped, cut off, and machines that are unlike others."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigfast.cpu import ISA, read_cpuinfo
from bigfast.errors import InputError

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 106
model name\t: Xeon
physical id\t: 0
siblings\t: 4
core id\t\t: 0
cpu cores\t: 2
flags\t\t: fpu sse2 lm avx2 avx512f avx512_vnni
bugs\t\t: spectre_v1

"""
PHONE = """\
Processor\t: AArch64 Processor rev 2 (aarch64)
processor\t: 0
Features\t: fp asimd asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd05

processor\t: 1
Features\t: fp asimd
CPU implementer\t: 0x53
CPU part\t: 0x002

Hardware\t: Board
"""
APPLE = "machdep.cpu.core_count: 8\nmachdep.cpu.thread_count: 8\nmachdep.cpu.brand_string: {}\n"


def having(text: str | bytes) -> list[str]:
    return [name for name, has in read_cpuinfo(text).isa.items() if has]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_be_wide_as_powershell_saves_it(encoding: str) -> None:
    assert read_cpuinfo(XEON.replace("\n", "\r\n").encode(encoding)) == read_cpuinfo(XEON)


def test_a_stray_byte_in_a_name_costs_only_that_byte() -> None:
    assert read_cpuinfo(XEON.encode().replace(b"Xeon", b"Xeon\xae")).model == "Xeon\ufffd"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(XEON.encode()), "The file is packed, so it is not a text file: unpack it first, or save all of"),
        (XEON.encode("utf-16-be"), "The file is not a text file: save all of"),
        (b"\x7fELF\x02\x01\x01\x00" * 9, "The file is not a text file: save all of"),
        (b"\xff\xfe odds", "The file is not a text file: save all of"),
        (b"", "The text describes no processor"),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=f"^{words}"):
        read_cpuinfo(data)


def test_a_prompt_above_and_quotation_marks_do_not_matter() -> None:
    quoted = "me@host:~$ cat /proc/cpuinfo\n" + "".join(f"> {line}\n" for line in XEON.splitlines())

    assert read_cpuinfo(quoted) == read_cpuinfo(XEON)


def test_a_list_that_was_wrapped_is_read_to_its_end() -> None:
    assert having(XEON.replace(" avx512f", "\navx512f\n")) == having(XEON)


def test_a_list_in_which_the_text_was_cut_off_takes_nothing_from_the_others() -> None:
    cut = XEON + XEON.partition(" avx2")[0]

    assert having(cut) == having(XEON)


def test_a_cut_list_counts_where_nothing_shows_that_it_was_cut() -> None:
    assert having(XEON.partition(" avx512f")[0]) == ["avx2"]


def test_cores_that_are_shown_count_where_a_hybrid_claims_too_few() -> None:
    cores = "".join(XEON.replace("core id\t\t: 0", f"core id\t\t: {core}") for core in (0, 8, 16, 17))

    assert read_cpuinfo(cores).physical_cores == 4


def test_virtual_processors_in_sockets_of_their_own_add_up() -> None:
    one = XEON.replace("cpu cores\t: 2", "cpu cores\t: 1").replace("siblings\t: 4", "siblings\t: 1")
    machine = read_cpuinfo("".join(one.replace("physical id\t: 0", f"physical id\t: {n}") for n in range(3)))

    assert (machine.physical_cores, machine.smt) == (3, False)


def test_more_processors_than_linux_allows_are_refused() -> None:
    with pytest.raises(InputError, match="more than 16384 processors"):
        read_cpuinfo("processor: 0\n" * 20_000)


def test_cores_of_different_makers_are_named_each_by_its_own() -> None:
    machine = read_cpuinfo(PHONE)

    assert machine.microarchitecture == "Cortex-A55 + Exynos M3"
    assert (machine.model, machine.signature) == ("ARM Cortex-A55 + Exynos M3", "0x41-0xd05-0x53-0x2")


def test_only_what_big_and_little_cores_both_have_counts() -> None:
    assert having(PHONE) == []


@pytest.mark.parametrize(
    ("text", "architecture", "isa", "model"),
    [
        ("Features: swp half thumb vfp tls\nCPU implementer: 0x41\nCPU part: 0xb76", "arm", [], "ARM1176"),
        ("Features: half neon asimddp asimdbf16 i8mm", "arm", ["asimddp", "i8mm", "bf16"], "unknown"),
        (
            "Features: fp asimd asimddp i8mm bf16\nCPU implementer: 0x61\nCPU part: 0x000",
            "aarch64",
            ["asimddp", "i8mm", "bf16"],
            "Apple processor 0x61",
        ),
    ],
    ids=["old board", "32 bits on a new core", "virtual machine on a Mac"],
)
def test_unusual_arm_processors(text: str, architecture: str, isa: list[str], model: str) -> None:
    machine = read_cpuinfo(text)

    assert (machine.architecture, having(text), machine.model) == (
        architecture,
        isa,
        model,
    )


@pytest.mark.parametrize(
    ("text", "architecture", "vendor"),
    [
        ("processor: 0\nisa: mips1 mips32r2\ncpu model: MIPS P5600", "mips", "unknown"),
        ("processor: 0\nisa: rv64imafdcv\nmvendorid: 0x710", "riscv64", "SpacemiT"),
        ("processor: 0\nisa: rv64imafdc\nuarch: sifive,u74-mc", "riscv64", "sifive"),
        ("processor: 0\nCPU Family: Loongson-64bit\nFeatures: cpucfg fpu lsx", "loongarch64", "Loongson"),
        ("processor: 0\ncpu: POWER10, altivec supported", "ppc64", "IBM"),
        ("processor: 0\ncpu: 7447A, altivec supported", "ppc", "unknown"),
        ("processor: 0\nvendor: GenuineIntel\narch: IA-64", "ia64", "GenuineIntel"),
    ],
)
def test_other_architectures_are_told_apart(text: str, architecture: str, vendor: str) -> None:
    machine = read_cpuinfo(text)

    assert (machine.architecture, machine.vendor, machine.int8.accelerated) == (architecture, vendor, False)


def test_rosetta_for_linux_is_a_translator() -> None:
    assert read_cpuinfo("processor: 0\nvendor_id: VirtualApple\nflags: fpu sse2 lm").hypervisor == "Rosetta 2"


@pytest.mark.parametrize(
    ("brand", "more", "isa"),
    [
        ("Apple M1 Max", "", ["asimddp"]),
        ("Apple M4 Pro", "", ["asimddp", "i8mm", "bf16"]),
        ("Apple A18 Pro", "", ["asimddp", "i8mm", "bf16"]),
        ("Apple processor", "hw.optional.armv8_2_sha3: 1", ["asimddp"]),
    ],
)
def test_without_a_list_of_features_the_name_of_the_chip_tells(brand: str, more: str, isa: list[str]) -> None:
    assert having(APPLE.format(brand) + more) == isa


def test_without_a_name_the_family_tells_the_design() -> None:
    machine = read_cpuinfo("hw.optional.arm64: 1\nhw.optional.arm.FEAT_DotProd: 1\nhw.cpufamily: -634136515")

    assert (machine.model, machine.microarchitecture, machine.signature) == ("Apple M2", "Apple M2", "3660830781")


@pytest.mark.parametrize("brand", ["Apple processor", "Intel(R) Core(TM) i7"])
def test_a_mac_without_its_features_is_refused_since_absent_is_not_false(brand: str) -> None:
    with pytest.raises(InputError, match="does not list the processor's instruction sets: save all of"):
        read_cpuinfo(APPLE.format(brand))


def test_machdep_alone_tells_the_threads_of_an_intel_mac_and_its_hypervisor() -> None:
    text = "machdep.cpu.core_count: 2\nmachdep.cpu.thread_count: 4\nmachdep.cpu.features: SSE VMM\n"

    machine = read_cpuinfo(text + "machdep.cpu.vendor: GenuineIntel")

    assert (machine.physical_cores, machine.smt, machine.hypervisor) == (2, True, "a macOS hypervisor")


def test_a_whole_sysctl_listing_is_read_like_its_part() -> None:
    part = APPLE.format("Apple M3")
    noise = "".join(f"kern.thing{n}: {{ a = {n} }}\n" for n in range(3000))

    assert read_cpuinfo(noise + part + noise) == read_cpuinfo(part)


PIECES = [*XEON.splitlines(keepends=True), *PHONE.splitlines(keepends=True), "hw.physicalcpu: 4\n", "hw.cputype: 7\n"]
PIECES += ["machdep.cpu.features: FPU\n", "flags:\n", "\x00", "\ufeff", ": =", "9" * 30, "0x", "\r", "CPU part: -1\n"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=40).map("".join))
def test_whatever_the_text_there_is_a_machine_or_one_sentence(text: str) -> None:
    try:
        machine = read_cpuinfo(text)
    except InputError as error:
        assert "\n" not in str(error)
        return

    assert tuple(machine.isa) == ISA and machine.model.isprintable()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_the_bytes_there_is_a_machine_or_one_sentence(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^[^\n]+$"):
        read_cpuinfo(data)


@pytest.mark.hardware
@pytest.mark.parametrize("piece", ["a:b\n", "flags: a\nb\n", "hw.", " \t", "\n", "processor: 0\n", ":", "x"])
def test_sixteen_megabytes_of_junk_take_seconds(piece: str) -> None:
    start = time.perf_counter()
    with pytest.raises(InputError):
        read_cpuinfo(piece * (2**24 // len(piece)))

    assert time.perf_counter() - start < 10
