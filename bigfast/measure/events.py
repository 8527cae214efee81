"""What happens while something is measured: a model is loaded, a block of calls is timed, something fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Calls of one subject without a pause, and how the machine was meanwhile.

    Attributes:
        subject: Its place in the list of subjects; the anchor's blocks have that of the anchor.
        round: In which round; -1 for the anchor's.
        started_s: Seconds since the measuring began.
        warmup_s: Latencies of the warm-up calls, seconds.
        samples_s: Latencies of the timed calls, seconds, in order; of several workers one worker after the other.
        steal: Share of the time that the hypervisor took away; None where the system does not tell.
        throttled: Throttling events of the cgroup; None where the system does not tell.
        pressure: Share of the time in which somebody waited for a core; None where the system does not tell.
        waited: Seconds for which our own threads waited for a core, as a share of the time; None where the system
            does not tell, and where there are more threads than cores.
    """

    subject: int
    round: int
    started_s: float
    warmup_s: tuple[float, ...]
    samples_s: tuple[float, ...]
    steal: float | None
    throttled: int | None
    pressure: float | None
    waited: float | None = None

    @property
    def is_anchor(self) -> bool:
        """Whether it belongs to the drift meter."""
        return self.round < 0

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Block:
        """The inverse of ``to_json``."""
        known = {field.name for field in fields(cls)}
        kept = {name: item for name, item in value.items() if name in known}
        return cls(**{**kept, "warmup_s": tuple(value["warmup_s"]), "samples_s": tuple(value["samples_s"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A subject that a child has prepared and found correct before anything was timed.

    Attributes:
        subject: Its place in the list of subjects.
        prepare_s: Seconds from weights to a session.
        disagreement: See ``bigfast.backend.disagreement``.
        evidence: Which kernels run, as the runtime tells.
        peak_bytes: Peak resident memory of the child so far.
    """

    subject: int
    prepare_s: float
    disagreement: float
    evidence: dict[str, str]
    peak_bytes: int

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A subject that could not be measured, and why; the others go on."""

    subject: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description."""
        return asdict(self)


Event = Block | Loaded | Failure
