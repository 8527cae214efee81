"""The part of a space that meets a latency limit, by prediction (the paper's equation 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.backend import find_backend, parse_backend
from bigfast.errors import Infeasible, InputError
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


def deployment_key(profile: Profile, wanted: str | None) -> str:
    """The key of the backend to deploy on: the one wanted, or the fastest int8 of a profile.

    Args:
        profile: What was measured.
        wanted: A backend's name, with options if any; None for the fastest int8.

    Raises:
        UnknownName: it was not measured.
        InputError: none is wanted, and no int8 backend was measured.
    """
    if wanted is not None:
        return profile.key_of(*parse_backend(wanted))
    int8 = [key for key in profile.keys if find_backend(key.partition(":")[0]).precision == "int8"]
    if not int8:
        raise InputError(f"This profile has no int8 backend, only {', '.join(profile.keys)}: name one with --backend")
    return min(int8, key=profile.median_p50_s)


def narrow(profile: Profile, key: str, limit_s: float) -> Narrowed:
    """Every architecture of the profile's space whose latency is predicted to lie within the limit.

    The upper bound of the prediction counts, so that nine of ten near the limit keep it.

    Args:
        profile: Where the predictor is.
        key: Of which backend and variant.
        limit_s: The limit on the median latency, seconds.

    Raises:
        Infeasible: nothing is fast enough; with the fastest architecture and its latency.
        ProfileError: there is no predictor for that key.
    """
    space = profile.space.space
    rows = space.enumerate()
    found = profile.predict_p50(key, [space.arch(row) for row in rows], level=LEVEL)
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
