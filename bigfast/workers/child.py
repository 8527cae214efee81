"""A supervised child process that answers one JSON line with one JSON line."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from bigfast.errors import BackendError, ChildEnded
from bigfast.store import parse_json

LAST_WORDS_BYTES = 2000
OUT_OF_MEMORY = "out of memory"
POLITE_S = 5.0


class Child:
    """Starts a Python module in a process group of its own and asks it, one question at a time.

    While a question is open the parent sleeps in a blocking wait. A child that dies or does not
    answer in time is gone with all its descendants, and the error says what it said last.

    Args:
        module: The module to run (``python -m``); it must answer with ``answer_requests``.
        environment: Variables set on top of ours, before anything is imported there.
        name: What the errors call it.
        memory_bytes: How much memory it may allocate, where the system can limit that (Linux); None for no limit.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        module: str,
        *,
        environment: Mapping[str, str],
        name: str,
        arguments: Sequence[str] = (),
        memory_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._clock = clock
        self._memory_bytes = memory_bytes
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self._pending = b""
        self._swept = False
        if memory_bytes is not None and sys.platform == "linux":
            # Of what it allocates, not of what it maps: libraries reserve far more than they ever touch.
            with contextlib.suppress(ProcessLookupError):  # it has ended already, and says so when it is asked
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (memory_bytes, memory_bytes))

    def ask(self, request: Mapping[str, Any], *, deadline_s: float) -> dict[str, Any]:
        """Sends one request and returns the answer.

        Raises:
            BackendError: the child answered with an error.
            ChildEnded: it died, or was killed because it took longer than ``deadline_s`` seconds.
        """
        self.send(request)
        return self.receive(deadline_s=deadline_s)

    def send(self, request: Mapping[str, Any]) -> None:
        """The first half of ``ask``: several children may be asked before the first is listened to.

        Raises:
            ChildEnded: it has died.
        """
        assert self._process.stdin is not None  # opened as a pipe above
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ChildEnded(f"{self._name} has ended: {self._epitaph()}") from error

    def receive(self, *, deadline_s: float) -> dict[str, Any]:
        """The second half of ``ask``.

        Raises:
            BackendError: the child answered with an error.
            ChildEnded: it died, or was killed because it took longer than ``deadline_s`` seconds.
        """
        line = self._line(deadline_s)
        try:
            answer = parse_json(line.decode())
        except ValueError as error:
            self.kill()  # nobody knows what its next line would answer
            raise ChildEnded(f"{self._name} answered with something else than JSON: {line[:80]!r}") from error
        if not isinstance(answer, dict):
            raise BackendError(f"{self._name} answered with something else than an object")
        if answer.get("error") == OUT_OF_MEMORY:
            self.kill()  # what it still holds would fail the next one too
            raise ChildEnded(f"{self._name} was out of memory{self._limit()}")
        if "error" in answer:
            raise BackendError(str(answer["error"]))
        return answer

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        if self._process.poll() is None:
            return True
        self.kill()  # what it may have started
        return False

    def _line(self, deadline_s: float) -> bytes:
        assert self._process.stdout is not None  # opened as a pipe above
        pipe = self._process.stdout.fileno()
        end = self._clock() + deadline_s
        while b"\n" not in self._pending:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - self._clock()))
            if not ready:
                self.kill()
                raise ChildEnded(f"{self._name} did not answer within {deadline_s:.0f} s and was ended")
            chunk = os.read(pipe, 1 << 20)
            if not chunk:
                raise ChildEnded(f"{self._name} has ended: {self._epitaph()}")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _limit(self) -> str:
        return "" if self._memory_bytes is None else f": it may allocate {self._memory_bytes / 2**30:.1f} GiB"

    def _epitaph(self) -> str:
        try:
            code = self._process.wait(POLITE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.returncode
        self.kill()  # what it may have started
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        limited = self._memory_bytes is not None and code in (-signal.SIGABRT, -signal.SIGSEGV)
        if code == -signal.SIGKILL or limited:
            how += f" (perhaps out of memory{self._limit()})"
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - LAST_WORDS_BYTES))
        words = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f"{how}; its last words: {words[-1]}" if words else how

    def kill(self) -> None:
        """Ends it and all its descendants at once."""
        if not self._swept:  # once: later the number may be another's
            self._swept = True
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: the latter, of a group of the dead
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Closes its input, waits a moment for its end, and kills what is left."""
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(POLITE_S)
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answer_requests(answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """The child's side: reads requests from standard input until it closes, and writes one answer to each.

    Whatever libraries print goes to standard error, so that it cannot be mistaken for an answer.
    An exception becomes an answer with an ``error``; the child lives on.
    """
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    for line in sys.stdin.buffer:
        try:
            reply = json.dumps(answer(parse_json(line.decode())), allow_nan=False)
        except MemoryError:
            reply = json.dumps({"error": OUT_OF_MEMORY})
        except Exception as error:  # the parent is told, whatever it was
            reply = json.dumps({"error": str(error) or type(error).__name__})
        replies.write(reply.encode() + b"\n")
        replies.flush()
