"""Asking whoever knows here: the kernel, a saved text, or py-cpuinfo where the kernel tells nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from bigfast.cpu import cpuinfo, darwin, foreign, kernel
from bigfast.cpu.machine import Machine
from bigfast.errors import InputError

__all__ = ["detect", "read_cpuinfo"]


def detect(*, root: Path = Path("/")) -> Machine:
    """This machine, as this process may use it; milliseconds where the kernel tells.

    Args:
        root: Where Linux has its ``/proc`` and ``/sys``.
    """
    with contextlib.suppress(InputError):  # a kernel that tells nothing
        if sys.platform == "linux":
            return kernel.read_kernel(allowed=len(os.sched_getaffinity(0)), root=root)
        if sys.platform == "darwin":
            return darwin.read_kernel()
    return foreign.read_foreign()


def read_cpuinfo(text: str) -> Machine:
    """The machine that a saved ``/proc/cpuinfo`` or ``sysctl`` text describes.

    Raises:
        InputError: The text describes no processor, or not its instruction sets.
    """
    return darwin.read_text(text) if darwin.is_sysctl(text) else cpuinfo.read_text(text)
