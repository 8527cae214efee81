"""The child process that holds the sessions of one backend and times them: ``python -m bigfast.measure.worker``."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

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
from bigfast.cpu import change, detect, read_health, waited_s
from bigfast.errors import BackendError
from bigfast.space import BertShape
from bigfast.workers import answer_requests

FIRST_CALLS = 3  # after loading: memory is touched and lazy set-up done
CHECKED_TEXTS, CHECKED_LENGTH = 4, 32  # one text alone may have logits all near zero, where a share means nothing

# Trained weights have outlier units, and random ids are no text: int8 may be far from float32 there and right on
# data, where its accuracy is counted. This catches nonsense alone.
TRAINED_BOUND = 1.0

TINY = BertShape(layers=1, hidden=16, ffn=16, heads=2, vocab=16, positions=128)  # makes a runtime load all it loads


def peak_bytes() -> int:
    """Peak resident memory of this process."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    # Elsewhere; on Linux this would begin with the peak of the process that started this one.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def forget_peak() -> None:
    """Lets the peak begin anew at what is resident now, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def release_memory() -> None:
    """Gives back to the system what loading left: otherwise the resident models would fill the memory with gaps."""
    with contextlib.suppress(AttributeError, OSError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


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


def timed_window(
    call: Callable[[], object], *, start_s: float, end_s: float, clock: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Latencies of calls until a window of time begins, and of those that lie wholly inside it, in seconds.

    Calls go on until the window has ended, so that whoever shares it is disturbed to its end.
    """
    gc.disable()
    try:
        warmup, samples = [], []
        end = clock()
        while end < end_s:
            start = end
            call()
            end = clock()
            if start < start_s:
                warmup.append(end - start)
            elif end <= end_s:
                samples.append(end - start)
    finally:
        gc.enable()
    return warmup, samples


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A session that is resident and was found correct, whatever inputs it is timed on."""

    session: Session
    vocab: int
    checked_ids: IntArray
    reference: FloatArray
    bound: float
    prepare_s: float
    evidence: Mapping[str, str]

    def disagreement(self) -> float:
        """How far it is from float32 now."""
        return disagreement(self.session.run(self.checked_ids, np.ones_like(self.checked_ids)), self.reference)


@dataclass(frozen=True)
class _Held:
    model: _Model
    ids: IntArray
    mask: IntArray

    def call(self) -> None:
        self.model.session.run(self.ids, self.mask)


class Worker:
    """Answers ``open``, ``load``, ``block``, ``check`` and ``cold``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._models: dict[str, _Model] = {}
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
                model = self._held[request["key"]].model
                return {"agrees": model.disagreement() <= model.bound}
            case "cold":
                return self._cold(request)
            case other:
                raise BackendError(f"The measuring process knows no request {other!r}")

    def _open(self, request: dict[str, Any]) -> Mapping[str, Any]:
        self._backend = usable_backend(request["backend"])
        self._options = request["options"]
        self._threads = int(request["threads"])
        self._oversubscribed = bool(request["oversubscribed"])
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

    def _model(self, request: dict[str, Any]) -> _Model:
        """The session of a model, prepared once for all sizes of inputs."""
        identity = json.dumps([request["shape"], request["model"], request["seed"]])
        if identity in self._models:
            return self._models[identity]
        weights = self._weights(request)
        size = (CHECKED_TEXTS, min(CHECKED_LENGTH, weights.shape.positions))
        ids = np.random.default_rng(request["seed"]).integers(0, weights.shape.vocab, size, dtype=np.int64)
        start_s = self._clock()
        session = self._prepared(weights)
        prepare_s = self._clock() - start_s
        session.run(ids, np.ones_like(ids))  # evidence is of what ran
        self._models[identity] = _Model(
            session=session,
            vocab=weights.shape.vocab,
            checked_ids=ids,
            reference=reference_logits(weights, ids, np.ones_like(ids)),
            bound=self._bound(request),
            prepare_s=prepare_s,
            evidence=dict(session.evidence()),
        )
        del weights
        release_memory()
        return self._models[identity]

    def _load(self, request: dict[str, Any]) -> Mapping[str, Any]:
        model = self._model(request)
        found = model.disagreement()
        if not found <= model.bound:  # NaN fails too
            raise BackendError(
                f"{self._backend.name} answers wrongly: its logits lie {found:.3f} from float32, "
                f"more than its bound of {model.bound}"
            )
        size = (int(request["batch"]), int(request["length"]))
        ids = np.random.default_rng([request["seed"], 1]).integers(0, model.vocab, size, dtype=np.int64)
        held = self._held[request["key"]] = _Held(model, ids, np.ones_like(ids))
        first, calls = timed_block(held.call, warmup=1, calls=FIRST_CALLS, clock=self._clock)
        return {
            "prepare_s": model.prepare_s,
            "disagreement": found,
            "evidence": model.evidence,
            "first_s": first + calls,
            "peak_bytes": peak_bytes(),
        }

    def _block(self, request: dict[str, Any]) -> Mapping[str, Any]:
        call = self._held[request["key"]].call
        before, waited_before_s = read_health(), waited_s()
        if "window" in request:
            start_s, end_s = request["window"]
            warmup, samples = timed_window(call, start_s=start_s, end_s=end_s, clock=self._clock)
        else:
            warmup, samples = timed_block(call, warmup=request["warmup"], calls=request["calls"], clock=self._clock)
        waited_after_s, health = waited_s(), change(before, read_health())
        waited = None
        if waited_before_s is not None and waited_after_s is not None and not self._oversubscribed:
            waited = (waited_after_s - waited_before_s) / health.elapsed_s
        return {
            "warmup_s": warmup,
            "samples_s": samples,
            "steal": health.steal_share,
            "throttled": health.throttled,
            "pressure": health.pressure_share,
            "waited": waited,
        }

    def _prepared(self, weights: Weights) -> Session:
        return self._backend.prepare(weights, machine=self._machine, threads=self._threads, options=self._options)

    def _cold(self, request: dict[str, Any]) -> Mapping[str, Any]:
        """A model's first answer in this process, what it takes in memory, and what it leaves on disk."""
        start_s = self._clock()
        tiny = Weights.random(TINY, seed=request["seed"])
        session = self._prepared(tiny)
        session.run(np.zeros((1, 1), dtype=np.int64), np.ones((1, 1), dtype=np.int64))
        session.close()
        runtime_s = self._clock() - start_s
        weights = self._weights(request)
        float32_bytes = sum(array.nbytes for array in weights.arrays.values())
        size = (int(request["batch"]), int(request["length"]))
        ids = np.random.default_rng([request["seed"], 1]).integers(0, weights.shape.vocab, size, dtype=np.int64)
        release_memory()
        forget_peak()
        before_bytes = peak_bytes()
        start_s = self._clock()
        session = self._prepared(weights)
        session.run(ids, np.ones_like(ids))
        first_logits_s = self._clock() - start_s
        highest_bytes = peak_bytes()
        with tempfile.TemporaryDirectory(prefix="bigfast-") as directory:
            files = [Path(directory) / name for name in session.save(Path(directory))]
            # A runtime that leaves nothing of its own is deployed with the stock directory, in float32.
            file_bytes = sum(file.stat().st_size for file in files) or float32_bytes
        del weights
        release_memory()
        return {
            "runtime_s": runtime_s,
            "first_logits_s": first_logits_s,
            "growth_bytes": highest_bytes - before_bytes,
            "resident_bytes": psutil.Process().memory_info().rss,
            "file_bytes": file_bytes,
            "float32_bytes": float32_bytes,
        }


if __name__ == "__main__":
    answer_requests(Worker().answer)
