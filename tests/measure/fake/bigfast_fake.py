"""A backend of another package, in NumPy: a process that measures it starts in a fraction of torch's time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bigfast.backend import Availability, FloatArray, IntArray, Options, Session, Weights, reference_logits
from bigfast.cpu import Machine
from bigfast.errors import BackendError


class FakeSession:
    def __init__(self, weights: Weights, mode: str) -> None:
        self._weights = weights
        self._mode = mode
        self._calls = 0

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        self._calls += 1
        if self._mode == "dies" and self._calls > 6:  # while it is timed
            os.kill(os.getpid(), signal.SIGKILL)
        logits = reference_logits(self._weights, ids, mask, types)
        if self._mode == "wrong" or (self._mode == "drifts" and self._calls > 6):
            return logits + 1
        return logits * float("nan") if self._mode == "nan" else logits

    def evidence(self) -> Mapping[str, str]:
        return {"linear": "numpy"}

    def save(self, directory: Path) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        pass


class Fake:
    name = "fake"
    precision = "fp32"
    bound = 1e-3

    def available(self) -> Availability:
        return Availability(usable=True, version="1.0", reason="")

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        return ({},)

    def kernels(self, machine: Machine) -> str:
        return "numpy"

    def environment(self, threads: int) -> Mapping[str, str]:
        return {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        match options.get("mode"):
            case "refuses":
                raise BackendError("it refuses this model")
            case "hangs":
                time.sleep(60)
            case "hungry":
                np.ones(2**29)  # 4 GiB
        return FakeSession(weights, options.get("mode", ""))


class Missing(Fake):
    name = "fake-missing"

    def available(self) -> Availability:
        return Availability(usable=False, version=None, reason="pip install it")
