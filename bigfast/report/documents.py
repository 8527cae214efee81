"""The JSON files of a run as values: what is missing in an older or unfinished one has a default, the rest is checked.

Latencies are in seconds but for ``limit_ms``, which a model's own document has in ms.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Seconds = Annotated[FiniteFloat, Field(gt=0, le=1e6)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Name = Annotated[str, Field(max_length=200)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Config(_Document):
    """What was asked of the run."""

    data: str = "unknown data"
    teacher: str | None = None
    space: str = "unknown"
    backend: str = "unknown"
    profile: str | None = None
    length: int | None = None
    threads: int | None = None
    batch: int | None = None
    minutes: FiniteFloat | None = None
    seed: int | None = None


class RunDocument(_Document):
    """``run.json``."""

    format: str
    schema_version: int
    config: Config = Config()
    machine: dict[str, Any] = {}  # Any: Machine.from_json checks it


class TaskDocument(_Document):
    """``task.json``: the data and the teacher; accuracy is a share."""

    data: str
    labels: tuple[str, ...] = ()
    train: int | None = None
    validation: int | None = None
    unlabelled: int | None = None
    length: int | None = None
    teacher: str | None = None
    teacher_accuracy: Share | None = None
    notes: tuple[str, ...] = ()


class Evaluated(_Document):
    """One candidate; no accuracy where it failed."""

    arch: Name
    accuracy: Share | None = None
    predicted_s: Seconds | None = None
    upper_s: Seconds | None = None


class Measured(_Document):
    """One finalist, timed on this machine."""

    arch: Name
    accuracy: Share
    p50_s: Seconds
    p50_low_s: Seconds
    p50_high_s: Seconds
    within: bool


class LimitFound(_Document):
    """What the search found under one limit."""

    limit_s: Seconds
    feasible: int | None = None
    total: int | None = None
    binds: bool = True
    evaluations: tuple[Evaluated, ...] = ()
    measured: tuple[Measured, ...] = ()
    winner: Name | None = None


class SearchDocument(_Document):
    """``search.json``; ``rows`` is how many validation rows each candidate was judged on."""

    key: str
    batch: int = 1
    length: int | None = None
    rows: int = Field(gt=0)
    largest: Evaluated | None = None
    smallest: Evaluated | None = None
    limits: tuple[LimitFound, ...] = ()


class Accuracies(_Document):
    """Shares of ``n`` validation rows, and of ``dev_n`` development rows."""

    n: int | None = None
    float32: Share | None = None
    before: Share | None = None
    int8: Share | None = None
    dev: Share | None = None
    dev_n: int | None = None


class Latency(_Document):
    """A measured promise."""

    holds: bool
    p50_s: Seconds
    p50_low_s: Seconds
    p50_high_s: Seconds
    p90_s: Seconds | None = None
    calls: int | None = None
    processes: int | None = None


class ModelDocument(_Document):
    """``models/<name>/bigfast.json``."""

    format: str
    backend: str
    variant: str = ""
    options: dict[str, str] = {}
    threads: int = 1
    artefacts: dict[str, tuple[str, ...]] = {}
    arch: Name
    parameters: int | None = None
    limit_ms: Annotated[FiniteFloat, Field(gt=0)] | None = None
    accuracy: Accuracies = Accuracies()
    latency: Latency | None = None
    bytes: dict[str, int] = {}


class Stage(_Document):
    """Seconds that a stage was given and took."""

    name: str
    budget_s: FiniteFloat | None = None
    took_s: FiniteFloat


class StagesDocument(_Document):
    """``stages.json``."""

    stages: tuple[Stage, ...] = ()


class ComparedTiming(_Document):
    """Seconds of one model on one deployment."""

    estimate_s: Seconds
    low_s: Seconds
    high_s: Seconds
    p50_s: Seconds


class ComparedCold(_Document):
    """The first answer in a fresh process."""

    runtime_s: Seconds
    first_logits_s: Seconds
    resident_bytes: int
    file_bytes: int


class Compared(_Document):
    """One model on one deployment."""

    model: Name
    deployment: Name
    precision: Name
    timing: ComparedTiming | None = None
    share_of_peak: Annotated[FiniteFloat, Field(ge=0)] | None = None
    disagreement: FiniteFloat | None = None
    cold: ComparedCold | None = None
    reason: str = ""


class ComparedSize(_Document):
    """Of the inputs."""

    batch: int
    length: int


class BackendsDocument(_Document):
    """``backends.json``: every backend on the same models."""

    format: Literal["bigfast.backends"]
    schema_version: Literal[1]
    machine: dict[str, Any]  # Any: Machine.from_json checks it
    size: ComparedSize
    models: dict[str, str]
    advice: str
    rows: tuple[Compared, ...]
