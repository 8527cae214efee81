"""Reading a run's directory, finished or not: what is there, what is missing, what cannot be read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bigfast.cpu import Machine
from bigfast.errors import InputError
from bigfast.profile import Profile, load_profile
from bigfast.report.documents import (
    BackendsDocument,
    Config,
    LimitFound,
    ModelDocument,
    RunDocument,
    SearchDocument,
    StagesDocument,
    TaskDocument,
)
from bigfast.store import read_json

FORMAT = "bigfast.run"
MODEL_FORMAT = "bigfast.model"
BACKENDS = "backends.json"
SCHEMA_VERSION = 1

T = TypeVar("T")
D = TypeVar("D", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An exported model.

    Attributes:
        path: Relative to the run's directory, with slashes.
        document: What it says of itself.
    """

    path: str
    document: ModelDocument

    def is_for(self, limit: LimitFound) -> bool:
        """Whether it was exported for that limit, which the two files write in different units."""
        limit_ms = self.document.limit_ms
        return limit_ms is not None and math.isclose(limit_ms / 1e3, limit.limit_s, rel_tol=1e-3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """All that a run's directory holds for people; what is None has not been made, or cannot be read.

    Attributes:
        name: Of the directory.
        config: What was asked.
        machine: Where.
        task: Data and teacher.
        profile: Latencies.
        search: Evaluations and winners.
        models: Exported models, strictest limit first.
        stages: Times.
        backends: Every backend side by side, where 'bigfast backends --measure' has left that here.
        missing: Stages that have left nothing yet.
        problems: A sentence for each file that is there and cannot be read.
    """

    name: str
    config: Config
    machine: Machine | None
    task: TaskDocument | None
    profile: Profile | None
    search: SearchDocument | None
    models: tuple[Model, ...]
    stages: StagesDocument | None
    backends: BackendsDocument | None
    missing: tuple[str, ...]
    problems: tuple[str, ...]

    def model_for(self, limit: LimitFound) -> Model | None:
        """The exported model of a limit of the search; None where there is none yet."""
        return next((m for m in self.models if m.is_for(limit)), None)


def read_run(directory: Path) -> Run:
    """Reads what a run has left so far.

    Raises:
        InputError: the directory is not a run's, or its ``run.json`` is of another version.
    """
    if not (directory / "run.json").is_file():
        raise InputError(f"{directory} is not the directory of a run: it has no run.json; make one with 'bigfast run'")
    begun = _document(directory / "run.json", RunDocument)
    if begun.format != FORMAT or begun.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{directory / 'run.json'} has format {begun.format} {begun.schema_version}, and this bigfast reads "
            f"{FORMAT} {SCHEMA_VERSION}: update bigfast, or give the directory of a run"
        )
    problems: list[str] = []

    def maybe(path: Path, read: Callable[[], T]) -> T | None:
        try:
            return read() if path.exists() else None
        except InputError as error:
            problems.append(str(error).replace(f"{directory}/", ""))  # a page travels, and paths tell who made it
            return None

    def document(name: str, kind: type[D]) -> D | None:
        return maybe(directory / name, lambda: _document(directory / name, kind))

    task = document("task.json", TaskDocument)
    search = document("search.json", SearchDocument)
    measured = directory / "profile"
    if begun.config.profile and not measured.exists():
        measured = Path(begun.config.profile)
        if not measured.exists():
            problems.append(
                f"This run used the saved profile {measured}, which is not there: its figures are left out."
            )
    profile = maybe(measured, lambda: load_profile(measured))
    found = sorted((directory / "models").glob("*/bigfast.json"))
    models = [model for path in found if (model := maybe(path, partial(_model, path))) is not None]
    limits = search.limits if search else ()
    exported = bool(models) and all(any(model.is_for(limit) for model in models) for limit in limits)
    machine = maybe(directory / "run.json", lambda: Machine.from_json(begun.machine))
    return Run(
        name=directory.resolve().name,
        config=begun.config,
        machine=machine or (profile.machine if profile else None),
        task=task,
        profile=profile,
        search=search,
        models=tuple(sorted(models, key=lambda model: model.document.limit_ms or float("inf"))),
        stages=document("stages.json", StagesDocument),
        backends=document(BACKENDS, BackendsDocument),
        missing=_missing(directory, begun.config, exported=exported),
        problems=tuple(problems),
    )


def _missing(directory: Path, config: Config, *, exported: bool) -> tuple[str, ...]:
    made = {
        "data and teacher": (directory / "task.json").exists(),
        "profile": config.profile is not None or (directory / "profile").exists(),
        "supermodel": (directory / "supermodel").exists(),
        "search": (directory / "search.json").exists(),
        "promise and export": exported,
    }
    return tuple(name for name, done in made.items() if not done)


def _model(path: Path) -> Model:
    document = _document(path, ModelDocument)
    if document.format != MODEL_FORMAT:
        raise InputError(f"{path} is of format {document.format!r}, not {MODEL_FORMAT}: export the model again")
    return Model(path=f"models/{path.parent.name}", document=document)


def _document(path: Path, kind: type[D]) -> D:
    content: dict[str, Any] = read_json(path)  # Any: checked in the next line
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path} is wrong at {where!r}: {first['msg']}") from error
