from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bigfast.cpu.cgroup import cpu_quota, groups, memory_limit_bytes

Put = Callable[[dict[str, str]], Path]

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


def test_the_tightest_ancestor_counts_in_version_2(put: Put) -> None:
    root = put(
        {
            "proc/self/mountinfo": V2,
            "proc/self/cgroup": "0::/a.slice/b.scope\n",
            "sys/fs/cgroup/a.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/a.slice/memory.max": "max\n",
            "sys/fs/cgroup/a.slice/b.scope/cpu.max": "max 100000\n",
            "sys/fs/cgroup/a.slice/b.scope/memory.max": "1073741824\n",
        }
    )

    assert (cpu_quota(root=root), memory_limit_bytes(root=root)) == (1.5, 2**30)


def test_version_1_keeps_its_controllers_apart(put: Put) -> None:
    root = put(
        {
            "proc/self/mountinfo": V1,
            "proc/self/cgroup": "3:cpu,cpuacct:/docker/x\n2:memory:/\n1:name=systemd:/\n0::/\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/unified/cgroup.procs": "",
        }
    )

    assert (cpu_quota(root=root), memory_limit_bytes(root=root)) == (2.5, None)


def test_a_container_that_sees_the_path_of_its_host_finds_its_own_group(put: Put) -> None:
    root = put(
        {
            "proc/self/mountinfo": "31 24 0:27 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
            "proc/self/cgroup": "3:cpu:/docker/x\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        }
    )

    assert cpu_quota(root=root) == 0.5


def test_a_group_that_is_not_mounted_here_falls_back_to_the_top(put: Put) -> None:
    files = {"proc/self/mountinfo": V2, "sys/fs/cgroup/cpu.max": "300000 100000\n"}

    for path in ("/gone/away", "/../../elsewhere"):
        assert cpu_quota(root=put(files | {"proc/self/cgroup": f"0::{path}\n"})) == 3.0


def test_our_own_group_comes_before_its_ancestors(put: Put) -> None:
    root = put({"proc/self/mountinfo": V2, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": ""})

    names = [str(path.relative_to(root)) for path in groups("cpu", root=root)]

    assert names == ["sys/fs/cgroup/a/b", "sys/fs/cgroup/a", "sys/fs/cgroup"]


def test_no_control_groups_mean_no_limit(tmp_path: Path) -> None:
    assert (cpu_quota(root=tmp_path), memory_limit_bytes(root=tmp_path)) == (None, None)


def test_nonsense_in_a_limit_is_no_limit(put: Put) -> None:
    files = {"proc/self/mountinfo": V2, "proc/self/cgroup": "0::/\n"}

    for text in ("", "max", "100000 0", "-5 100", "x y z"):
        assert cpu_quota(root=put(files | {"sys/fs/cgroup/cpu.max": text})) is None
