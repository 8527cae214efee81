"""The evolution of AutoTinyBERT (Yin et al. 2021), as its released code does it, with the limit enforced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.errors import Infeasible
from bigfast.search.core import Evaluation
from bigfast.space import Arch, Space

TRIES = 200  # to find a feasible unseen child; then a random one is taken, so that it cannot hang


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """How one choice mutates: with what probability, and by at most how many steps."""

    probability: float
    steps: int


# AutoTinyBERT's for layers, hidden and feed-forward size; others as its attention heads.
MUTATIONS: Mapping[str, Mutation] = {
    "e": Mutation(probability=0.25, steps=1),
    "h": Mutation(probability=0.5, steps=1),
    "f": Mutation(probability=0.5, steps=2),
}
OTHER = Mutation(probability=0.25, steps=2)


class Evolution:
    """Generations of children: half of them random, half mutated from the best of everything so far.

    Parents are the ``size`` best of all evaluated; one is drawn with a weight of its score above the
    lowest of them. There is no crossover.

    Args:
        space: Whose choices mutate.
        feasible: Architectures that meet the limit, rows of ``space.enumerate``, shape (n, choices).
        rng: Of all that is random.
        generations: How many; the paper's four rounds.
        size: Children of a generation.
        random_share: Probability that a child is a new random architecture.
    """

    def __init__(
        self,
        space: Space,
        feasible: npt.NDArray[np.int64],
        *,
        rng: np.random.Generator,
        generations: int = 4,
        size: int = 25,
        random_share: float = 0.5,
    ) -> None:
        if not len(feasible):
            raise Infeasible("No architecture meets the limit: there is nothing to search")
        self._space = space
        self._feasible = [space.arch(row) for row in feasible]
        self._allowed = frozenset(self._feasible)
        self._rng = rng
        self._left = generations
        self._size = size
        self._random_share = random_share
        self._seen: dict[Arch, float] = {}

    def ask(self) -> list[Arch]:
        """The next generation; empty after the last, or when everything feasible has been seen."""
        if self._left == 0:
            return []
        self._left -= 1
        parents = sorted(
            ((arch, score) for arch, score in self._seen.items() if not np.isnan(score)), key=lambda pair: -pair[1]
        )[: self._size]
        children: dict[Arch, None] = {}
        while len(children) < self._size and len(self._seen) + len(children) < len(self._feasible):
            child = None
            if parents and self._rng.random() >= self._random_share:
                child = self._mutant(parents, children)
            children[child or self._newcomer(children)] = None
        return list(children)

    def tell(self, results: Sequence[Evaluation]) -> None:
        """Remembers what the children were worth."""
        for result in results:
            self._seen[result.arch] = result.score

    def _newcomer(self, children: Mapping[Arch, None]) -> Arch:
        for _ in range(TRIES):
            arch = self._feasible[int(self._rng.integers(len(self._feasible)))]
            if arch not in self._seen and arch not in children:
                return arch
        unseen = [arch for arch in self._feasible if arch not in self._seen and arch not in children]
        return unseen[int(self._rng.integers(len(unseen)))]

    def _mutant(self, parents: Sequence[tuple[Arch, float]], children: Mapping[Arch, None]) -> Arch | None:
        scores = np.array([score for _, score in parents])
        weights = scores - scores.min()
        chances = weights / weights.sum() if weights.sum() > 0 else None
        for _ in range(TRIES):
            parent = parents[int(self._rng.choice(len(parents), p=chances))][0]
            child = self._mutated(parent)
            if child in self._allowed and child not in self._seen and child not in children:
                return child
        return None

    def _mutated(self, parent: Arch) -> Arch:
        values = []
        for choice in self._space.choices:
            mutation = MUTATIONS.get(choice.name, OTHER)
            index = choice.values.index(parent[choice.name])
            if self._rng.random() < mutation.probability:
                index += int(self._rng.integers(-mutation.steps, mutation.steps + 1))
            values.append(choice.values[min(max(index, 0), len(choice.values) - 1)])
        return self._space.arch(values)
