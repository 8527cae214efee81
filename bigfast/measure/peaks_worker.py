"""The child process that multiplies matrices and copies memory for a probe: ``python -m bigfast.measure.peaks_worker``.

The time of each request is bounded by whoever asks, so that nothing here watches a clock but to time a call.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from bigfast.backend import FloatArray, MatrixKernel, MultipliesMatrices, Product, usable_backend
from bigfast.cpu import detect
from bigfast.errors import BackendError
from bigfast.measure.peaks import one_line
from bigfast.workers import answer_requests

CALLS_AT_LEAST = 2  # in a slice; the first finds the caches as another kernel left them

CHECKED_SHAPE = (48, 64, 80)
# How far a product may lie from NumPy's, as a share of its largest magnitude. Float32 is right to 3e-7 here, and
# would be to 2e-3 if it were computed in bf16 (5e-4 in TF32). bf16's output has 8 bits. A quantized layer rounds its
# activations to 7 bits (5e-3) or its output to 8 (1.3e-2).
TOLERANCE = {"fp32": 1e-5, "bf16": 1e-2, "int8": 3e-2}


def matrices(precision: str, shape: tuple[int, int, int]) -> tuple[FloatArray, FloatArray]:
    """What is multiplied, (m, k) and (k, n), float32; whole numbers for int8, so small that no kernel saturates."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    if precision == "int8":
        left, right = rng.integers(0, 64, (m, k), dtype=np.int8), rng.integers(-31, 32, (k, n), dtype=np.int8)
        return left.astype(np.float32), right.astype(np.float32)
    return rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)


def check(kernel: MatrixKernel) -> None:
    """Multiplies small matrices and compares with NumPy.

    Raises:
        BackendError: the numbers are wrong.
    """
    left, right = matrices(kernel.precision, CHECKED_SHAPE)
    expected = left.astype(np.float64) @ right.astype(np.float64)
    found = np.asarray(kernel.prepare(left, right).values())
    if found.shape != expected.shape:
        raise BackendError(f"it multiplies wrongly: its product has the shape {found.shape}, not {expected.shape}")
    off = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not off <= TOLERANCE[kernel.precision]:  # NaN fails too
        raise BackendError(
            f"it multiplies wrongly: its product lies {off:.2g} of its largest number from the right one, more than "
            f"{TOLERANCE[kernel.precision]:g}"
        )


def fastest_s(
    call: Callable[[], object], *, slice_s: float, long_s: float, clock: Callable[[], float] = time.perf_counter
) -> float:
    """The fastest of at least two calls within about ``slice_s`` seconds; one call where it takes ``long_s``."""
    gc.disable()
    try:
        begin = clock()
        best, calls = float("inf"), 0
        while True:
            start = clock()
            call()
            now = clock()
            best, calls = min(best, now - start), calls + 1
            if best >= long_s or (calls >= CALLS_AT_LEAST and now - begin >= slice_s):
                return best
    finally:
        gc.enable()


class Copier:
    """Copies one array to another, a slice for each thread; NumPy lets go of the interpreter's lock meanwhile."""

    def __init__(self, size: int, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)
        self._parts = [_pair(size // threads) for _ in range(threads)]
        self.bytes = 2 * sum(source.nbytes for _, source in self._parts)  # read and written
        self.copy()  # both are touched by the thread that will use them

    def copy(self) -> None:
        """One copy of everything."""
        list(self._pool.map(lambda pair: np.copyto(*pair), self._parts))


def _pair(size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    return np.empty(size, dtype=np.uint8), np.ones(size, dtype=np.uint8)


class Worker:
    """Answers ``open``, ``check``, ``prepare``, ``time``, ``drop`` and ``memory``."""

    def __init__(self) -> None:
        self._kernels: dict[str, MatrixKernel] = {}
        self._products: dict[str, Product] = {}
        self._matrices: dict[str, tuple[FloatArray, FloatArray]] = {}
        self._copier: Copier | None = None

    def answer(self, request: dict[str, Any]) -> Mapping[str, Any]:
        """One answer to one request."""
        match request["do"]:
            case "open":
                return self._open(request["backend"], request["threads"])
            case "check":
                check(self._kernels[request["kernel"]])
                return {}
            case "prepare":
                return self._prepare(request["kernel"], tuple(request["shape"]))
            case "time":
                multiply = self._products[request["kernel"]].multiply
                return {"fastest_s": fastest_s(multiply, slice_s=request["slice_s"], long_s=request["long_s"])}
            case "drop":
                self._products.clear()
                self._matrices.clear()
                return {}
            case "memory":
                return self._memory(request)
            case other:
                raise BackendError(f"The probing process knows no request {other!r}")

    def _open(self, name: str, threads: int) -> Mapping[str, Any]:
        backend = usable_backend(name)
        if not isinstance(backend, MultipliesMatrices):
            return {"kernels": []}
        offered = backend.products(detect(), threads=threads)
        for kernel in offered:
            if kernel.precision not in TOLERANCE:
                raise BackendError(f"it offers a product in {kernel.precision!r}, not in one of {', '.join(TOLERANCE)}")
        found = {one_line(f"{name}: {kernel.name}"): kernel for kernel in offered}
        self._kernels.update(found)
        return {"kernels": [[label, kernel.precision] for label, kernel in found.items()]}

    def _prepare(self, label: str, shape: tuple[int, int, int]) -> Mapping[str, Any]:
        kernel = self._kernels[label]
        kind = "int8" if kernel.precision == "int8" else "float"
        if kind not in self._matrices:
            self._matrices[kind] = matrices(kernel.precision, shape)
        self._products[label] = kernel.prepare(*self._matrices[kind])
        return {}

    def _memory(self, request: dict[str, Any]) -> Mapping[str, Any]:
        if self._copier is None:
            self._copier = Copier(request["bytes"], request["threads"])
        seconds = fastest_s(self._copier.copy, slice_s=request["slice_s"], long_s=request["long_s"])
        return {"bytes_per_s": self._copier.bytes / seconds}


if __name__ == "__main__":
    answer_requests(Worker().answer)
