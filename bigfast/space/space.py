"""Named choices and their combinations, knowing nothing of what is built from them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bigfast.errors import InputError

IntArray = npt.NDArray[np.int64]

ENUMERATE_AT_MOST = 1_000_000
_PAIR = re.compile(r"([A-Za-z_]\w*)=(-?\d+)")


@dataclass(frozen=True, slots=True)
class Arch:
    """One point of a space: readable, hashable, and ordered as its space orders its choices."""

    values: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, **values: int) -> Arch:
        """An architecture from its choices by name: ``Arch.of(e=4, h=312, f=512)``."""
        return cls(tuple((name, int(value)) for name, value in values.items()))

    @classmethod
    def parse(cls, text: str) -> Arch:
        """The inverse of ``str``: ``"e=4 h=312 f=512"``, separated by spaces or commas.

        Raises:
            InputError: the text is not of that form.
        """
        parts = [part for part in re.split(r"[,\s]+", text.strip()) if part]
        pairs = [_PAIR.fullmatch(part) for part in parts]
        if not parts or not all(pairs):
            raise InputError(f"An architecture is written like 'e=4 h=312 f=512', but this one is {text!r}")
        return cls(tuple((pair[1], int(pair[2])) for pair in pairs if pair))

    def __getitem__(self, name: str) -> int:
        for key, value in self.values:
            if key == name:
                return value
        raise KeyError(name)

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.values)


@dataclass(frozen=True, slots=True)
class Choice:
    """One integer choice and the values that it may take, ascending."""

    name: str
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.values or list(self.values) != sorted(set(self.values)):
            raise InputError(f"Choice {self.name!r} needs ascending values without repeats, not {self.values}")


@dataclass(frozen=True, slots=True)
class Space:
    """Every combination of some named choices."""

    name: str
    choices: tuple[Choice, ...]

    @property
    def size(self) -> int:
        """How many architectures there are."""
        return math.prod(len(choice.values) for choice in self.choices)

    @property
    def smallest(self) -> Arch:
        """Every choice at its lowest value."""
        return Arch(tuple((choice.name, choice.values[0]) for choice in self.choices))

    @property
    def largest(self) -> Arch:
        """Every choice at its highest value."""
        return Arch(tuple((choice.name, choice.values[-1]) for choice in self.choices))

    def enumerate(self) -> IntArray:
        """All architectures, shape (size, choices), int64, the last choice running fastest.

        Raises:
            InputError: there are more than a million.
        """
        if self.size > ENUMERATE_AT_MOST:
            raise InputError(f"Space {self.name!r} has {self.size:,} architectures, too many to list: sample it")
        grids = np.meshgrid(*(np.array(choice.values, dtype=np.int64) for choice in self.choices), indexing="ij")
        return np.stack([grid.ravel() for grid in grids], axis=1)

    def sample(self, rng: np.random.Generator) -> Arch:
        """One architecture, each choice uniform and on its own."""
        return Arch(tuple((choice.name, int(rng.choice(choice.values))) for choice in self.choices))

    def neighbours(self, arch: Arch) -> Iterator[Arch]:
        """The architectures that differ by one step in one choice."""
        for place, choice in enumerate(self.choices):
            index = choice.values.index(arch[choice.name])
            for step in (-1, 1):
                if 0 <= index + step < len(choice.values):
                    changed = list(arch.values)
                    changed[place] = (choice.name, choice.values[index + step])
                    yield Arch(tuple(changed))

    def arch(self, row: npt.ArrayLike) -> Arch:
        """The architecture of one row of ``enumerate``."""
        values = np.asarray(row).tolist()
        return Arch(tuple((choice.name, int(value)) for choice, value in zip(self.choices, values, strict=True)))

    def row(self, arch: Arch) -> IntArray:
        """An architecture as a row of ``enumerate``, shape (choices,)."""
        return np.array([arch[choice.name] for choice in self.choices], dtype=np.int64)

    def __contains__(self, arch: object) -> bool:
        return (
            isinstance(arch, Arch)
            and len(arch.values) == len(self.choices)
            and all(
                name == choice.name and value in choice.values
                for (name, value), choice in zip(arch.values, self.choices, strict=True)
            )
        )

    def require(self, arch: Arch) -> Arch:
        """The same architecture, once it is known to be of this space.

        Raises:
            InputError: it is not, with the ranges that would be.
        """
        if arch not in self:
            ranges = ", ".join(f"{c.name} of {c.values[0]}..{c.values[-1]}" for c in self.choices)
            raise InputError(f"{arch} is not in space {self.name!r}, which has {ranges} in steps")
        return arch
