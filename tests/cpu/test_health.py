from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bigfast.cpu import Health, change, health_json, missing, read_health

Put = Callable[[dict[str, str]], Path]

FILES = {
    "proc/stat": "cpu  100 0 50 800 20 0 10 20 7 3\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n",
    "proc/loadavg": "0.67 0.50 0.30 1/100 1234\n",
    "proc/pressure/cpu": "some avg10=2.50 avg60=0.71 avg300=0.30 total=4000000\nfull avg10=0.00 total=9\n",
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "proc/self/cgroup": "0::/a\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 5\n",
    "sys/fs/cgroup/a/cpu.stat": "usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250000\n",
}


def test_a_snapshot_has_every_counter_in_seconds_and_shares(put: Put) -> None:
    health = read_health(root=put(FILES), clock=lambda: 5.0)

    assert health == Health(
        at_s=5.0,
        steal_jiffies=20,
        total_jiffies=1000,
        throttles=3,
        throttled_s=0.25,
        pressure_s=4.0,
        pressure_10s=0.025,
        load_1min=0.67,
    )


def test_guests_are_not_counted_twice(put: Put) -> None:
    assert read_health(root=put({"proc/stat": "cpu 1 1 1 1 1 1 1 1 90 90\n"})).total_jiffies == 8


def test_version_1_tells_throttled_nanoseconds(put: Put) -> None:
    root = put(
        {
            "proc/self/mountinfo": "31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
            "proc/self/cgroup": "1:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 1500000000\n",
        }
    )

    assert (read_health(root=root).throttles, read_health(root=root).throttled_s) == (2, 1.5)


def test_the_change_is_what_happened_in_between() -> None:
    before = Health(at_s=10.0, steal_jiffies=5, total_jiffies=1000, throttles=1, throttled_s=0.5, pressure_s=3.0)
    after = Health(at_s=12.0, steal_jiffies=15, total_jiffies=1400, throttles=4, throttled_s=0.75, pressure_s=3.5)

    between = change(before, after)

    assert (between.elapsed_s, between.steal_share, between.pressure_share) == (2.0, 0.025, 0.25)
    assert (between.throttled, between.throttled_s) == (3, 0.25)


def test_a_counter_that_turns_back_has_not_moved() -> None:
    before = Health(at_s=0.0, steal_jiffies=9, total_jiffies=100, throttles=4)
    after = Health(at_s=1.0, steal_jiffies=8, total_jiffies=200, throttles=0)

    assert (change(before, after).steal_share, change(before, after).throttled) == (0.0, 0)


def test_what_is_not_told_or_too_short_stays_unknown() -> None:
    between = change(Health(at_s=1.0, steal_jiffies=1, total_jiffies=9, pressure_s=0.0), Health(at_s=1.0))
    at_once = change(
        Health(at_s=1.0, pressure_s=0.0, steal_jiffies=1, total_jiffies=9),
        Health(at_s=1.0, pressure_s=0.0, steal_jiffies=1, total_jiffies=9),
    )

    assert (between.steal_share, between.throttled, between.pressure_share) == (None, None, None)
    assert (at_once.steal_share, at_once.pressure_share) == (None, None)


def test_each_missing_fact_is_one_sentence(tmp_path: Path) -> None:
    sentences = missing(read_health(root=tmp_path))

    assert len(sentences) == 4
    assert all("\n" not in sentence for sentence in sentences)


def test_nothing_is_missing_where_all_is_told(put: Put) -> None:
    assert missing(read_health(root=put(FILES))) == ()


def test_two_snapshots_make_one_json_object(put: Put) -> None:
    after = read_health(root=put(FILES), clock=lambda: 5.0)
    before = Health(at_s=4.0, steal_jiffies=10, total_jiffies=900, throttles=3, throttled_s=0.25, pressure_s=3.5)

    assert health_json(before, after) == {
        "elapsed_s": 1.0,
        "steal_share": 0.1,
        "steal_share_since_boot": 0.02,
        "pressure_share": 0.5,
        "pressure_share_10s": 0.025,
        "throttled": 0,
        "throttled_s": 0.0,
        "throttled_in_all": 3,
        "load_1min": 0.67,
        "missing": [],
    }


@pytest.mark.parametrize("text", ["", "cpu", "cpu 1 2 3 4", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8"])
def test_a_stat_without_steal_tells_no_steal(put: Put, text: str) -> None:
    assert read_health(root=put({"proc/stat": text})).steal_jiffies is None


@pytest.mark.hardware
def test_a_snapshot_takes_under_a_millisecond() -> None:
    start = time.perf_counter()
    for _ in range(50):
        read_health()

    assert (time.perf_counter() - start) / 50 < 1e-3
