"""The words of the synthetic task, and how their meanings lie: one within another, apart, or free."""

from __future__ import annotations

NOUN_TREE: dict[str, tuple[str, ...]] = {
    "animal": ("dog", "bird"),
    "dog": ("poodle", "beagle"),
    "bird": ("robin", "heron"),
}
VERB_TREE: dict[str, tuple[str, ...]] = {
    "moving": ("running", "walking"),
    "resting": ("sitting", "sleeping"),
}
ADJECTIVE_PAIRS: tuple[tuple[str, str], ...] = (("small", "large"), ("happy", "sad"))
ADVERBS = ("outside", "quietly")
NAMES = ("ann", "bob", "carl", "dora", "eve", "fred", "gina", "hugo")
RANKED = NAMES[:4]  # whose ages are compared with each other: few, for to keep names apart is the hardest rule
OLDER, YOUNGER = "older", "younger"


def compared(name: str, scale: str) -> str:
    """What is true of everything that ``name`` is older (or younger) than, as one word."""
    return f"{name} is {scale} than"


def _above(tree: dict[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    parents = {child: parent for parent, children in tree.items() for child in children}
    words = {*tree, *parents}
    above: dict[str, frozenset[str]] = {}
    for word in words:
        chain, at = [], word
        while at in parents:
            at = parents[at]
            chain.append(at)
        above[word] = frozenset(chain)
    return above


NOUNS_ABOVE = _above(NOUN_TREE)
VERBS_ABOVE = _above(VERB_TREE)
NOUNS = tuple(sorted(NOUNS_ABOVE))
VERBS = tuple(sorted(VERBS_ABOVE))
ADJECTIVES = tuple(word for pair in ADJECTIVE_PAIRS for word in pair)
ABOVE = {word: tuple(sorted(words)) for word, words in (NOUNS_ABOVE | VERBS_ABOVE).items()}
BELOW = {**NOUN_TREE, **VERB_TREE}

WITHIN, AROUND, APART = "within", "around", "apart"


def _relations() -> dict[tuple[str, str], str]:
    inside = {(word, above) for word, words in ABOVE.items() for above in words}
    kinds = {(a, b) for a in NOUNS for b in NOUNS if a != b and (a, b) not in inside and (b, a) not in inside}
    pairs = (*ADJECTIVE_PAIRS, *((compared(name, OLDER), compared(name, YOUNGER)) for name in NAMES))
    opposites = {*pairs, *((b, a) for a, b in pairs)}
    return {
        **dict.fromkeys(inside, WITHIN),
        **dict.fromkeys(((b, a) for a, b in inside), AROUND),
        **dict.fromkeys(kinds | opposites, APART),
    }


# How the first word's meaning lies to the second's; words that are not here are free of each other.
# Nouns that are not one within the other are apart, and so are opposites; verbs never are.
RELATIONS = _relations()
