"""How latency is measured, and what of: values that are stored with every result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bigfast.backend import variant_name
from bigfast.errors import InputError
from bigfast.space import BertShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Blocks of calls, in random interleaved order over rounds, rejected as a whole where the machine was disturbed.

    Attributes:
        batch: Texts in one call.
        length: Tokens of each text, none of them padding.
        threads: Threads of the runtime.
        rounds: How many accepted blocks each subject should have.
        extra_rounds: How many further rounds may replace rejected blocks.
        block_s: Timed seconds aimed at in one block.
        calls_at_least: Calls of a block, however long they take.
        calls_at_most: Calls of a block, however short they are.
        warmup_calls: Calls before each block, kept in the raw data and left out of the statistics.
        anchor_every: After how many blocks the anchor is measured again.
        steal_at_most: Share of a block's time that the hypervisor may have taken away.
        drift_at_most: How far above its median the anchor may be around a block, as a share.
        seed: Of the order of blocks and of the inputs.
    """

    batch: int = 1
    length: int = 128
    threads: int = 1
    rounds: int = 6
    extra_rounds: int = 2
    block_s: float = 0.05
    calls_at_least: int = 4
    calls_at_most: int = 64
    warmup_calls: int = 2
    anchor_every: int = 8
    steal_at_most: float = 0.01
    drift_at_most: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch", "length", "threads", "rounds", "calls_at_least", "anchor_every"):
            if getattr(self, name) < 1:
                raise InputError(f"A measurement needs {name} of at least 1, not {getattr(self, name)}")

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Protocol:
        """The inverse of ``to_json``; fields of later versions are ignored."""
        known = {field.name for field in fields(cls)}
        kept = {name: item for name, item in value.items() if name in known}
        for name, item in kept.items():
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise InputError(f"This does not describe a measuring protocol: {name} is {item!r}, not a number")
        try:
            return cls(**kept)
        except (TypeError, ValueError) as error:
            raise InputError(f"This does not describe a measuring protocol: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to be timed: a model on a backend.

    Attributes:
        backend: The backend's name.
        options: Its variant, as sorted pairs.
        label: What the model is called, such as its architecture.
        shape: The sizes of a model with random weights, or None where ``model`` is given.
        model: A stock directory, or None where ``shape`` is given.
    """

    backend: str
    options: tuple[tuple[str, str], ...] = ()
    label: str
    shape: BertShape | None = None
    model: Path | None = None

    def __post_init__(self) -> None:
        if (self.shape is None) == (self.model is None):
            raise InputError(f"Subject {self.label!r} needs either a shape or a model's directory")

    @property
    def worker(self) -> str:
        """Which child process it belongs to: one for each backend and variant."""
        return f"{self.backend}:{variant_name(dict(self.options))}"

    def request(self, key: int, seed: int) -> dict[str, Any]:
        """What the child is asked to load."""
        return {
            "do": "load",
            "key": key,
            "seed": seed,
            "shape": None if self.shape is None else asdict(self.shape),
            "model": None if self.model is None else str(self.model),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Calls of one subject without a pause, and how the machine was meanwhile.

    Attributes:
        subject: Its place in the list of subjects; the anchor's blocks have that of the anchor.
        round: In which round; -1 for the anchor's.
        started_s: Seconds since the measuring began.
        warmup_s: Latencies of the warm-up calls, seconds.
        samples_s: Latencies of the timed calls, seconds, in order.
        steal: Share of the time that the hypervisor took away; None where the system does not tell.
        throttled: Throttling events of the cgroup; None where the system does not tell.
        pressure: Share of the time in which somebody waited for a core; None where the system does not tell.
    """

    subject: int
    round: int
    started_s: float
    warmup_s: tuple[float, ...]
    samples_s: tuple[float, ...]
    steal: float | None
    throttled: int | None
    pressure: float | None

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
