from __future__ import annotations

import pytest

from bigfast.cpu import ISA, Machine, read_cpuinfo
from bigfast.errors import InputError

M2 = """\
hw.memsize: 17179869184
hw.activecpu: 8
hw.physicalcpu: 8
hw.logicalcpu: 8
hw.perflevel0.l1dcachesize: 131072
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm64: 1
hw.cputype: 16777228
hw.cpufamily: 3660830781
machdep.cpu.brand_string: Apple M2 Pro
"""
ICE_LAKE = """\
machdep.cpu.vendor: GenuineIntel
machdep.cpu.family: 6
machdep.cpu.model: 126
machdep.cpu.stepping: 5
machdep.cpu.features: FPU SSE SSE2 SSE4.1 AVX1.0
machdep.cpu.leaf7_features: AVX2 AVX512F AVX512CD AVX512DQ AVX512BW AVX512VL AVX512VBMI AVX512VNNI
machdep.cpu.brand_string: Intel(R) Core(TM) i5-1038NG7 CPU @ 2.00GHz
hw.physicalcpu: 4
hw.logicalcpu: 8
"""


def having(machine: Machine) -> list[str]:
    return [name for name in ISA if machine.isa[name]]


def test_apple_silicon_lists_features_one_by_one() -> None:
    machine = read_cpuinfo(M2)

    assert having(machine) == ["asimddp", "i8mm", "bf16"]
    assert (machine.system, machine.architecture, machine.vendor) == ("darwin", "aarch64", "Apple")
    assert (machine.model, machine.microarchitecture, machine.signature) == ("Apple M2 Pro", "Apple M2", "3660830781")


def test_sysctl_tells_cores_memory_and_the_caches_of_a_performance_core() -> None:
    machine = read_cpuinfo(M2)

    assert (machine.physical_cores, machine.usable_cores, machine.smt) == (8, 8, False)
    assert (machine.memory_bytes, machine.caches) == (2**34, {"l1d": 131072, "l2": 4194304})


def test_a_feature_that_is_zero_is_absent() -> None:
    assert having(read_cpuinfo(M2.replace("I8MM: 1", "I8MM: 0").replace("BF16: 1", "BF16: 0"))) == ["asimddp"]


def test_both_ways_of_writing_sysctl_mean_the_same() -> None:
    assert read_cpuinfo(M2.replace(": ", " = ")) == read_cpuinfo(M2)


def test_macos_11_lists_no_features_but_its_only_chip_has_dot_product() -> None:
    machine = read_cpuinfo("hw.optional.arm64: 1\nhw.optional.neon: 1\nmachdep.cpu.brand_string: Apple M1")

    assert having(machine) == ["asimddp"]


def test_an_intel_mac_spells_its_features_in_its_own_way() -> None:
    machine = read_cpuinfo(ICE_LAKE)

    assert having(machine) == ["avx2", "avx512f", "avx512bw", "avx512vl", "avx512_vnni"]
    assert (machine.microarchitecture, machine.signature, machine.smt) == ("Ice Lake", "6-126-5", True)


def test_an_intel_mac_may_list_only_its_optional_features() -> None:
    text = (
        "hw.optional.avx1_0: 1\nhw.optional.avx2_0: 1\nhw.optional.avx512f: 0\nmachdep.cpu.brand_string: Intel Core i7"
    )

    assert having(read_cpuinfo(text)) == ["avx2"]


def test_under_rosetta_programs_see_x86_without_avx() -> None:
    machine = read_cpuinfo(
        M2.replace("hw.cputype: 16777228", "hw.cputype: 7") + "hw.optional.avx2_0: 0\nmachdep.cpu.features: SSE"
    )

    assert (machine.architecture, machine.hypervisor, having(machine)) == ("x86_64", "Rosetta 2", [])


@pytest.mark.parametrize("text", ["hw.ncpu: 8", "machdep.user_idle_level: 0\nhw.memsize = 3"])
def test_a_sysctl_text_without_a_processor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="The sysctl text describes no processor: save all of"):
        read_cpuinfo(text)
