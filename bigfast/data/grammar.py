"""The sentences of the synthetic task: what is drawn at random, and how it is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bigfast.data.lexicon import (
    ABOVE,
    ADJECTIVES,
    ADVERBS,
    BELOW,
    NAMES,
    NOUNS,
    OLDER,
    RANKED,
    VERBS,
    YOUNGER,
    compared,
)
from bigfast.data.semantics import EVERY, NAMED, NO, NOT_EVERY, SOME, Claim, Order, judge

TRIES = 60  # premises for one hypothesis and label, before another hypothesis is drawn
QUANTIFIERS = (EVERY, SOME, NO, NOT_EVERY)

Fact = Claim | Order


class Dice:
    """Cheap draws from a generator: it is asked for many numbers at a time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._drawn: list[float] = []

    def share(self) -> float:
        """A number from [0, 1)."""
        if not self._drawn:
            self._drawn = self._rng.random(1 << 14).tolist()
        return self._drawn.pop()

    def below(self, count: int) -> int:
        """A whole number from [0, count)."""
        return int(self.share() * count)

    def pick(self, words: Sequence[str]) -> str:
        """One of them."""
        return words[self.below(len(words))]

    def shuffled(self, facts: Sequence[Fact]) -> tuple[Fact, ...]:
        """All of them, in random order."""
        return tuple(fact for _, fact in sorted(((self.share(), fact) for fact in facts), key=lambda pair: pair[0]))


# Phrases: a tuple of words, of which all hold.


def _noun_phrase(dice: Dice, noun: str, odds: float) -> tuple[str, ...]:
    return (dice.pick(ADJECTIVES), noun) if dice.share() < odds else (noun,)


def _verb_phrase(dice: Dice, verb: str, odds: float) -> tuple[str, ...]:
    return (verb, dice.pick(ADVERBS)) if dice.share() < odds else (verb,)


def _near(dice: Dice, word: str) -> str:
    """The word itself, one above or below it, or any other."""
    share = dice.share()
    if share < 0.35:
        return word
    if share < 0.6 and ABOVE[word]:
        return dice.pick(ABOVE[word])
    if share < 0.85 and word in BELOW:
        child = dice.pick(BELOW[word])
        return dice.pick(BELOW[child]) if child in BELOW and dice.share() < 0.4 else child
    return dice.pick(NOUNS if word in NOUNS else VERBS)


def _like_noun(dice: Dice, phrase: tuple[str, ...]) -> tuple[str, ...]:
    *adjectives, noun = phrase
    share = dice.share()
    if adjectives and share < 0.6:
        return (adjectives[0], _near(dice, noun))
    return _noun_phrase(dice, _near(dice, noun), 0.15)


def _like_verb(dice: Dice, phrase: tuple[str, ...]) -> tuple[str, ...]:
    verb, *adverbs = phrase
    if adverbs and dice.share() < 0.6:
        return (_near(dice, verb), adverbs[0])
    return _verb_phrase(dice, _near(dice, verb), 0.15)


# One family of hypotheses each, with the premises that may decide it.


def _quantified(dice: Dice, noun: tuple[str, ...], verb: tuple[str, ...]) -> Claim:
    quantifier = dice.pick(QUANTIFIERS)
    return Claim(quantifier, noun, verb, quantifier == SOME and dice.share() < 0.4)


def _sets(dice: Dice) -> Claim:
    return _quantified(dice, _noun_phrase(dice, dice.pick(NOUNS), 0.15), _verb_phrase(dice, dice.pick(VERBS), 0.15))


def _sets_premise(dice: Dice, goal: Claim) -> list[Fact]:
    return [_quantified(dice, _like_noun(dice, goal.subject), _like_verb(dice, goal.predicate))]


def _being(dice: Dice) -> Claim:
    return Claim(NAMED, (dice.pick(NAMES),), _noun_phrase(dice, dice.pick(NOUNS), 0.4), dice.share() < 0.3)


def _being_premise(dice: Dice, goal: Claim) -> list[Fact]:
    return [Claim(NAMED, goal.subject, _like_noun(dice, goal.predicate), dice.share() < 0.25)]


def _doing(dice: Dice) -> Claim:
    return Claim(NAMED, (dice.pick(NAMES),), _verb_phrase(dice, dice.pick(VERBS), 0.15), dice.share() < 0.4)


def _doing_premise(dice: Dice, goal: Claim) -> list[Fact]:
    kind = _noun_phrase(dice, dice.pick(NOUNS), 0.15)
    rule = _quantified(dice, _like_noun(dice, kind), _like_verb(dice, goal.predicate))
    return [Claim(NAMED, goal.subject, kind), rule]


