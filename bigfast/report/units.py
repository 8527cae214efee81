"""Seconds, bytes and shares as people write them; here alone they become ms, MiB and per cent.

Number and unit are kept on one line by a space that does not break.
"""

from __future__ import annotations

import math

from bigfast.errors import InputError
from bigfast.measure import Deployment, threads_in_words

__all__ = ["duration", "interval", "limit", "mib", "ms", "number", "percent", "plain"]

SPACE = "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """Three significant digits, and no powers of ten: ``0.483``, ``4.83``, ``48.3``, ``1,483``."""
    if not math.isfinite(value):
        return "-"
    digits = 2 - math.floor(math.log10(abs(value))) if value else 2
    return f"{value:,.{min(max(digits, 0), 4)}f}"


def ms(seconds: float) -> str:
    """A latency: ``4.83 ms``."""
    return f"{number(seconds * 1e3)}{SPACE}ms"


def limit(seconds: float) -> str:
    """A limit as it was asked for: ``5 ms``, ``7.25 ms``."""
    text = number(seconds * 1e3)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{SPACE}ms"


def interval(low_s: float, high_s: float) -> str:
    """The interval of a latency, in ms: ``[4.78, 4.90]``."""
    return f"[{number(low_s * 1e3)}, {number(high_s * 1e3)}]".replace(", ", f",{SPACE}")


def percent(share: float | None) -> str:
    """A share: ``71.2 %``; a dash for None."""
    return "-" if share is None else f"{share * 100:.1f}{SPACE}%"


def mib(count: int) -> str:
    """A size: ``17.2 MiB``."""
    return f"{number(count / 2**20)}{SPACE}MiB"


def plain(key: str) -> str:
    """A deployment as people read it: ``torch-fp32, 1 thread``, ``torch-int8:engine=x86, 4 workers of 2 threads``."""
    try:
        deployment = Deployment.parse(key)
    except InputError:  # of an unknown kind, in a file that anybody may have written
        return key
    backend = f"{deployment.backend}:{deployment.variant}".removesuffix(":default")
    threads = threads_in_words(deployment.threads)
    workers = f"{deployment.concurrent} workers of " if deployment.concurrent > 1 else ""
    return f"{backend}, {workers}{threads}"


def duration(seconds: float) -> str:
    """How long a stage took: ``8.3 s``, ``3 min 20 s``, ``1 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f}{SPACE}s"
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{count}{SPACE}{unit}" for count, unit in [part for part in parts if part[0]][:2])
