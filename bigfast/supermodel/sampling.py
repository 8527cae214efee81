"""Which sub-models a training step draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bigfast.errors import UnknownName
from bigfast.space import Arch, Space

Draw = Callable[[Space, int, np.random.Generator], list[Arch]]


def uniform(space: Space, count: int, rng: np.random.Generator) -> list[Arch]:
    """Each on its own, every choice uniform: the paper's scheme (section 3.3)."""
    return [space.sample(rng) for _ in range(count)]


def sandwich(space: Space, count: int, rng: np.random.Generator) -> list[Arch]:
    """The largest, the smallest, and the rest at random (Yu & Huang 2019); of one draw, either end or neither."""
    if count == 1:
        return [[space.largest, space.smallest, space.sample(rng)][int(rng.integers(3))]]
    return [space.largest, space.smallest, *uniform(space, count - 2, rng)]


def ends(space: Space, count: int, rng: np.random.Generator) -> list[Arch]:
    """One end of the space, largest or smallest, and the rest at random: the sandwich at half of its price.

    A supermodel that starts as its teacher has its largest architecture ready, and needs it only now and
    then to stay so; what costs most is then not trained in every step.
    """
    return [space.largest if rng.random() < 0.5 else space.smallest, *uniform(space, count - 1, rng)]


SAMPLINGS: dict[str, Draw] = {"ends": ends, "sandwich": sandwich, "uniform": uniform}


def sampling_named(name: str) -> Draw:
    """The sampling of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in SAMPLINGS:
        raise UnknownName("sampling", name, SAMPLINGS)
    return SAMPLINGS[name]
