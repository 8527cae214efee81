"""A backend as it should be, in NumPy, and one for each promise that is broken."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bigfast.backend import (
    Availability,
    FloatArray,
    IntArray,
    Options,
    Session,
    Weights,
    accept,
    check_inputs,
    reference_logits,
)
from bigfast.cpu import Machine
from bigfast.errors import BackendError

KEPT: list[Weights] = []


class WellSession:
    def __init__(self, weights: Weights) -> None:
        self.weights: Weights | None = weights

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        if self.weights is None:
            raise BackendError("This session is closed: prepare another")
        check_inputs(ids, mask, types, positions=self.weights.shape.positions)
        return reference_logits(self.weights, ids, mask, types)

    def evidence(self) -> Mapping[str, str]:
        return {"matmul": "numpy"}

    def save(self, directory: Path) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        self.weights = None


class Well:
    name = "well"
    precision = "fp32"
    bound = 1e-3
    session: type[WellSession] = WellSession

    def available(self) -> Availability:
        return Availability(usable=True, version="1", reason="")

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        return ({}, {"speed": "high"})

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
        accept(self, options, machine=machine, threads=threads)
        return self.session(weights)


class Wrong(Well):
    """On padded texts alone."""

    class session(WellSession):  # noqa: N801 - stands in for the attribute
        def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
            return super().run(ids, np.ones_like(mask) if mask.shape == ids.shape else mask, types)


class Doubles(Well):
    class session(WellSession):  # noqa: N801
        def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
            return super().run(ids, mask, types).astype(np.float64)


class Forgetful(Well):
    class session(WellSession):  # noqa: N801
        def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
            return super().run(ids, mask, None)


class Random(Well):
    class session(WellSession):  # noqa: N801
        rng = np.random.default_rng(0)

        def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
            return super().run(ids, mask, types) + np.float32(1e-4) * self.rng.random(dtype=np.float32)


class Spoils(Well):
    class session(WellSession):  # noqa: N801
        def __init__(self, weights: Weights) -> None:
            super().__init__(weights)
            weights.arrays["classifier.bias"][:] += 1


class Unclosed(Well):
    class session(WellSession):  # noqa: N801
        def close(self) -> None:
            pass


class Leaks(Well):
    class session(WellSession):  # noqa: N801
        def __init__(self, weights: Weights) -> None:
            super().__init__(weights)
            KEPT.append(weights)


class Pickles(Well):
    class session(WellSession):  # noqa: N801
        def save(self, directory: Path) -> tuple[str, ...]:
            (directory / "model").write_bytes(pickle.dumps({"a": 1}))
            return ("model",)


class Imagines(Well):
    class session(WellSession):  # noqa: N801
        def save(self, directory: Path) -> tuple[str, ...]:
            return ("model.bin",)


class Silent(Well):
    class session(WellSession):  # noqa: N801
        def evidence(self) -> Mapping[str, str]:
            return {}


class Greedy(Well):
    """Another thread is busy all the time."""

    class session(WellSession):  # noqa: N801
        def __init__(self, weights: Weights) -> None:
            super().__init__(weights)
            left = np.ones((600, 600), dtype=np.float32)

            def burn() -> None:
                while self.weights is not None:
                    left @ left

            threading.Thread(target=burn, daemon=True).start()


class Lenient(Well):
    """Takes any option and any number of threads."""

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        return self.session(weights)


class Unchecked(Well):
    class session(WellSession):  # noqa: N801
        def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
            if self.weights is None:
                raise BackendError("This session is closed: prepare another")
            return reference_logits(self.weights, ids, mask, types)
