"""int8 beside float32 of the same runtime, on the same architectures: does int8 pay here?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.measure import Deployment, Timing
from bigfast.profile import Profile
from bigfast.space import Arch

INT8, FP32 = "int8", "fp32"

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """float32 latency = slope x int8 latency + offset, by least squares (the paper's equation 4)."""

    slope: float
    offset_s: float
    r_squared: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The architectures that were measured with success on both sides of one runtime.

    Attributes:
        runtime: The backends' names without their precision.
        int8_key: Backend and variant.
        fp32_key: Backend and variant.
        archs: What was measured on both.
        int8: Their timings, in that order.
        fp32: Their timings, in that order.
    """

    runtime: str
    int8_key: str
    fp32_key: str
    archs: tuple[Arch, ...]
    int8: tuple[Timing, ...]
    fp32: tuple[Timing, ...]

    @property
    def speedups(self) -> FloatArray:
        """Median latency in float32 over that in int8, shape (archs,), dimensionless."""
        return np.array([slow.p50_s / fast.p50_s for slow, fast in zip(self.fp32, self.int8, strict=True)])

    @property
    def line(self) -> Line | None:
        """The fitted line; None where there are too few points for one."""
        x, y = np.array([t.p50_s for t in self.int8]), np.array([t.p50_s for t in self.fp32])
        if len(x) < 3 or not np.ptp(x) or not np.ptp(y):
            return None
        slope, offset_s = np.polyfit(x, y, 1)
        return Line(slope=float(slope), offset_s=float(offset_s), r_squared=float(np.corrcoef(x, y)[0, 1] ** 2))


def precision_of(deployment: Deployment) -> tuple[str, str]:
    """The runtime and the precision of a deployment: ``torch`` and ``int8`` of ``torch-int8:engine=x86@2``."""
    runtime, _, precision = deployment.backend.rpartition("-")
    return runtime, precision


def fp32_key(profile: Profile, beside: Deployment) -> str | None:
    """The fastest float32 variant of the same runtime, threads and workers; None where none was measured."""
    wanted = (precision_of(beside)[0], FP32, beside.threads, beside.concurrent)
    found = {
        m.key
        for m in profile.measurements
        if (*precision_of(m.deployment), m.deployment.threads, m.deployment.concurrent) == wanted and m.timing
    }
    return min(sorted(found), key=profile.median_p50_s, default=None)


def pairings(profile: Profile) -> tuple[Pairing, ...]:
    """Each int8 key beside the fastest float32 variant of its runtime, by name; those without one are left out.

    Where inputs of several sizes were measured, those of the first are compared.
    """
    found = []
    for key in profile.keys:
        deployment = Deployment.parse(key)
        runtime, precision = precision_of(deployment)
        other = fp32_key(profile, deployment) if precision == INT8 else None
        if other is None:
            continue
        fast = {m.arch: m.timing for m in profile.of(key, profile.sizes[0]) if m.timing is not None}
        slow = {m.arch: m.timing for m in profile.of(other, profile.sizes[0]) if m.timing is not None}
        archs = tuple(arch for arch in fast if arch in slow)
        if archs:
            pairing = Pairing(
                runtime=runtime,
                int8_key=key,
                fp32_key=other,
                archs=archs,
                int8=tuple(fast[arch] for arch in archs),
                fp32=tuple(slow[arch] for arch in archs),
            )
            found.append(pairing)
    return tuple(found)


def unpaired(profile: Profile) -> tuple[str, ...]:
    """One sentence for each int8 or float32 backend whose counterpart was not measured with success."""
    whole = {precision_of(m.deployment) for m in profile.measurements if m.timing is not None}
    sentences = []
    for runtime, precision in sorted(whole):
        other = {INT8: FP32, FP32: INT8}.get(precision)
        if other is not None and (runtime, other) not in whole:
            sentences.append(
                f"{runtime}-{precision} was measured, {runtime}-{other} was not, or failed: they cannot be compared."
            )
    return tuple(sentences)
