"""How latency is measured: a value that is stored with every result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bigfast.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Blocks of calls, in random interleaved order over rounds, rejected as a whole where the machine was disturbed.

    Attributes:
        rounds: How many accepted blocks each subject should have.
        extra_rounds: How many further rounds may replace rejected blocks.
        block_s: Timed seconds aimed at in one block.
        calls_at_least: Calls of a block, however long they take.
        calls_at_most: Calls of a block, however short they are.
        warmup_calls: Calls before each block, kept in the raw data and left out of the statistics; one alone where the
            block has fewer than 16 calls.
        anchor_every: After how many blocks the anchor is measured again.
        steal_at_most: Share of a block's time that the hypervisor may have taken away.
        waited_at_most: Share of a block's time for which our own threads may have waited for a core.
        drift_at_most: How far above its median the anchor may be around a block, as a share.
        seed: Of the order of blocks and of the inputs.
    """

    rounds: int = 14
    extra_rounds: int = 3
    block_s: float = 0.08
    calls_at_least: int = 4
    calls_at_most: int = 256
    warmup_calls: int = 2
    anchor_every: int = 10
    steal_at_most: float = 0.01
    waited_at_most: float = 0.05
    drift_at_most: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "calls_at_least", "anchor_every"):
            if getattr(self, name) < 1:
                raise InputError(f"A measuring protocol needs {name} of at least 1, not {getattr(self, name)}")

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Protocol:
        """The inverse of ``to_json``; fields of other versions are ignored."""
        known = {field.name for field in fields(cls)}
        kept = {name: item for name, item in value.items() if name in known}
        for name, item in kept.items():
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise InputError(f"This does not describe a measuring protocol: {name} is {item!r}, not a number")
        try:
            return cls(**kept)
        except (TypeError, ValueError) as error:
            raise InputError(f"This does not describe a measuring protocol: {error}") from error
