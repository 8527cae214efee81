"""Ask and tell: the search knows spaces, feasible rows and scores, nothing of models or latency."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bigfast.space import Arch


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one architecture was found to be worth.

    Attributes:
        arch: The architecture.
        score: To be maximised; NaN where it could not be found.
        reason: Why it could not be found; empty otherwise.
    """

    arch: Arch
    score: float
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is no score."""
        return math.isnan(self.score)


class Strategy(Protocol):
    """Proposes architectures and learns from their scores; deterministic once made."""

    def ask(self) -> list[Arch]:
        """The next architectures to evaluate, all feasible; empty when the strategy has finished."""
        ...

    def tell(self, results: Sequence[Evaluation]) -> None:
        """What they were worth, in the order asked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that a search has evaluated, in order, each architecture once."""

    evaluations: tuple[Evaluation, ...]

    @property
    def ranked(self) -> list[Evaluation]:
        """The successful ones, best first; ties keep their order."""
        return sorted((e for e in self.evaluations if not e.failed), key=lambda e: -e.score)


def search(
    strategy: Strategy,
    evaluate: Callable[[Arch], Evaluation],
    *,
    known: Mapping[Arch, Evaluation] | None = None,
    told: Callable[[Evaluation], None] = lambda evaluation: None,
) -> Found:
    """Lets a strategy ask until it has finished.

    Args:
        strategy: Who proposes.
        evaluate: Finds one architecture's score; not called for what is known.
        known: Evaluations of earlier searches over the same scores.
        told: Told of each evaluation, known or new, as it is reached.
    """
    seen = dict(known or {})
    asked: dict[Arch, Evaluation] = {}
    while archs := strategy.ask():
        results = []
        for arch in archs:
            if arch not in seen:
                seen[arch] = evaluate(arch)
            asked[arch] = seen[arch]
            told(seen[arch])
            results.append(seen[arch])
        strategy.tell(results)
    return Found(evaluations=tuple(asked.values()))
