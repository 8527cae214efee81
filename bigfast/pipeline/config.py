"""What the user asks of a run: the command line's options, or a TOML file of the same names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bigfast.errors import InputError, UnknownName

DEFAULT_BACKENDS = ("torch-fp32", "torch-int8", "onnxruntime-fp32", "onnxruntime-int8")
SYNTHETIC = "synthetic"
DEFAULT_SHARES = (0.4, 0.7)  # of the largest architecture's latency: limits that bind on any machine

Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RunConfig(BaseModel):
    """One run. Equal configurations give equal plans; a directory keeps to the one it was begun with.

    Attributes:
        data: ``synthetic``, ``synthetic:SEED``, a directory, or ``hf:REPOSITORY:CONFIG``.
        text_columns: One or two columns of text; None means the first known ones.
        label_column: The column of labels; None means ``label``.
        teacher: A directory or hub id; None only for synthetic data, whose teacher is trained in the run.
        space: ``teacher``, ``paper`` or ``aligned``.
        start: ``teacher`` cuts the supermodel from the teacher, ``scratch`` begins at random.
        backend: The one to deploy on, with options if any; ``auto`` takes the fastest int8 of the profile.
        backends: What is profiled.
        latency_ms: Limits on the median latency; empty means 40 % and 70 % of the largest architecture's.
        length: Tokens of a timed text; None means the 95th percentile of the data's.
        threads: Of the timed runtime; None means 1, or the fewest that the saved profile has.
        batch: Texts of a timed call; None means 1, or the first that the saved profile has.
        profile: A saved profile to use instead of measuring.
        architectures: How many to measure; None means as many as the time allows.
        minutes: For everything together.
        generations: Of the search.
        population: Children of a generation.
        seed: Of everything random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = SYNTHETIC
    text_columns: tuple[str, ...] | None = None
    label_column: str | None = None
    teacher: str | None = None
    space: str = "teacher"
    start: str = "teacher"
    backend: str = "auto"
    backends: tuple[str, ...] = DEFAULT_BACKENDS
    latency_ms: tuple[Limit, ...] = ()
    length: Annotated[int, Field(ge=2)] | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    batch: Annotated[int, Field(ge=1)] | None = None
    profile: str | None = None
    architectures: Annotated[int, Field(ge=12)] | None = None
    minutes: Annotated[float, Field(gt=0)] = 8.0
    generations: Annotated[int, Field(ge=1)] = 4
    population: Annotated[int, Field(ge=1)] = 25
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def is_synthetic(self) -> bool:
        """Whether the embedded task is used."""
        return self.data == SYNTHETIC or self.data.startswith(f"{SYNTHETIC}:")


def checked_config(values: dict[str, Any], *, source: str) -> RunConfig:
    """A configuration from values by name.

    Args:
        values: As in TOML or JSON.
        source: What the error names.

    Raises:
        InputError: a name is unknown or a value wrong.
    """
    for name in values:
        if name not in RunConfig.model_fields:
            raise UnknownName(f"option in {source}", name, RunConfig.model_fields)
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{source}: {name!r} is wrong: {first['msg']} (given: {first['input']!r})") from error
    if config.start not in ("teacher", "scratch"):
        raise InputError(f"{source}: 'start' must be teacher or scratch, not {config.start!r}")
    if config.teacher is None and not config.is_synthetic:
        raise InputError(
            f"{source}: data {config.data!r} needs a teacher, a BERT classifier fine-tuned on the task: "
            "give --teacher DIR-or-hub-id, or make one with 'bigfast teach'"
        )
    return config.model_copy(update={name: _located(getattr(config, name)) for name in ("data", "teacher", "profile")})


def _located(source: str | None) -> str | None:
    """A local directory by its whole path, so that a run can be resumed from anywhere; other sources as they are."""
    return str(Path(source).resolve()) if source is not None and Path(source).is_dir() else source


def read_config(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        InputError: it is missing or no TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise InputError(f"There is no configuration {path}: give a TOML file, or options alone") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not a readable TOML file: {error}") from error
