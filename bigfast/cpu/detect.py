"""Asking whoever knows here: the kernel, a saved text, or py-cpuinfo where the kernel tells nothing."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from pathlib import Path

from bigfast.cpu import cpuinfo, darwin, foreign, kernel
from bigfast.cpu.machine import Machine
from bigfast.errors import InputError

__all__ = ["detect", "read_cpuinfo"]

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")  # gzip, bzip2, xz, zstd, zip


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


def read_cpuinfo(text: str | bytes) -> Machine:
    """The machine that a saved ``/proc/cpuinfo`` or ``sysctl`` text describes; bytes as a file holds them.

    How many processors a program may use is nothing that ``/proc/cpuinfo`` tells: affinity and quotas are not in it,
    and often only its first processor is saved. So ``usable_cores`` is None; ``sysctl`` has ``hw.activecpu``.

    Raises:
        InputError: The text describes no processor, or not its instruction sets, or the bytes are no text.
    """
    if isinstance(text, bytes):
        text = _decoded(text)
    return darwin.read_text(text) if darwin.is_sysctl(text) else cpuinfo.read_text(text)


def _decoded(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 as PowerShell saves it; stray bytes, as hypervisors put into names, are replaced."""
    if data.startswith(_COMPRESSED):
        raise InputError(f"The file is packed, so it is not a text file: unpack it first, or {cpuinfo.WHAT_TO_SAVE}")
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    text = data.decode(encoding, errors="replace")
    if "\0" in text or text.count("\ufffd") > len(text) // 10:
        raise InputError(f"The file is not a text file: {cpuinfo.WHAT_TO_SAVE}")
    return text
