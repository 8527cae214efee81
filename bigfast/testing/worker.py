"""The process in which a backend's threads and memory are counted: ``python -m bigfast.testing.worker``."""

from __future__ import annotations

import gc
import pkgutil
import time
from collections.abc import Mapping
from typing import Any

import psutil

from bigfast.backend import Backend, Options, Session, Weights
from bigfast.cpu import detect
from bigfast.errors import BackendError
from bigfast.measure.worker import release_memory
from bigfast.space import BertShape
from bigfast.testing.texts import VOCAB, texts
from bigfast.workers import answer_requests

# Calls of milliseconds, so that a runtime which ignores its thread count would find work for a second thread.
BUSY = BertShape(layers=2, hidden=240, ffn=512, heads=12, vocab=VOCAB, positions=128)
FIRST_CALLS = 5  # threads start and memory is touched
# Half a megabyte even in int8: what a leak of every session's weights amounts to is unmistakable.
SMALL = BertShape(layers=1, hidden=192, ffn=512, heads=12, vocab=VOCAB, positions=32)


class Worker:
    """Answers ``open``, ``busy`` and ``leak``."""

    def answer(self, request: dict[str, Any]) -> Mapping[str, Any]:
        """One answer to one request."""
        match request["do"]:
            case "open":
                return self._open(request)
            case "busy":
                return self._busy(float(request["seconds"]))
            case "leak":
                return self._leak(int(request["sessions"]), settled=int(request["settled"]))
            case other:
                raise BackendError(f"The testing process knows no request {other!r}")

    def _open(self, request: dict[str, Any]) -> Mapping[str, Any]:
        try:
            backend = pkgutil.resolve_name(request["backend"])()
        except Exception as error:  # another package's code: its author is told, whatever it raises
            raise BackendError(
                f"A fresh process cannot make the backend {request['backend']}(), as its entry point would: {error}"
            ) from error
        self._backend: Backend = backend
        self._machine = detect()
        self._options: Options = request["options"]
        self._threads = int(request["threads"])
        self._prepared(SMALL, seed=0).close()  # imports the runtime
        return {}

    def _prepared(self, shape: BertShape, *, seed: int) -> Session:
        weights = Weights.random(shape, seed=seed)
        return self._backend.prepare(weights, machine=self._machine, threads=self._threads, options=self._options)

    def _busy(self, seconds: float) -> Mapping[str, Any]:
        """Calls for so long, and how much time all threads of this process spent on a core meanwhile."""
        session = self._prepared(BUSY, seed=0)
        ids, mask = texts(1, BUSY.positions, seed=0)
        for _ in range(FIRST_CALLS):
            session.run(ids, mask)
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        while time.perf_counter() - start_s < seconds:
            session.run(ids, mask)
        cpu_s, wall_s = time.process_time() - start_cpu_s, time.perf_counter() - start_s
        session.close()
        return {"cpu_s": cpu_s, "wall_s": wall_s}

    def _leak(self, sessions: int, *, settled: int) -> Mapping[str, Any]:
        """By how much resident memory grew from one number of sessions, opened and closed, to another."""
        process = psutil.Process()
        ids, mask = texts(1, 8, seed=0)
        settled_bytes = 0
        for number in range(1, sessions + 1):
            session = self._prepared(SMALL, seed=number)
            session.run(ids, mask)
            session.close()
            del session
            if number in (settled, sessions):
                gc.collect()  # what only waits for the collector is not lost
                release_memory()
                resident = process.memory_info().rss
                settled_bytes = resident if number == settled else settled_bytes
        return {"grown_bytes": resident - settled_bytes}


if __name__ == "__main__":
    answer_requests(Worker().answer)
