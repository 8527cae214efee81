"""The part of a space that meets a latency limit, by prediction (the paper's equation 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.backend import find_backend
from bigfast.errors import Infeasible, InputError
from bigfast.measure import Size
from bigfast.profile import Profile

LEVEL = 0.9  # of the upper bound that must lie within the limit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Narrowed:
    """The feasible architectures of a space.

    Attributes:
        limit_s: The limit on the median latency, seconds.
        rows: Rows of ``space.enumerate``, shape (n, choices), int64.
        predicted_s: Predicted median latency, shape (n,), seconds.
        upper_s: Its upper bound, shape (n,), seconds; none above the limit.
        total: How many architectures the space has.
    """

    limit_s: float
    rows: npt.NDArray[np.int64]
    predicted_s: npt.NDArray[np.float64]
    upper_s: npt.NDArray[np.float64]
    total: int

    @property
    def binds(self) -> bool:
        """Whether the limit excludes anything."""
        return len(self.rows) < self.total


def deployment_key(profile: Profile, wanted: str | None, *, threads: int | None = None) -> str:
    """The key of the backend to deploy on: the one wanted, or the fastest int8 of a profile.

    Args:
        profile: What was measured.
        wanted: A backend's name, with options and threads if any; None for the fastest int8.
        threads: Of its runtime, where ``wanted`` does not say; None for the fewest that were measured.

    Raises:
        UnknownName: it was not measured.
        InputError: none is wanted, and no int8 backend was measured.
    """
    if wanted is not None:
        return profile.key_of(wanted, threads=threads)
    names = sorted({m.deployment.backend for m in profile.measurements})
    int8 = [name for name in names if find_backend(name).precision == "int8"]
    if not int8:
        raise InputError(f"This profile has no int8 backend, only {', '.join(profile.keys)}: name one with --backend")
    return min((profile.key_of(name, threads=threads) for name in int8), key=profile.median_p50_s)


def narrow(profile: Profile, key: str, limit_s: float, *, size: Size | None = None) -> Narrowed:
    """Every architecture of the profile's space whose latency is predicted to lie within the limit.

    The upper bound of the prediction counts, so that nine of ten near the limit keep it.

    Args:
        profile: Where the predictor is.
        key: Of which deployment.
        limit_s: The limit on the median latency, seconds.
        size: Of the inputs; None for the first that was measured.

    Raises:
        Infeasible: nothing is fast enough; with the fastest architecture and its latency.
        ProfileError: there is no predictor for that key.
    """
    space = profile.space.space
    rows = space.enumerate()
    sizes = None if size is None else [size] * len(rows)
    found = profile.predict_p50(key, [space.arch(row) for row in rows], sizes=sizes, level=LEVEL)
    within = found.upper <= limit_s
    if not within.any():
        fastest = int(np.argmin(found.upper))
        raise Infeasible(
            f"No architecture of space {space.name!r} answers within {limit_s * 1e3:g} ms on {key} here: "
            f"the fastest is {space.arch(rows[fastest])}, predicted at {found.seconds[fastest] * 1e3:.3g} ms and at "
            f"most {found.upper[fastest] * 1e3:.3g} ms, so ask for at least that"
        )
    return Narrowed(
        limit_s=limit_s,
        rows=rows[within],
        predicted_s=found.seconds[within],
        upper_s=found.upper[within],
        total=len(rows),
    )
