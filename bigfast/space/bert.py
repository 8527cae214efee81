"""The spaces of BERT encoders that ship, and the stock configuration of each of their points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigfast.errors import InputError, UnknownName
from bigfast.space.space import Arch, Choice, Space

SPACE_NAMES = ("aligned", "paper", "teacher")

LEAST_HEAD_SIZE = 10
LEAST_FFN = 128
FFN_STEP = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BertShape:
    """Everything that fixes the sizes of a stock BERT sequence classifier."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    vocab: int
    positions: int
    types: int = 2
    labels: int = 3

    def __post_init__(self) -> None:
        for name in ("layers", "hidden", "ffn", "heads", "vocab", "positions", "types", "labels"):
            if getattr(self, name) < 1:
                raise InputError(f"A BERT needs {name} of at least 1, not {getattr(self, name)}")
        if self.hidden % self.heads:
            raise InputError(f"A BERT needs a hidden size that its {self.heads} heads divide, not {self.hidden}")

    @property
    def head_size(self) -> int:
        """Dimensions of one attention head."""
        return self.hidden // self.heads


@dataclass(frozen=True, slots=True, kw_only=True)
class BertSpace:
    """A space over e (layers), h (hidden size) and f (feed-forward size), and what fixes the heads.

    Either all of its architectures have the same number of heads, or all have the same head size.
    """

    space: Space
    heads: int | None = None
    head_size: int | None = None

    def __post_init__(self) -> None:
        if (self.heads is None) == (self.head_size is None):
            raise InputError(f"Space {self.space.name!r} needs either a number of heads or a head size")
        for name in ("heads", "head_size"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(f"Space {self.space.name!r} needs {name} as a whole number from 1, not {value!r}")
        if [choice.name for choice in self.space.choices] != ["e", "h", "f"]:
            raise InputError(f"Space {self.space.name!r} needs the choices e, h and f, in this order")

    def shape(self, arch: Arch, *, vocab: int, positions: int, labels: int, types: int = 2) -> BertShape:
        """The stock shape of one architecture.

        Raises:
            InputError: the architecture is not in the space.
        """
        self.space.require(arch)
        return BertShape(
            layers=arch["e"],
            hidden=arch["h"],
            ffn=arch["f"],
            heads=self.heads if self.heads is not None else arch["h"] // (self.head_size or 1),
            vocab=vocab,
            positions=positions,
            types=types,
            labels=labels,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible description, from which ``from_json`` makes the same space."""
        return {
            "name": self.space.name,
            "choices": {choice.name: list(choice.values) for choice in self.space.choices},
            "heads": self.heads,
            "head_size": self.head_size,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> BertSpace:
        """The inverse of ``to_json``.

        Raises:
            InputError: the value does not describe a space.
        """
        try:
            choices = tuple(
                Choice(str(name), tuple(int(v) for v in values)) for name, values in value["choices"].items()
            )
            return cls(
                space=Space(str(value["name"]), choices), heads=value.get("heads"), head_size=value.get("head_size")
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"This does not describe a space (name, choices, heads or head_size): {error}") from error


def paper_space() -> BertSpace:
    """The paper's 14,250 architectures with 12 heads (section 3.2; see Table 1).

    The printed conditions do not give that number; these values do: 5 x 38 x 75.
    """
    choices = (
        Choice("e", tuple(range(1, 6))),
        Choice("h", tuple(range(120, 565, 12))),
        Choice("f", tuple(range(128, 1017, 12))),
    )
    return BertSpace(space=Space("paper", choices), heads=12)


def aligned_space() -> BertSpace:
    """Sizes that fill vector registers: heads of 32 dimensions, f in steps of 64."""
    choices = (
        Choice("e", tuple(range(1, 6))),
        Choice("h", tuple(range(128, 577, 32))),
        Choice("f", tuple(range(128, 1025, 64))),
    )
    return BertSpace(space=Space("aligned", choices), head_size=32)


def teacher_space(teacher: BertShape) -> BertSpace:
    """Everything that can be cut from a teacher: its heads, and head sizes, f and e up to its own.

    Raises:
        InputError: the teacher is smaller than the smallest architecture of such a space.
    """
    if teacher.head_size < LEAST_HEAD_SIZE or teacher.ffn < LEAST_FFN:
        raise InputError(
            f"A teacher space needs a teacher with heads of at least {LEAST_HEAD_SIZE} dimensions and a feed-forward "
            f"size of at least {LEAST_FFN}; this one has {teacher.head_size} and {teacher.ffn}: use --space paper"
        )
    hidden = tuple(teacher.heads * size for size in range(LEAST_HEAD_SIZE, teacher.head_size + 1))
    ffn = tuple(range(LEAST_FFN, teacher.ffn + 1, FFN_STEP))
    if ffn[-1] != teacher.ffn:
        ffn = (*ffn, teacher.ffn)
    choices = (Choice("e", tuple(range(1, teacher.layers + 1))), Choice("h", hidden), Choice("f", ffn))
    return BertSpace(space=Space("teacher", choices), heads=teacher.heads)


def space_named(name: str, *, teacher: BertShape | None = None) -> BertSpace:
    """One of the spaces that ship.

    Raises:
        UnknownName: there is none of that name.
        InputError: ``teacher`` is asked for without a teacher.
    """
    if name == "paper":
        return paper_space()
    if name == "aligned":
        return aligned_space()
    if name == "teacher":
        if teacher is None:
            raise InputError("Space 'teacher' is cut from a teacher: give one with --teacher, or use --space paper")
        return teacher_space(teacher)
    raise UnknownName("space", name, SPACE_NAMES)
