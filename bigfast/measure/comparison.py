"""Backends beside each other on the same models: what each takes, and whether int8 pays on this CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby

from bigfast.cpu import Machine
from bigfast.measure.cold import ColdStart
from bigfast.measure.statistics import Timing
from bigfast.measure.subject import Deployment, Size, threads_in_words

__all__ = ["Comparison", "Row"]

PAYS = 1.05  # int8 pays where it is faster than the fastest other precision by more than what measuring it again gives


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model on one deployment.

    Attributes:
        model: What the model is called: small, middle, large.
        deployment: On what.
        precision: ``fp32``, ``bf16`` or ``int8``.
        timing: Its latency; None where it failed.
        share_of_peak: Operations of the encoder's linear layers per second of the estimate, as a share of the measured
            peak of that precision at as many threads; None where that peak is not known. Above what the runtime does
            where it computes less than all of them.
        disagreement: See ``bigfast.backend.disagreement``.
        cold: Its first answer in a fresh process; None where that was not asked, or failed.
        evidence: Which kernels ran, as the runtime tells.
        reason: Why there is no timing; empty where there is one.
    """

    model: str
    deployment: Deployment
    precision: str
    timing: Timing | None
    share_of_peak: float | None
    disagreement: float | None
    cold: ColdStart | None
    evidence: Mapping[str, str] = field(hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All rows of a comparison, by model and then as the deployments were given.

    ``models`` says what each model is, ``machine`` where it was, and ``size`` on what inputs.
    """

    machine: Machine
    size: Size
    models: Mapping[str, str] = field(hash=False)
    rows: tuple[Row, ...]

    def fastest(self, model: str, threads: int, precisions: Sequence[str]) -> Row | None:
        """The fastest row of a model at a thread count among some precisions; None where none was timed."""
        rows = [
            row
            for row in self.rows
            if row.model == model and row.deployment.threads == threads and row.precision in precisions and row.timing
        ]
        return min(rows, key=_estimate_s, default=None)

    @property
    def advice(self) -> str:
        """One sentence: whether int8 pays on this CPU, where, and what to use."""
        places = [(model, threads) for model in self.models for threads in self.thread_counts]
        pairs = {
            place: (int8, other)
            for place in places
            if (int8 := self.fastest(*place, ["int8"])) and (other := self.fastest(*place, ["fp32", "bf16"]))
        }
        if not pairs:
            return "Nothing can be said of int8 here: no model was timed in int8 and in another precision."
        gains = {place: _estimate_s(other) / _estimate_s(int8) for place, (int8, other) in pairs.items()}
        paying = [place for place in pairs if gains[place] > PAYS]
        if not paying:
            most = max(gains.values())
            rival = _most_frequent([other for _, other in pairs.values()])
            return (
                f"int8 does not pay on this CPU: at its best it is {most:.2f} times as fast as the fastest other "
                f"precision, so use {rival}."
            )
        choice = self._choice({place: pairs[place][0] for place in paying})
        rival = _most_frequent([pairs[place][1] for place in paying])
        losing = [place for place in pairs if place not in paying]
        where = f" except for {_places(losing)}" if losing else ""
        if len(losing) > len(paying):
            where = f" for {_places(paying)} only"
        return (
            f"int8 pays on this CPU{where}: {choice} is the best choice over them all, and the fastest int8 answers "
            f"{_range([gains[place] for place in paying])} times as fast as the fastest other precision "
            f"(most often {rival})."
        )

    def _choice(self, fastest: Mapping[tuple[str, int], Row]) -> str:
        """The int8 backend and variant that lies least behind the fastest of each place, in the geometric mean."""
        behind: dict[str, list[float]] = {}
        for row in self.rows:
            place = (row.model, row.deployment.threads)
            if row.precision == "int8" and row.timing and place in fastest:
                ratio = row.timing.estimate_s / _estimate_s(fastest[place])
                behind.setdefault(_name(row), []).append(math.log(ratio))
        everywhere = {name: sum(logs) for name, logs in behind.items() if len(logs) == len(fastest)}
        return min(everywhere, key=lambda name: everywhere[name]) if everywhere else _most_frequent([*fastest.values()])

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """The fewest first."""
        return tuple(sorted({row.deployment.threads for row in self.rows}))

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "format": "bigfast.backends",
            "schema_version": 1,
            "machine": self.machine.to_json(),
            "size": asdict(self.size),
            "models": dict(self.models),
            "advice": self.advice,
            "rows": [
                {
                    "model": row.model,
                    "deployment": str(row.deployment),
                    "precision": row.precision,
                    "timing": None if row.timing is None else asdict(row.timing),
                    "share_of_peak": row.share_of_peak,
                    "disagreement": row.disagreement,
                    "cold": None if row.cold is None else asdict(row.cold),
                    "evidence": dict(row.evidence),
                    "reason": row.reason,
                }
                for row in self.rows
            ],
        }


def _estimate_s(row: Row) -> float:
    return row.timing.estimate_s if row.timing else math.inf


def _name(row: Row) -> str:
    """Backend and variant."""
    return str(row.deployment).partition("@")[0].removesuffix(":default")


def _most_frequent(rows: Sequence[Row]) -> str:
    """The backend and variant that occurs most often; the first of those that are level."""
    names = [_name(row) for row in rows]
    return max(dict.fromkeys(names), key=names.count)


def _places(places: Sequence[tuple[str, int]]) -> str:
    """``the small and large model at 1 thread, and the large at 2``."""
    by_threads = groupby(sorted(places, key=lambda place: place[1]), key=lambda place: place[1])
    parts = [
        f"the {_listed([model for model, _ in group])} model at {threads_in_words(threads)}"
        for threads, group in by_threads
    ]
    return " and ".join(parts)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return low if low == high else f"{low} to {high}"
