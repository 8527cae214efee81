"""The whole way, from this CPU to models that keep their limits: what ``bigfast run`` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigfast.backend import choose_variant, find_backend, parse_backend
from bigfast.cpu import Machine
from bigfast.errors import InputError
from bigfast.measure import Deployment
from bigfast.pipeline.config import RunConfig
from bigfast.pipeline.directory import open_run
from bigfast.pipeline.making import make_models, make_search, make_supermodel
from bigfast.pipeline.preparing import prepare_profile, prepare_search, prepare_task
from bigfast.pipeline.profiling import chosen_deployments
from bigfast.pipeline.situation import Run, budgets_of
from bigfast.pipeline.telling import Teller
from bigfast.report import write_report
from bigfast.supermodel.teacher import load_teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gives.

    Attributes:
        root: The run's directory.
        models: What each exported model's ``bigfast.json`` says, by its directory's name.
        report: The page.
    """

    root: Path
    models: dict[str, dict[str, Any]]
    report: Path

    @property
    def holds(self) -> bool:
        """Whether every model keeps its limit."""
        return all(about["latency"]["holds"] for about in self.models.values())


def run(config: RunConfig, root: Path, *, machine: Machine, teller: Teller) -> Outcome:
    """Does everything, or what an earlier, interrupted run of the same configuration left to do.

    Args:
        config: What is asked.
        root: The run's directory.
        machine: This machine.
        teller: Told of everything.

    Raises:
        InputError: something asked for cannot be used; nothing has been lost.
        Infeasible: no architecture meets a limit; the profile is kept.
        Busy: another process measures here, or runs in this directory.
    """
    deployments = [] if config.profile else chosen_deployments(config.backends, machine, threads=(config.threads or 1,))
    if config.backend != "auto":
        _check_backend(config, machine)
    given = None if config.teacher is None else load_teacher(config.teacher)
    budgets = {budget.name: budget for budget in budgets_of(config, given, measured=len(deployments))}
    with open_run(root, config, machine) as place:
        now = Run(
            config=config,
            place=place,
            machine=machine,
            teller=teller,
            deployments=tuple(deployments),
            given=given,
            budgets=budgets,
        )
        now.announce()
        task = prepare_task(now)
        profile = prepare_profile(now, task)
        wanted = prepare_search(now, profile)
        supermodel = make_supermodel(now, task, profile.space)
        found = make_search(now, task, wanted, supermodel)
        models = make_models(now, task, wanted, supermodel, found)
        report = write_report(root)
        teller.say(f"Report: {report}")
        return Outcome(root=root, models=models, report=report)


def _check_backend(config: RunConfig, machine: Machine) -> None:
    wanted = Deployment.parse(config.backend)
    name = wanted.backend
    choose_variant(find_backend(name), dict(wanted.options), machine)
    if not config.profile and all(parse_backend(b)[0] != name for b in config.backends):
        raise InputError(
            f"The deployment backend {name!r} is not among those to be profiled ({', '.join(config.backends)}): add it"
        )
