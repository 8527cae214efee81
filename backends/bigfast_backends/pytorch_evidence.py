"""What PyTorch ran in one call: the operators that it dispatched, and the kernels that oneDNN reports for them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

MULTIPLYING = ("linear", "mm", "attention")  # parts of the names of the operators that are counted
STDOUT = 1
ONEDNN_RUN = "onednn_verbose,v1,primitive,exec,cpu,"
ONEDNN_MULTIPLYING = ("matmul", "inner_product")


class _Counted(TorchDispatchMode):
    """Counts operators on their way to a kernel; unlike the profiler it prints nothing and takes milliseconds."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        self.counts: Counter[str] = Counter()

    # Any: an operator's arguments and results are whatever its schema says.
    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.counts[func._schema.name] += 1
        return func(*args, **(kwargs or {}))


def evidence_of(call: Callable[[], object]) -> dict[str, str]:
    """Makes a call twice and tells how often each operator that multiplies ran in it, and by which oneDNN kernels."""
    with _Counted() as seen:
        call()
    operators = Counter({name: n for name, n in seen.counts.items() if any(part in name for part in MULTIPLYING)})
    lines: list[str] = []
    with _onednn_lines(lines):
        call()
    return {name: str(count) for name, count in sorted((operators + _kernels(lines)).items())}


def _kernels(lines: Sequence[str]) -> Counter[str]:
    """``oneDNN matmul brg_matmul:avx512_core_vnni`` and how often it ran."""
    ran = [line[len(ONEDNN_RUN) :].split(",")[:2] for line in lines if line.startswith(ONEDNN_RUN)]
    return Counter(f"oneDNN {kind} {kernel}" for kind, kernel in ran if kind in ONEDNN_MULTIPLYING)


@contextlib.contextmanager
def _onednn_lines(lines: list[str]) -> Iterator[None]:
    """Collects what oneDNN writes to standard output meanwhile; what others write there comes out afterwards."""
    mkldnn = torch.backends.mkldnn
    try:
        kept = os.dup(STDOUT)
    except OSError:  # a process without standard output
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), STDOUT)
        try:
            with mkldnn.verbose(mkldnn.VERBOSE_ON) if mkldnn.is_available() else contextlib.nullcontext():
                yield
        finally:
            os.dup2(kept, STDOUT)
            os.close(kept)
        file.seek(0)
        for line in file:
            if line.startswith(b"onednn_verbose"):
                lines.append(line.decode(errors="replace").rstrip())
            else:
                os.write(STDOUT, line)
