from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bigfast.errors import Busy, Infeasible, InputError
from bigfast.search import Evaluation, Evolution, Found, open_study, search
from bigfast.space import Arch, paper_space

SPACE = paper_space().space
ROWS = SPACE.enumerate()
FEASIBLE = ROWS[ROWS.prod(axis=1) < np.median(ROWS.prod(axis=1))]
TARGET = SPACE.row(Arch.of(e=3, h=264, f=500))


def score(arch: Arch) -> float:
    """Highest at the target, and smooth."""
    return -float(np.abs(SPACE.row(arch) / TARGET - 1).sum())


def evaluate(arch: Arch) -> Evaluation:
    return Evaluation(arch=arch, score=score(arch))


def evolution(seed: int = 0, rows: np.ndarray = FEASIBLE, **changes: float) -> Evolution:
    return Evolution(SPACE, rows, rng=np.random.default_rng(seed), **changes)  # type: ignore[arg-type]


class Counted:
    """Counts what is evaluated, and may break at one evaluation."""

    def __init__(self, evaluate: Callable[[Arch], Evaluation] = evaluate, *, breaks_at: int = -1) -> None:
        self.seen: list[Arch] = []
        self._evaluate = evaluate
        self._breaks_at = breaks_at

    def __call__(self, arch: Arch) -> Evaluation:
        if len(self.seen) == self._breaks_at:
            raise KeyboardInterrupt
        self.seen.append(arch)
        return self._evaluate(arch)


@pytest.mark.parametrize("random_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_infeasible_and_nothing_twice_is_proposed(seed: int, random_share: float) -> None:
    counted = Counted()

    search(evolution(seed, random_share=random_share), counted)

    assert len(counted.seen) == len(set(counted.seen)) == 100
    assert set(counted.seen) <= set(map(SPACE.arch, FEASIBLE))


def test_a_search_follows_from_its_seed() -> None:
    first, again, other = (search(evolution(seed), evaluate) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_evolution_finds_better_than_chance_does() -> None:
    def best(seed: int, random_share: float) -> float:
        return search(evolution(seed, random_share=random_share), evaluate).ranked[0].score

    assert np.mean([best(seed, 0.5) for seed in range(8)]) > np.mean([best(seed, 1.0) for seed in range(8)])


@pytest.mark.parametrize("count", [1, 2, 24, 25, 26, 60])
def test_a_search_ends_when_everything_feasible_has_been_seen(count: int) -> None:
    rows = FEASIBLE[:: len(FEASIBLE) // count][:count]

    found = search(evolution(rows=rows), evaluate)

    assert {e.arch for e in found.evaluations} == set(map(SPACE.arch, rows))


def test_nothing_feasible_is_nothing_to_search() -> None:
    with pytest.raises(Infeasible, match="nothing to search"):
        evolution(rows=FEASIBLE[:0])


def test_the_ranking_has_the_best_first_and_ties_in_their_order() -> None:
    archs = [SPACE.arch(row) for row in FEASIBLE[:4]]
    scores = [0.5, math.nan, 0.9, 0.5]

    found = Found(evaluations=tuple(Evaluation(arch=a, score=s) for a, s in zip(archs, scores, strict=True)))

    assert [e.arch for e in found.ranked] == [archs[2], archs[0], archs[3]]


def test_failed_candidates_are_kept_and_never_become_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = []
    mutated = Evolution._mutated

    def noted(self: Evolution, parent: Arch) -> Arch:
        parents.append(parent)
        return mutated(self, parent)

    monkeypatch.setattr(Evolution, "_mutated", noted)

    def often_fails(arch: Arch) -> Evaluation:
        fails = arch["f"] % 5 < 3
        return Evaluation(arch=arch, score=math.nan if fails else score(arch), reason="it broke" if fails else "")

    found = search(evolution(random_share=0.1), often_fails)

    failed = {e.arch for e in found.evaluations if e.failed}
    assert 20 < len(failed) < 100
    assert parents
    assert not failed & set(parents)
    assert {e.reason for e in found.evaluations if e.failed} == {"it broke"}


def test_a_search_in_which_everything_fails_ends_with_no_ranking() -> None:
    found = search(evolution(), lambda arch: Evaluation(arch=arch, score=math.nan, reason="no"))

    assert len(found.evaluations) == 100
    assert found.ranked == []


def test_the_parents_are_the_best_of_everything_so_far() -> None:
    strategy = evolution(size=10, random_share=0.0, generations=2)
    first = strategy.ask()
    strategy.tell([evaluate(arch) for arch in first])
    best = max(first, key=score)
    strategy.tell([Evaluation(arch=arch, score=0.0) for arch in first if arch != best])
    strategy.tell([Evaluation(arch=best, score=1.0)])

    children = strategy.ask()

    steps = {"e": 1, "h": 1, "f": 2}  # by which a child may differ from its parent
    for child in children:
        for choice in SPACE.choices:
            places = [choice.values.index(arch[choice.name]) for arch in (child, best)]
            assert abs(places[0] - places[1]) <= steps[choice.name]


def test_what_is_known_is_told_but_not_evaluated_again() -> None:
    whole = search(evolution(), evaluate)
    known = {e.arch: e for e in whole.evaluations[:30]}
    counted, told = Counted(), []

    again = search(evolution(), counted, known=known, told=told.append)

    assert again == whole
    assert counted.seen == [e.arch for e in whole.evaluations[30:]]
    assert tuple(told) == whole.evaluations


@pytest.mark.parametrize("at", [0, 1, 25, 60])
def test_a_search_that_was_interrupted_resumes_to_the_identical_result(tmp_path: Path, at: int) -> None:
    def fails_sometimes(arch: Arch) -> Evaluation:
        return Evaluation(arch=arch, score=math.nan, reason="no") if arch["f"] % 7 == 0 else evaluate(arch)

    whole = search(evolution(), fails_sometimes)
    first, second = Counted(fails_sometimes, breaks_at=at), Counted(fails_sometimes)
    with pytest.raises(KeyboardInterrupt), open_study(tmp_path / "study", "one") as study:
        search(evolution(), study.keep(first), known=study.known)

    with open_study(tmp_path / "study", "one") as study:
        found = search(evolution(), study.keep(second), known=study.known)

    assert [str(e) for e in found.evaluations] == [str(e) for e in whole.evaluations]  # NaN differs from itself
    assert first.seen + second.seen == [e.arch for e in whole.evaluations]


def test_a_study_of_something_else_is_refused(tmp_path: Path) -> None:
    with open_study(tmp_path / "study", "one"):
        pass

    with (
        pytest.raises(InputError, match="another supermodel, backend or data set"),
        open_study(tmp_path / "study", "two"),
    ):
        pass


def test_two_searches_cannot_share_a_study_at_once(tmp_path: Path) -> None:
    with open_study(tmp_path / "study", "one"), pytest.raises(Busy), open_study(tmp_path / "study", "one"):
        pass
