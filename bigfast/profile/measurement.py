"""What one row of a profile says, and what follows from several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bigfast.measure import Deployment, Size, Timing
from bigfast.predict import Predictor, Score
from bigfast.space import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One architecture on one deployment, with inputs of one size.

    Attributes:
        deployment: Backend, variant, threads and workers.
        version: Of the runtime.
        arch: The architecture.
        size: Of the inputs.
        timing: None where it failed.
        reason: Why it failed or is unstable; empty otherwise.
        prepare_s: Seconds from float32 weights to a session.
        disagreement: With float32, see ``bigfast.backend.disagreement``.
        evidence: Which kernels ran, as the runtime told.
        peak_bytes: Peak memory of its process when it had been loaded, with all that were loaded before it.
    """

    deployment: Deployment
    version: str
    arch: Arch
    size: Size
    timing: Timing | None
    reason: str
    prepare_s: float | None
    disagreement: float | None
    evidence: Mapping[str, str]
    peak_bytes: int | None = None

    @property
    def key(self) -> str:
        """The deployment in one word: all measurements of one key share a predictor."""
        return str(self.deployment)

    @property
    def status(self) -> str:
        """``ok``, ``unstable`` or ``failed``."""
        return "failed" if self.timing is None else self.timing.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How far the usual call lies above the more repeatable estimate.

    Attributes:
        p50: Of the median call.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p90: Of the 90th percentile; None where too few calls were measured for one.
    """

    p50: float
    low: float
    high: float
    p90: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinel:
    """One architecture that was measured three times, each time in a process of its own.

    Attributes:
        key: The deployment.
        arch: The architecture.
        size: Of the inputs.
        estimates_s: Before the others, among them, and after them; seconds. None where it failed.
    """

    key: str
    arch: Arch
    size: Size
    estimates_s: tuple[float | None, float | None, float | None]

    @property
    def differences(self) -> tuple[float, ...]:
        """Between every two of them, as a share of the smaller one."""
        found = [s for s in self.estimates_s if s is not None]
        return tuple(max(a, b) / min(a, b) - 1 for a, b in combinations(found, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A predictor of the estimate for one key, and how it did on rows that it has never seen."""

    predictor: Predictor
    unseen: Score
    fitting_rows: int


def noise_floor(sentinels: Iterable[Sentinel]) -> dict[str, float]:
    """For each key, the median relative difference of what was measured in different processes."""
    found: dict[str, list[float]] = {}
    for sentinel in sentinels:
        found.setdefault(sentinel.key, []).extend(sentinel.differences)
    return {key: float(np.median(values)) for key, values in found.items() if values}
