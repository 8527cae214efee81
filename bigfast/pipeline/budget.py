"""How the minutes of a run are divided, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from bigfast.space import BertShape, parameters

MIB = 2**20

# Shares of the time, by stage; those that a run does not need are left out and the rest grows.
_SHARES = {
    "data and teacher": 0.31,
    "profile": 0.17,
    "predictors": 0.05,
    "supermodel": 0.24,
    "search": 0.06,
    "post-training": 0.11,
    "promise and export": 0.06,
}
_SHARES_WITH_TEACHER = {
    "data and teacher": 0.02,
    "profile": 0.14,
    "predictors": 0.04,
    "supermodel": 0.45,
    "search": 0.14,
    "post-training": 0.16,
    "promise and export": 0.05,
}

RUNTIME_BYTES = 450 * MIB  # torch and transformers, imported
CHILD_BYTES = 350 * MIB  # a measuring process without its models


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBudget:
    """What one stage may take."""

    name: str
    seconds: float
    peak_bytes: int


def stage_budgets(
    *, minutes: float, taught: bool, profiled: bool, largest: BertShape, measured: int
) -> tuple[StageBudget, ...]:
    """The stages of a run with the time that each may take and the memory that it is expected to need.

    Args:
        minutes: For everything together.
        taught: Whether the teacher is trained in the run.
        profiled: Whether the profile is measured in the run.
        largest: The largest model's shape.
        measured: How many backends are profiled.
    """
    shares = dict(_SHARES if taught else _SHARES_WITH_TEACHER)
    if not profiled:
        shares["profile"] = shares["predictors"] = 0.0
    whole = sum(shares.values())
    model_bytes = 4 * parameters(largest)
    training = RUNTIME_BYTES + 5 * model_bytes + 300 * MIB  # weights, gradients, two moments, a copy; activations
    memory = {
        "data and teacher": training if taught else RUNTIME_BYTES + 2 * model_bytes,
        "profile": measured * (CHILD_BYTES + 4 * model_bytes),
        "predictors": RUNTIME_BYTES + 200 * MIB,
        "supermodel": training,
        "search": RUNTIME_BYTES + 4 * model_bytes,
        "post-training": training + model_bytes,
        "promise and export": RUNTIME_BYTES + CHILD_BYTES + 4 * model_bytes,
    }
    return tuple(
        StageBudget(name=name, seconds=60 * minutes * share / whole, peak_bytes=memory[name])
        for name, share in shares.items()
        if share
    )
