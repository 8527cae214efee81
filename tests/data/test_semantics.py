"""The rules of the synthetic task against worlds that are listed one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bigfast.data.semantics import (
    CONTRADICTION,
    ENTAILMENT,
    EVERY,
    NAMED,
    NEUTRAL,
    NO,
    NOT_EVERY,
    SOME,
    Claim,
    Order,
    judge,
)

Person = frozenset[str]  # the words that are true of an individual

ANIMALS = ((), ("dog",), ("dog", "poodle"))
MOVES = ((), ("moving",), ("moving", "running"))
SIZES = ((), ("small",), ("large",))
KINDS = ((), ("dog",), ("bird",))


def holds(claim: Claim, people: tuple[Person, ...], ann: Person) -> bool:
    """The claim by its meaning in words, in a world of these people, one of whom is Ann."""
    if claim.quantifier == NAMED:
        return ann.issuperset(claim.predicate) != claim.negated
    among = [person.issuperset(claim.predicate) for person in people if person.issuperset(claim.subject)]
    meaning = {
        EVERY: all(among),
        NO: not any(among),
        NOT_EVERY: not all(among),
        SOME: not all(among) if claim.negated else any(among),
    }
    return bool(among) and meaning[claim.quantifier]


def worlds(first: tuple[tuple[str, ...], ...], second: tuple[tuple[str, ...], ...]) -> Iterator[tuple[object, ...]]:
    """Every set of kinds of people that may exist, and every kind that Ann may be of."""
    kinds = [frozenset(a + b) for a, b in product(first, second)]
    for chosen in product((False, True), repeat=len(kinds)):
        people = tuple(kind for kind, there in zip(kinds, chosen, strict=True) if there)
        yield from ((people, ann) for ann in people)


def all_claims(subjects: tuple[str, ...], predicates: tuple[str, ...]) -> list[Claim]:
    forms = ((EVERY, False), (SOME, False), (SOME, True), (NO, False), (NOT_EVERY, False))
    general = [Claim(q, (s,), (p,), n) for (q, n), s, p in product(forms, subjects, predicates)]
    said = [*((word,) for word in subjects + predicates), (predicates[0], subjects[0])]
    return general + [Claim(NAMED, ("ann",), words, negated) for words, negated in product(said, (False, True))]


@pytest.mark.parametrize(
    ("first", "second", "subjects", "predicates"),
    [(ANIMALS, MOVES, ("dog", "poodle"), ("moving", "running")), (KINDS, SIZES, ("dog", "bird"), ("small", "large"))],
)
def test_judgement_is_what_every_world_says(
    first: tuple[tuple[str, ...], ...],
    second: tuple[tuple[str, ...], ...],
    subjects: tuple[str, ...],
    predicates: tuple[str, ...],
) -> None:
    listed = list(worlds(first, second))
    claims = all_claims(subjects, predicates)
    true = {claim: np.array([holds(claim, *world) for world in listed]) for claim in claims}  # type: ignore[arg-type]
    exists = {s: np.array([any(s in person for person in world[0]) for world in listed]) for s in subjects}  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)

    wrong = []
    for _ in range(4_000):
        one, two, goal = (claims[i] for i in rng.integers(len(claims), size=3))
        possible = true[one] & true[two]
        for word in goal.subject:
            possible = possible & exists.get(word, True)
        expected = (
            None
            if not possible.any()
            else ENTAILMENT
            if true[goal][possible].all()
            else NEUTRAL
            if true[goal][possible].any()
            else CONTRADICTION
        )
        if judge((one, two), goal) != expected:
            wrong.append((one, two, goal, expected))

    assert wrong == []


def closed_judgement(facts: list[Order], goal: Order) -> int | None:
    """The same by transitive closure: a set of comparisons is impossible if a cycle has a strict step."""

    def possible(orders: list[Order]) -> bool:
        at_least = np.eye(8, dtype=bool)
        strict = np.zeros((8, 8), dtype=bool)
        for _, above, below, negated in orders:
            i, j = int(above), int(below)
            if negated:
                at_least[j, i] = True
            else:
                at_least[i, j] = strict[i, j] = True
        for k in range(8):
            at_least |= np.outer(at_least[:, k], at_least[k])
        return not (strict & at_least.T).any()

    if not possible(facts):
        return None
    if not possible([*facts, goal]):
        return CONTRADICTION
    return NEUTRAL if possible([*facts, goal._replace(negated=not goal.negated)]) else ENTAILMENT


def test_orders_are_judged_as_by_transitive_closure() -> None:
    rng = np.random.default_rng(1)
    wrong = []
    for _ in range(3_000):
        orders = []
        for _ in range(1 + rng.integers(4)):
            above, below = rng.choice(4, size=2, replace=False)
            orders.append(Order("older", str(above), str(below), bool(rng.random() < 0.3)))
        if judge(orders[1:], orders[0]) != closed_judgement(orders[1:], orders[0]):
            wrong.append(orders)

    assert wrong == []


def test_facts_beside_the_point_change_nothing() -> None:
    fact, goal = Claim(EVERY, ("dog",), ("moving",)), Claim(SOME, ("poodle",), ("moving",))
    beside = Order("older", "ann", "bob")

    assert judge([fact, beside], goal) == judge([fact], goal) == ENTAILMENT


def test_another_scale_says_nothing() -> None:
    assert judge([Order("taller", "ann", "bob")], Order("older", "ann", "bob")) == NEUTRAL


@pytest.mark.parametrize("goal", [Claim(NAMED, ("ann",), ("dog",)), Order("older", "ann", "bob")])
def test_premise_that_cannot_be_true_has_no_judgement(goal: Claim | Order) -> None:
    impossible = [Claim(NAMED, ("bob",), ("poodle",)), Claim(NAMED, ("bob",), ("heron",))]

    assert judge(impossible, goal) is None
    assert judge([Order("taller", "ann", "bob"), Order("taller", "bob", "ann")], goal) is None
