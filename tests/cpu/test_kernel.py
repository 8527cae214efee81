from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bigfast.cpu.kernel import read_kernel
from bigfast.errors import InputError

Put = Callable[[dict[str, str]], Path]

CPUINFO = "processor : 0\nvendor_id : GenuineIntel\nflags : fpu lm avx2 hypervisor\nsiblings : 1\ncpu cores : 1\n"
CPU = "sys/devices/system/cpu"
CPU_QUOTA = {
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "proc/self/cgroup": "0::/\n",
}


def test_the_kernel_tells_more_than_cpuinfo(put: Put) -> None:
    root = put(
        {
            "proc/cpuinfo": CPUINFO,
            "proc/meminfo": "MemFree:  1 kB\nMemTotal:       2097152 kB\n",
            f"{CPU}/smt/active": "1\n",
            f"{CPU}/cpu0/topology/thread_siblings_list": "0-1\n",
            f"{CPU}/cpu1/topology/thread_siblings_list": "0-1\n",
            f"{CPU}/cpu2/topology/thread_siblings_list": "2-3\n",
            f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n",
            f"{CPU}/intel_pstate/no_turbo": "1\n",
            "sys/devices/system/node/node0/cpulist": "0-3\n",
            "sys/devices/system/node/node1/cpulist": "\n",
        }
    )

    machine = read_kernel(allowed=4, root=root)

    assert (machine.physical_cores, machine.smt, machine.numa_nodes) == (2, True, 2)
    assert (machine.memory_bytes, machine.governor, machine.turbo) == (2**31, "performance", False)


def test_caches_are_those_one_core_sees(put: Put) -> None:
    sizes = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2048K"), ("3", "Unified", "105M")]
    files = {"proc/cpuinfo": CPUINFO}
    for index, (level, kind, size) in enumerate(sizes):
        folder = f"{CPU}/cpu0/cache/index{index}"
        files |= {f"{folder}/level": f"{level}\n", f"{folder}/type": f"{kind}\n", f"{folder}/size": f"{size}\n"}

    machine = read_kernel(allowed=1, root=put(files))

    assert machine.caches == {"l1d": 49152, "l2": 2**21, "l3": 105 * 2**20}


@pytest.mark.parametrize(
    ("allowed", "quota", "usable"),
    [(8, "max 100000", 8), (8, "250000 100000", 2), (8, "50000 100000", 1), (1, "9 1", 1)],
)
def test_usable_cores_are_the_smaller_of_affinity_and_quota(put: Put, allowed: int, quota: str, usable: int) -> None:
    root = put(CPU_QUOTA | {"proc/cpuinfo": CPUINFO, "sys/fs/cgroup/cpu.max": quota})

    assert read_kernel(allowed=allowed, root=root).usable_cores == usable


def test_the_quota_of_a_group_above_counts_in_both_versions_at_once(put: Put) -> None:
    """A host with version 2 mounted aside, as systemd does it: the quota is that of version 1, set by a parent."""
    root = put(
        {
            "proc/cpuinfo": CPUINFO,
            "proc/self/mountinfo": (
                "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
            ),
            "proc/self/cgroup": "4:cpu,cpuacct:/kubepods/pod1/c1\n0::/system.slice\n",
            "sys/fs/cgroup/cpu,cpuacct/kubepods/pod1/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu,cpuacct/kubepods/pod1/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/kubepods/pod1/c1/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/kubepods/pod1/c1/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/unified/system.slice/cgroup.procs": "",
        }
    )

    assert read_kernel(allowed=8, root=root).usable_cores == 1


def test_a_container_that_shows_two_processors_of_a_large_host_uses_two(put: Put) -> None:
    """LXCFS lists fewer processors in /proc/cpuinfo, while each still claims the socket it stands in."""
    shown = CPUINFO.replace("siblings : 1\ncpu cores : 1", "siblings : 40\ncpu cores : 20")
    second = shown.replace("processor : 0", "processor : 1")

    machine = read_kernel(allowed=2, root=put({"proc/cpuinfo": f"{shown}\n{second}"}))

    assert (machine.physical_cores, machine.usable_cores, machine.smt) == (20, 2, True)


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("sys/class/dmi/id/sys_vendor", "Amazon EC2\n", "KVM (Amazon Nitro)"),
        ("sys/class/dmi/id/sys_vendor", "VMware, Inc.\n", "VMware"),
        ("sys/hypervisor/type", "xen\n", "Xen"),
        ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc kvm-clock\n", "KVM"),
        ("proc/nothing", "", "an unnamed hypervisor"),
    ],
)
def test_a_hypervisor_is_named_where_something_betrays_it(put: Put, file: str, text: str, name: str) -> None:
    assert read_kernel(allowed=1, root=put({"proc/cpuinfo": CPUINFO, file: text})).hypervisor == name


def test_firmware_alone_makes_no_hypervisor_on_x86(put: Put) -> None:
    bare = {"proc/cpuinfo": CPUINFO.replace(" hypervisor", ""), "sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}

    assert read_kernel(allowed=1, root=put(bare)).hypervisor is None


def test_on_arm_the_firmware_tells(put: Put) -> None:
    arm = {"proc/cpuinfo": "Features: fp asimd\n", "sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}

    assert read_kernel(allowed=1, root=put(arm)).hypervisor == "KVM (Amazon Nitro)"
    assert read_kernel(allowed=1, root=put({"sys/class/dmi/id/product_name": "c7g.metal\n"})).hypervisor is None


def test_where_only_cpuinfo_is_readable_the_rest_is_not_told(put: Put) -> None:
    machine = read_kernel(allowed=3, root=put({"proc/cpuinfo": CPUINFO}))

    assert (machine.physical_cores, machine.usable_cores, machine.smt) == (1, 3, False)
    assert (machine.memory_bytes, machine.numa_nodes, machine.governor, machine.turbo) == (None, None, None, None)


def test_a_kernel_without_cpuinfo_tells_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_kernel(allowed=1, root=tmp_path)
