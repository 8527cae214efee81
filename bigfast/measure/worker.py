"""The child process that holds the sessions of one backend and times them: ``python -m bigfast.measure.worker``."""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bigfast.backend import (
    FloatArray,
    IntArray,
    Session,
    Weights,
    disagreement,
    read_stock,
    reference_logits,
    usable_backend,
)
from bigfast.cpu import change, detect, read_health
from bigfast.errors import BackendError
from bigfast.space import BertShape
from bigfast.workers import answer_requests

FIRST_CALLS = 3  # after loading: memory is touched and lazy set-up done
CHECKED_TEXTS, CHECKED_LENGTH = 4, 32  # one text alone may have logits all near zero, where a share means nothing

# Trained weights have outlier units, and random ids are no text: int8 may be far from float32 there and right on
# data, where its accuracy is counted. This catches nonsense alone.
TRAINED_BOUND = 1.0


def peak_bytes() -> int:
    """Peak resident memory of this process."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    # Elsewhere; on Linux this would begin with the peak of the process that started this one.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def timed_block(
    call: Callable[[], object], *, warmup: int, calls: int, clock: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Latencies of the warm-up calls and of the timed ones, in seconds; the collector rests meanwhile.

    It does not run before either: with a runtime loaded that takes longer than most blocks.
    """
    gc.disable()
    try:
        samples = []
        for _ in range(warmup + calls):
            start = clock()
            call()
            samples.append(clock() - start)
    finally:
        gc.enable()
    return samples[:warmup], samples[warmup:]


@dataclass
class _Held:
    session: Session
    ids: IntArray
    mask: IntArray
    checked_ids: IntArray
    reference: FloatArray
    bound: float


class Worker:
    """Answers ``open``, ``load``, ``block`` and ``check``."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._held: dict[int, _Held] = {}
        self._table: FloatArray | None = None

    def answer(self, request: dict[str, Any]) -> Mapping[str, Any]:
        """One answer to one request."""
        match request["do"]:
            case "open":
                return self._open(request)
            case "load":
                return self._load(request)
            case "block":
                return self._block(request)
            case "check":
                return {"agrees": self._check(request["key"]) <= self._held[request["key"]].bound}
            case other:
                raise BackendError(f"The measuring process knows no request {other!r}")

    def _open(self, request: dict[str, Any]) -> Mapping[str, Any]:
        self._backend = usable_backend(request["backend"])
        self._options = request["options"]
        self._threads = int(request["threads"])
        self._size = (int(request["batch"]), int(request["length"]))
        self._machine = detect()
        if request["table"]:
            # One table of embeddings for all resident models, which would fill the memory otherwise.
            self._table = np.random.default_rng(request["seed"]).standard_normal(request["table"], dtype=np.float32)
        return {"version": self._backend.available().version}

    def _weights(self, request: dict[str, Any]) -> Weights:
        if request["model"] is not None:
            return read_stock(Path(request["model"])).weights
        shape = BertShape(**request["shape"])
        return Weights.random(shape, seed=request["seed"], table=self._table)

    def _bound(self, request: dict[str, Any]) -> float:
        """How far the session may lie from float32: the backend's bound, which is stated for random weights."""
        trained = request["model"] is not None and self._backend.precision == "int8"
        return max(self._backend.bound, TRAINED_BOUND) if trained else self._backend.bound

    def _load(self, request: dict[str, Any]) -> Mapping[str, Any]:
        weights = self._weights(request)
        rng = np.random.default_rng(request["seed"])
        ids = rng.integers(0, weights.shape.vocab, self._size, dtype=np.int64)
        mask = np.ones_like(ids)
        checked_size = (CHECKED_TEXTS, min(CHECKED_LENGTH, self._size[1]))
        checked_ids = rng.integers(0, weights.shape.vocab, checked_size, dtype=np.int64)
        start = self._clock()
        session = self._backend.prepare(weights, machine=self._machine, threads=self._threads, options=self._options)
        prepare_s = self._clock() - start
        reference = reference_logits(weights, checked_ids, np.ones_like(checked_ids))
        self._held[request["key"]] = _Held(session, ids, mask, checked_ids, reference, self._bound(request))
        found = self._check(request["key"])
        bound = self._held[request["key"]].bound
        if not found <= bound:  # NaN fails too
            raise BackendError(
                f"{self._backend.name} answers wrongly: its logits lie {found:.3f} from float32, "
                f"more than its bound of {bound}"
            )
        first, calls = timed_block(lambda: session.run(ids, mask), warmup=1, calls=FIRST_CALLS, clock=self._clock)
        return {
            "prepare_s": prepare_s,
            "disagreement": found,
            "evidence": dict(session.evidence()),
            "first_s": first + calls,
            "peak_bytes": peak_bytes(),
        }

    def _block(self, request: dict[str, Any]) -> Mapping[str, Any]:
        held = self._held[request["key"]]
        before = read_health()
        warmup, samples = timed_block(
            lambda: held.session.run(held.ids, held.mask),
            warmup=request["warmup"],
            calls=request["calls"],
            clock=self._clock,
        )
        health = change(before, read_health())
        return {
            "warmup_s": warmup,
            "samples_s": samples,
            "steal": health.steal_share,
            "throttled": health.throttled,
            "pressure": health.pressure_share,
        }

    def _check(self, key: int) -> float:
        held = self._held[key]
        logits = held.session.run(held.checked_ids, np.ones_like(held.checked_ids))
        return disagreement(logits, held.reference)


if __name__ == "__main__":
    answer_requests(Worker().answer)
