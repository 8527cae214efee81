"""Which architectures to measure: the ends of the space, and the rest spread evenly between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import qmc

from bigfast.errors import InputError
from bigfast.space import Arch, Space

LEAST = 12


def spread(space: Space, count: int, *, rng: np.random.Generator) -> tuple[Arch, ...]:
    """Distinct architectures that fill a space: its smallest, its largest, and points of a scrambled Halton sequence.

    Args:
        space: Where from.
        count: How many; fewer are returned where the space has fewer.
        rng: Scrambles the sequence.

    Raises:
        InputError: fewer were asked for than a predictor can be fitted and judged on.
    """
    if count < LEAST:
        raise InputError(f"A profile needs at least {LEAST} architectures to fit and judge a predictor, not {count}")
    wanted = min(count, space.size)
    chosen = dict.fromkeys((space.smallest, space.largest))
    sequence = qmc.Halton(len(space.choices), rng=rng)
    sizes = np.array([len(choice.values) for choice in space.choices])
    while len(chosen) < wanted:
        for point in sequence.random(wanted):
            indices = np.minimum((point * sizes).astype(int), sizes - 1)
            row = [choice.values[index] for choice, index in zip(space.choices, indices, strict=True)]
            chosen[space.arch(row)] = None
            if len(chosen) == wanted:
                break
    return tuple(chosen)


def nearest_middle(space: Space, archs: Sequence[Arch]) -> int:
    """The place of the architecture that is nearest the middle of a space: a good drift meter."""
    wanted = space.row(middle(space))
    return int(np.argmin([np.abs(space.row(arch) / wanted - 1).sum() for arch in archs]))


def middle(space: Space) -> Arch:
    """The architecture in the middle of every choice."""
    return space.arch([choice.values[len(choice.values) // 2] for choice in space.choices])
