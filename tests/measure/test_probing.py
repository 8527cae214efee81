from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from bigfast.backend import FloatArray, MatrixKernel, Product
from bigfast.cpu import detect
from bigfast.errors import BackendError, Busy
from bigfast.measure import Peaks, peaks_worker, probe, probing
from bigfast.measure.peaks_worker import Copier, check, fastest_s, matrices
from bigfast.store import exclusive
from bigfast.testing import FakeClock

MACHINE = replace(detect(), usable_cores=1, caches={"l3": 2**20}, memory_bytes=2**26)
SHAPES = ((8, 16, 24), (16, 16, 32))
KERNEL = "fake-products: numpy {}"


@pytest.fixture(autouse=True, scope="module")
def quick(lock: Path) -> Iterator[None]:
    """Small matrices and short slices; a lock of our own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probing, "MACHINE_LOCK", lock)
        patch.setattr(probing, "SHAPES", SHAPES)
        patch.setattr(probing, "SLICE_S", 0.001)
        patch.setattr(probing, "LAST_SLICE_S", 0.001)
        patch.setattr(probing, "MEMORY_SLICE_S", 0.001)
        patch.setattr(probing, "HUNG_S", 1.0)
        yield


@pytest.fixture(scope="module")
def told() -> list[tuple[float, float, str]]:
    return []


@pytest.fixture(scope="module")
def peaks(told: list[tuple[float, float, str]]) -> Peaks:
    """One real probe with kernels that fail in every way, at 1 thread."""
    names = ["fake", "fake-broken", "fake-dies-opening", "fake-not-here", "fake-products"]
    return probe(MACHINE, backends=names, tell=lambda *event: told.append(event))


def test_a_precision_has_the_fastest_kernel_that_multiplies_correctly(peaks: Peaks) -> None:
    (one,) = peaks.at

    assert {name: peak.kernel for name, peak in one.peaks.items()} == {
        "fp32": KERNEL.format("fp32"),
        "int8": KERNEL.format("int8"),
    }
    assert all(peak.operations_per_s > 0 and peak.shape in SHAPES for peak in one.peaks.values())
    assert (one.threads, one.shapes) == (1, len(SHAPES))


def test_a_precision_that_nobody_offers_is_missing_with_the_reason(peaks: Peaks) -> None:
    assert peaks.at[0].missing == {"bf16": "no backend that can be used here offers products in bf16"}


def test_memory_is_measured_beside_the_kernels(peaks: Peaks) -> None:
    assert (peaks.at[0].memory_bytes_per_s or 0) > 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fake-broken: wrong", "it multiplies wrongly: its product lies"),
        ("fake-broken: nan", "it multiplies wrongly: its product lies nan"),
        ("fake-broken: refuses", "these matrices are not to its taste"),
        ("fake-broken: dies", "signal SIGKILL"),
        ("fake-broken: hangs", "did not answer within 1 s"),
        ("fake-dies-opening", "signal SIGILL"),
        ("fake-not-here", "pip install it"),
    ],
)
def test_what_fails_is_left_out_with_its_reason(peaks: Peaks, name: str, reason: str) -> None:
    assert reason in peaks.skipped[name]


def test_nothing_else_is_left_out(peaks: Peaks) -> None:
    assert len(peaks.skipped) == 7


def test_what_a_probe_found_can_be_saved(peaks: Peaks) -> None:
    assert Peaks.from_json(peaks.to_json()) == peaks


def test_progress_never_goes_back(peaks: Peaks, told: list[tuple[float, float, str]]) -> None:
    done = [event[0] for event in told]

    assert done == sorted(done)
    assert done[-1] <= told[-1][1] == 1


def test_no_process_is_left_behind(peaks: Peaks) -> None:
    assert not [p for p in psutil.Process().children(recursive=True) if "bigfast.measure.peaks_worker" in p.cmdline()]


def test_a_probe_without_time_or_kernels_says_so_and_does_not_fail() -> None:
    found = probe(MACHINE, backends=["fake-products"], budget_s=0.0)

    assert set(found.at[0].missing) == {"fp32", "bf16", "int8", "memory"}
    assert found.skipped == {}


def test_a_second_measurement_at_once_is_refused(lock: Path) -> None:
    with exclusive(lock, what="it"), pytest.raises(Busy, match="this machine's clock"):
        probe(MACHINE, backends=[])


def test_arrays_that_are_copied_lie_beyond_the_caches_and_leave_memory_to_others() -> None:
    machine = replace(MACHINE, caches={"l2": 2**20, "l3": 2**27}, memory_bytes=2**36, memory_limit_bytes=None)

    assert probing._copied_bytes(machine, 1) == 4 * 2**27
    assert probing._copied_bytes(machine, 64) == 64 * 2**24
    assert probing._copied_bytes(replace(machine, memory_limit_bytes=2**30), 64) == 2**26


def test_a_copy_reads_and_writes_every_slice() -> None:
    copier = Copier(1000, threads=3)

    assert copier.bytes == 2 * 999
    assert all((target == source).all() for target, source in copier._parts)


class Slow:
    """Takes the given seconds, one after the other."""

    def __init__(self, clock: FakeClock, *seconds: float) -> None:
        self.clock, self.seconds = clock, list(seconds)

    def __call__(self) -> None:
        self.clock.work(self.seconds.pop(0))


@pytest.mark.parametrize(
    ("seconds", "left"),
    [([3, 1, 2, 2, 9], 1), ([20, 1, 9], 1), ([100, 1], 1)],
    ids=["until the slice is over", "at least twice", "once where it is long"],
)
def test_a_slice_has_as_many_calls_as_fit_and_its_fastest_counts(seconds: list[float], left: int) -> None:
    clock = FakeClock()
    slow = Slow(clock, *seconds)
    fastest = min(seconds[:-left])

    assert fastest_s(slow, slice_s=8, long_s=50, clock=clock) == fastest
    assert len(slow.seconds) == left


def test_float32_that_is_computed_in_less_is_found_out() -> None:
    def cut(left: FloatArray, right: FloatArray) -> Product:
        """Both factors as bf16 has them: the upper 16 bits."""
        coarse = [(array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for array in (left, right)]
        return Product(multiply=lambda: None, values=lambda: coarse[0] @ coarse[1])

    check(MatrixKernel(name="cut", precision="bf16", prepare=cut))
    with pytest.raises(BackendError, match="multiplies wrongly"):
        check(MatrixKernel(name="cut", precision="fp32", prepare=cut))


def test_int8_matrices_are_whole_numbers_that_no_sum_of_two_products_in_16_bits_saturates() -> None:
    left, right = matrices("int8", (64, 64, 64))

    assert all((array == np.rint(array)).all() for array in (left, right))
    assert 2 * left.max() * abs(right).max() < 2**15
    assert left.min() >= 0


def test_a_product_of_another_shape_is_wrong() -> None:
    def transposed(left: FloatArray, right: FloatArray) -> Product:
        return Product(multiply=lambda: None, values=lambda: (left @ right).T)

    with pytest.raises(BackendError, match=r"shape \(80, 48\), not \(48, 80\)"):
        check(MatrixKernel(name="transposed", precision="fp32", prepare=transposed))


def test_a_request_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BackendError, match="'fly'"):
        peaks_worker.Worker().answer({"do": "fly"})
