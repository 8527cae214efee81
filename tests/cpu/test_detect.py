from __future__ import annotations

import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

import bigfast.cpu
from bigfast.cpu import Machine, detect


def test_this_machine_is_known_and_can_be_saved() -> None:
    machine = detect()

    assert Machine.from_json(machine.to_json()) == machine
    assert machine.usable_cores is not None and machine.usable_cores >= 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_a_process_that_is_tied_to_one_processor_uses_one() -> None:
    code = (
        "import os, bigfast.cpu; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "print(bigfast.cpu.detect().usable_cores)"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "1"


def test_detecting_twice_gives_the_same_identity() -> None:
    assert detect().fingerprint == detect().fingerprint


def test_detection_loads_neither_py_cpuinfo_nor_psutil_where_the_kernel_tells() -> None:
    if sys.platform not in {"linux", "darwin"}:
        pytest.skip("the kernel tells nothing on this system")
    heavy = {"cpuinfo", "psutil", "torch", "numpy"}
    code = f"import sys, bigfast.cpu; bigfast.cpu.detect(); print({heavy} & set(sys.modules))"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "set()"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel has no /proc")
def test_py_cpuinfo_answers_where_the_kernel_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = types.ModuleType("cpuinfo")
    facts = {
        "arch": "X86_64",
        "vendor_id_raw": "AuthenticAMD",
        "brand_raw": "AMD Ryzen 9",
        "family": 25,
        "model": 97,
        "flags": ["avx2", "avx512vnni", "avx512_bf16"],
        "l2_cache_size": 1048576,
        "l3_cache_size": "32 MB",
    }
    fake.get_cpu_info = lambda: facts  # type: ignore[attr-defined]  # a module made for this test
    monkeypatch.setitem(sys.modules, "cpuinfo", fake)

    machine = detect(root=tmp_path)

    assert (machine.model, machine.microarchitecture, machine.signature) == ("AMD Ryzen 9", "Zen 4", "25-97-?")
    assert (machine.int8.by, machine.has_bf16, machine.caches) == (("avx512_vnni",), True, {"l2": 1048576})


def test_the_public_names_are_sorted_and_exist() -> None:
    assert list(bigfast.cpu.__all__) == sorted(bigfast.cpu.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(bigfast.cpu, name) for name in bigfast.cpu.__all__)


@pytest.mark.hardware
def test_detecting_takes_under_a_tenth_of_a_second() -> None:
    start = time.perf_counter()
    detect()

    assert time.perf_counter() - start < 0.1
