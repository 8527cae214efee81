"""What is timed: a model, on a backend with its threads, on inputs of a size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bigfast.backend import parse_backend, variant_name
from bigfast.errors import InputError
from bigfast.space import BertShape

_PLACE = re.compile(r"(\d{1,4})(?:x(\d{1,4}))?")


def threads_in_words(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} thread{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Of the inputs: ``batch`` texts of ``length`` tokens each, none of them padding."""

    batch: int = 1
    length: int = 128

    def __post_init__(self) -> None:
        for name in ("batch", "length"):
            if getattr(self, name) < 1:
                raise InputError(f"A measurement needs {name} of at least 1, not {getattr(self, name)}")

    def __str__(self) -> str:
        texts = "" if self.batch == 1 else f"{self.batch} texts of "
        return f"{texts}{self.length} tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How a model is served: its text form is ``torch-int8:engine=x86@2x4``, and names the rows of a profile.

    Attributes:
        backend: The backend's name.
        options: Its variant, as sorted pairs.
        threads: Of one worker's runtime.
        concurrent: Workers that answer at the same time, each with its threads.
    """

    backend: str
    options: tuple[tuple[str, str], ...] = ()
    threads: int = 1
    concurrent: int = 1

    def __post_init__(self) -> None:
        for name in ("threads", "concurrent"):
            if getattr(self, name) < 1:
                raise InputError(f"A measurement needs {name} of at least 1, not {getattr(self, name)}")

    @classmethod
    def of(cls, backend: str, options: Mapping[str, str], *, threads: int = 1, concurrent: int = 1) -> Self:
        """One from a backend's options in any order."""
        return cls(backend=backend, options=tuple(sorted(options.items())), threads=threads, concurrent=concurrent)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``; what is left out after ``@`` is 1.

        Raises:
            InputError: it is not of the form NAME[:OPTIONS][@THREADS[xWORKERS]].
        """
        name, at, place = text.partition("@")
        found = _PLACE.fullmatch(place) if at else None
        if at and found is None:
            raise InputError(f"Threads and workers are written like torch-int8@2 or torch-int8@2x4, not {text!r}")
        backend, options = parse_backend(name)
        threads, concurrent = (int(part or 1) for part in (found.groups() if found else ("1", "1")))
        return cls.of(backend, options, threads=threads, concurrent=concurrent)

    @property
    def variant(self) -> str:
        """Its options in one word."""
        return variant_name(dict(self.options))

    @property
    def cores(self) -> int:
        """How many cores it keeps busy."""
        return self.threads * self.concurrent

    def __str__(self) -> str:
        workers = "" if self.concurrent == 1 else f"x{self.concurrent}"
        return f"{self.backend}:{self.variant}@{self.threads}{workers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to be timed.

    Attributes:
        deployment: On what.
        size: Of the inputs.
        label: What the model is called, such as its architecture.
        shape: The sizes of a model with random weights, or None where ``model`` is given.
        model: A stock directory, or None where ``shape`` is given.
    """

    deployment: Deployment
    size: Size = Size()
    label: str
    shape: BertShape | None = None
    model: Path | None = None

    def __post_init__(self) -> None:
        if (self.shape is None) == (self.model is None):
            raise InputError(f"Subject {self.label!r} needs either a shape or a model's directory")

    def request(self, key: int, seed: int) -> dict[str, Any]:
        """What the child is asked to load."""
        return {
            "do": "load",
            "key": key,
            "seed": seed,
            "batch": self.size.batch,
            "length": self.size.length,
            "shape": None if self.shape is None else asdict(self.shape),
            "model": None if self.model is None else str(self.model),
        }