def _picking_premise(dice: Dice, goal: Claim) -> list[Fact]:
    others = [name for name in NAMES if name not in goal.subject]
    return [
        Claim(NAMED, (name,), _like_verb(dice, goal.predicate), dice.share() < 0.4)
        for name in (*goal.subject, dice.pick(others))
    ]


def _older(dice: Dice) -> Claim:
    return Claim(
        dice.pick(QUANTIFIERS), _noun_phrase(dice, dice.pick(NOUNS), 0.3), (compared(dice.pick(NAMES), OLDER),)
    )


def _older_premise(dice: Dice, goal: Claim) -> list[Fact]:
    scale = YOUNGER if dice.share() < 0.3 else OLDER
    name = goal.predicate[0].partition(" ")[0]
    return [Claim(dice.pick(QUANTIFIERS), _like_noun(dice, goal.subject), (compared(name, scale),))]


def _order(dice: Dice) -> Order:
    above = dice.pick(RANKED)
    below = dice.pick([name for name in RANKED if name != above])
    return Order(OLDER, above, below, dice.share() < 0.15)


def _order_premise(dice: Dice, goal: Order) -> list[Fact]:
    # A chain through 0 or 1 other that may turn round or break off.
    others = [name for name in RANKED if name not in (goal.above, goal.below)]
    between = [others.pop(dice.below(len(others))) for _ in range(dice.share() < 0.25)]
    chain = [goal.above, *between, goal.below]
    back = dice.share() < 0.5
    if dice.share() < 0.35:
        chain[dice.below(len(chain))] = others.pop(dice.below(len(others)))
    facts: list[Fact] = []
    for first, second in pairwise(chain):
        above, below = (second, first) if back != (dice.share() < 0.1) else (first, second)
        facts.append(Order(goal.scale, above, below))
    return facts


# Any: the premises of a family are drawn for its own kind of hypothesis alone.
Family = tuple[float, float, Callable[[Dice], Fact], Callable[[Dice, Any], list[Fact]]]

# Of each family: its share, the share of its premises that get a fact beside the point, and its draws. The
# orders of a few names are soon all told, so that only such facts keep a later split as easy as the first.
FAMILIES: tuple[Family, ...] = (
    (0.30, 0.1, _sets, _sets_premise),
    (0.15, 0.1, _being, _being_premise),
    (0.20, 0.1, _doing, _doing_premise),
    (0.15, 0.0, _doing, _picking_premise),
    (0.12, 0.1, _older, _older_premise),
    (0.08, 0.5, _order, _order_premise),
)


# Surface.


def _say(dice: Dice, fact: Fact) -> str:
    if isinstance(fact, Order):
        denied = "not " if fact.negated else ""
        if dice.share() < 0.8:
            return f"{fact.above} is {denied}{OLDER} than {fact.below}"
        return f"{fact.below} is {denied}{YOUNGER} than {fact.above}"
    if fact.predicate[0].endswith(" than"):
        return " ".join((*fact.predicate, fact.quantifier, *fact.subject))
    predicate = " ".join(fact.predicate)
    if fact.quantifier == NAMED and fact.predicate[-1] in NOUNS:
        predicate = f"{'an' if predicate[0] in 'aeiou' else 'a'} {predicate}"
    subject = " ".join(fact.subject if fact.quantifier == NAMED else (fact.quantifier, *fact.subject))
    return f"{subject} is {'not ' if fact.negated else ''}{predicate}"


def _family(dice: Dice) -> int:
    share = dice.share()
    for index, (weight, _, _, _) in enumerate(FAMILIES):
        share -= weight
        if share < 0:
            return index
    return 0


def draw_pair(dice: Dice, label: int) -> tuple[str, str]:
    """A premise and a hypothesis for which the label (a constant of ``semantics``) holds.

    The hypothesis is drawn first and without regard to the label, so that alone it gives little away.
    """
    while True:
        family = _family(dice)
        _, distracted, draw, draw_premise = FAMILIES[family]
        goal = draw(dice)
        for _ in range(TRIES):
            facts = draw_premise(dice, goal)
            if judge(facts, goal) != label:
                continue
            if len(facts) < 3 and dice.share() < distracted:
                facts.append(FAMILIES[(family + 1 + dice.below(len(FAMILIES) - 1)) % len(FAMILIES)][2](dice))
                if judge(facts, goal) != label:
                    continue
            return " and ".join([_say(dice, fact) for fact in dice.shuffled(facts)]), _say(dice, goal)
