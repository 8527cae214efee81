"""What follows from what: claims about sets, individuals and orders, decided by looking for a world.

A premise entails a hypothesis if no possible world has the premise true and the hypothesis false; it
contradicts it if none has both true. The claims are monadic, so that all that matters of a world is
which kinds of individual it holds (a kind is a consistent choice of true words) and of which kind each
name is. Everything that a quantifier speaks of exists: "every dog" says that there is a dog.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

from bigfast.data.lexicon import APART, AROUND, RELATIONS, WITHIN

ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2

EVERY, SOME, NO, NOT_EVERY, NAMED = "every", "some", "no", "not every", "named"
NOTHING, SOMETHING = "nothing", "something"


class Claim(NamedTuple):
    """A quantifier's claim about sets, or a claim about a named individual.

    Attributes:
        quantifier: EVERY, SOME, NO, NOT_EVERY, or NAMED.
        subject: Words that are all true of the subject; of NAMED, the one name.
        predicate: Words that are all said to be true.
        negated: Whether the predicate is denied; only of SOME and NAMED.
    """

    quantifier: str
    subject: tuple[str, ...]
    predicate: tuple[str, ...]
    negated: bool = False


class Order(NamedTuple):
    """One name stands above another on a scale, or (negated) does not; ties are possible."""

    scale: str
    above: str
    below: str
    negated: bool = False


def judge(premise: Sequence[Claim | Order], hypothesis: Claim | Order) -> int | None:
    """ENTAILMENT, NEUTRAL or CONTRADICTION; None if the premise cannot be true."""
    claims = tuple(fact for fact in premise if isinstance(fact, Claim))
    orders = tuple(fact for fact in premise if isinstance(fact, Order))
    if isinstance(hypothesis, Order):
        same = tuple(fact for fact in orders if fact.scale == hypothesis.scale)
        rest = tuple(fact for fact in orders if fact.scale != hypothesis.scale)
        possible = _claims_possible(claims) and _orders_possible(rest)
        return _judge_orders(same, hypothesis) if possible else None
    return _judge_claims(claims, hypothesis) if _orders_possible(orders) else None


# Claims: kinds of individual are numbered, and a set of kinds is an integer with a bit for each.


def _claims_possible(claims: tuple[Claim, ...]) -> bool:
    return not claims or _judge_claims(claims, claims[0]) is not None


def _judge_claims(premise: tuple[Claim, ...], hypothesis: Claim) -> int | None:
    # Only the pattern matters, so words become numbers and thousands of pairs share one decision.
    words: dict[str, int] = {}
    names: dict[str, int] = {}
    pattern = []
    for quantifier, subject, predicate, negated in (*premise, hypothesis):
        numbers = names if quantifier == NAMED else words
        subject_numbers = tuple([numbers.setdefault(word, len(numbers)) for word in subject])
        predicate_numbers = tuple([words.setdefault(word, len(words)) for word in predicate])
        pattern.append((quantifier, subject_numbers, predicate_numbers, negated))
    relations = [
        (i, j, relation) for (a, i), (b, j) in combinations(words.items(), 2) if (relation := RELATIONS.get((a, b)))
    ]
    return _decide(tuple(pattern), len(words), tuple(relations))


def _kinds(count: int, relations: tuple[tuple[int, int, str], ...]) -> list[int]:
    """All consistent choices of true words, each an integer with a bit for every word."""
    rules = [  # (words that are in question, the combination of them that cannot be)
        (1 << i | 1 << j, {WITHIN: 1 << i, AROUND: 1 << j, APART: 1 << i | 1 << j}[relation])
        for i, j, relation in relations
    ]
    return [kind for kind in range(1 << count) if all(kind & pair != never for pair, never in rules)]


@lru_cache(maxsize=1 << 16)
def _decide(
    pattern: tuple[tuple[str, tuple[int, ...], tuple[int, ...], bool], ...],
    count: int,
    relations: tuple[tuple[int, int, str], ...],
) -> int | None:
    kinds = _kinds(count, relations)
    everything = (1 << len(kinds)) - 1

    def those(words: tuple[int, ...]) -> int:
        wanted = sum(1 << word for word in words)
        return sum(1 << n for n, kind in enumerate(kinds) if kind & wanted == wanted)

    # A claim is one literal: no individual is of these kinds, one is, or the one of this name is.
    literals: list[tuple[str | int, int]] = []
    existing: list[tuple[str | int, int]] = []
    for quantifier, subject, predicate, negated in pattern:
        said = everything ^ those(predicate) if negated else those(predicate)
        if quantifier == NAMED:
            literals.append((subject[0], said))
            continue
        among = those(subject)
        existing.append((SOMETHING, among))
        sign = NOTHING if quantifier in (EVERY, NO) else SOMETHING
        literals.append((sign, among & ~said if quantifier in (EVERY, NOT_EVERY) else among & said))
    premise, (sign_or_name, concerned) = existing + literals[:-1], literals[-1]
    if not _satisfiable(premise):
        return None
    if not _satisfiable([*premise, (sign_or_name, concerned)]):
        return CONTRADICTION
    if isinstance(sign_or_name, str):
        denial: tuple[str | int, int] = (NOTHING if sign_or_name == SOMETHING else SOMETHING, concerned)
    else:
        denial = (sign_or_name, everything ^ concerned)
    return NEUTRAL if _satisfiable([*premise, denial]) else ENTAILMENT


def _satisfiable(literals: list[tuple[str | int, int]]) -> bool:
    allowed = -1
    for sign, kinds in literals:
        if sign == NOTHING:
            allowed &= ~kinds
    homes: dict[int, int] = {}
    for sign, kinds in literals:
        if sign == SOMETHING and not kinds & allowed:
            return False
        if isinstance(sign, int):
            homes[sign] = homes.get(sign, allowed) & kinds
            if not homes[sign]:
                return False
    return True


# Orders: a world gives each name a rank.


def _orders_possible(orders: tuple[Order, ...]) -> bool:
    scales = {fact.scale for fact in orders}
    return all(_possible(_ranked(tuple(fact for fact in orders if fact.scale == scale))) for scale in scales)


def _judge_orders(premise: tuple[Order, ...], hypothesis: Order) -> int | None:
    denial = hypothesis._replace(negated=not hypothesis.negated)
    if not _possible(_ranked(premise)):
        return None
    if not _possible(_ranked((*premise, hypothesis))):
        return CONTRADICTION
    return NEUTRAL if _possible(_ranked((*premise, denial))) else ENTAILMENT


def _ranked(orders: tuple[Order, ...]) -> tuple[tuple[int, int, bool], ...]:
    numbers: dict[str, int] = {}
    return tuple(
        [
            (numbers.setdefault(fact.above, len(numbers)), numbers.setdefault(fact.below, len(numbers)), fact.negated)
            for fact in orders
        ]
    )


@lru_cache(maxsize=1 << 14)
def _possible(orders: tuple[tuple[int, int, bool], ...]) -> bool:
    count = 1 + max((name for above, below, _ in orders for name in (above, below)), default=0)
    return any(
        all((ranks[above] > ranks[below]) != negated for above, below, negated in orders)
        for ranks in product(range(count), repeat=count)
    )
