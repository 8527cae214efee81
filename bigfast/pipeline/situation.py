"""One run: what is asked, where, on which machine, in how much time, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bigfast.backend import find_backend
from bigfast.cpu import Machine, int8_verdict
from bigfast.measure import Deployment
from bigfast.pipeline.budget import StageBudget, stage_budgets
from bigfast.pipeline.config import RunConfig
from bigfast.pipeline.directory import RunDirectory
from bigfast.pipeline.task import (
    SYNTHETIC_FFN,
    SYNTHETIC_HEADS,
    SYNTHETIC_HIDDEN,
    SYNTHETIC_LAYERS,
    SYNTHETIC_VOCAB,
)
from bigfast.pipeline.telling import Teller
from bigfast.space import BertShape, space_named
from bigfast.supermodel.teacher import Teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every stage of a run is told.

    Attributes:
        config: What is asked.
        place: Its directory.
        machine: This machine.
        teller: Who is told.
        deployments: What is profiled; nothing where a saved profile is used.
        given: The teacher; None where it is trained in the run.
        budgets: Of each stage, by its name.
    """

    config: RunConfig
    place: RunDirectory
    machine: Machine
    teller: Teller
    deployments: tuple[Deployment, ...]
    given: Teacher | None
    budgets: Mapping[str, StageBudget]

    @property
    def threads(self) -> int:
        """All cores that may be used: for everything but what is timed."""
        return self.machine.usable_cores or 1

    def seconds(self, stage: str) -> float:
        """What a stage may take."""
        return self.budgets[stage].seconds

    def announce(self) -> None:
        """Tells the budget of each stage, and what int8 can gain on this machine, before anything is done."""
        say, machine = self.teller.say, self.machine
        say(f"Budget: {self.config.minutes:g} minutes on {self.threads} cores, in {self.place.root}")
        for budget in self.budgets.values():
            say(f"  {budget.name:<20} {budget.seconds:5.0f} s   about {budget.peak_bytes / 2**20:,.0f} MiB")
        say(f"{machine.model}: {int8_verdict(machine)}")
        for deployment in self.deployments:
            say(f"  {deployment.backend:<20} {find_backend(deployment.backend).kernels(machine)}")


def budgets_of(config: RunConfig, given: Teacher | None, *, measured: int) -> tuple[StageBudget, ...]:
    """How the minutes of a run are divided over its stages.

    Args:
        config: What is asked.
        given: The teacher; None where it is trained in the run.
        measured: How many backends are profiled.
    """
    teacher = (
        given.model.weights.shape
        if given
        else BertShape(
            layers=SYNTHETIC_LAYERS,
            hidden=SYNTHETIC_HIDDEN,
            ffn=SYNTHETIC_FFN,
            heads=SYNTHETIC_HEADS,
            vocab=SYNTHETIC_VOCAB,
            positions=128,
        )
    )
    space = space_named(config.space, teacher=teacher)
    largest = space.shape(space.space.largest, vocab=teacher.vocab, positions=teacher.positions, labels=3)
    return stage_budgets(
        minutes=config.minutes,
        taught=given is None,
        profiled=config.profile is None,
        largest=largest,
        measured=measured,
    )
