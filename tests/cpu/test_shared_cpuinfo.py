"""The machines in ../shared/data/cpuinfo, of each of which is known what is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigfast.cpu import Machine, read_cpuinfo

FOLDER = Path(__file__).parents[3] / "shared/data/cpuinfo"
AVX512 = {"avx2", "avx512f", "avx512bw", "avx512vl"}
KNOWN = {
    "darwin-monterey-m1": ("Apple M1", {"asimddp"}, "s8s8"),
    "linux-centos7-cascadelake": ("Cascade Lake", AVX512 | {"avx512_vnni"}, "u8s8"),
    "linux-rhel7-haswell": ("Haswell", {"avx2"}, "u8s8-reduce-range"),
    "linux-rhel7-zen": ("Zen 1", {"avx2"}, "u8s8-reduce-range"),
    "linux-rhel8-neoverse_v1": ("Neoverse V1", {"asimddp", "i8mm", "bf16", "sve"}, "s8s8"),
    "linux-rocky8.5-zen4": ("Zen 4", AVX512 | {"avx512_vnni", "avx512_bf16"}, "u8s8"),
    "linux-ubuntu24.04-alderlake": ("Arrow Lake", {"avx2", "avx_vnni"}, "u8s8"),  # model 198, whatever the file's name
    "linux-unknown-sapphirerapids": (
        "Sapphire Rapids",
        AVX512 | {"avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16"},
        "u8s8",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_real_machine_is_read_as_what_it_is(name: str) -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"the saved machines are not here: {FOLDER}")

    machine = read_cpuinfo((FOLDER / f"{name}.txt").read_text())

    has = {name for name, value in machine.isa.items() if value}
    assert (machine.microarchitecture, has, machine.int8.recipe) == KNOWN[name]
    assert Machine.from_json(machine.to_json()) == machine
