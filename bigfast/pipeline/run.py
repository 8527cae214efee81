"""The whole way, from this CPU to models that keep their limits: what ``bigfast run`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bigfast.backend import Backend, Options, choose_variant, find_backend, parse_backend
from bigfast.cpu import Machine, int8_verdict
from bigfast.errors import Infeasible, InputError
from bigfast.measure import Protocol
from bigfast.pipeline.budget import StageBudget, stage_budgets
from bigfast.pipeline.config import DEFAULT_SHARES, RunConfig
from bigfast.pipeline.directory import RunDirectory, open_run
from bigfast.pipeline.finishing import (
    Finish,
    described,
    model_name,
    posttrain_recipe,
    posttrained,
)
from bigfast.pipeline.profiling import (
    architectures_in,
    chosen_variants,
    fit_profile,
    fits_machine,
    measure_profile,
)
from bigfast.pipeline.searching import (
    Wanted,
    kept_search,
    limits_of,
    narrowed_for,
    rows_within,
    run_search,
)
from bigfast.pipeline.task import (
    SYNTHETIC_FFN,
    SYNTHETIC_HEADS,
    SYNTHETIC_HIDDEN,
    SYNTHETIC_LAYERS,
    SYNTHETIC_VOCAB,
    Task,
    read_task,
    teach_synthetic,
    teacher_accuracy,
)
from bigfast.pipeline.telling import Teller
from bigfast.pipeline.training import lesson_of, start_of, steps_within, supermodel_recipe, trained_supermodel
from bigfast.profile import Plan, Profile, load_profile
from bigfast.report import write_report
from bigfast.search.evaluation import Evaluator
from bigfast.space import Arch, BertShape, BertSpace, space_named
from bigfast.store import read_json, write_json
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.teacher import Teacher, load_teacher
from bigfast.supermodel.train import steps_of_one_in


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
    variants = [] if config.profile else chosen_variants(config.backends, machine)
    if config.backend != "auto":
        _check_backend(config, machine)
    given = None if config.teacher is None else load_teacher(config.teacher)
    with open_run(root, config, machine) as place:
        stages = _Stages(config, place, machine, teller, variants, given)
        stages.announce()
        task = stages.task()
        profile = stages.profile(task)
        wanted = stages.wanted(profile)
        supermodel = stages.supermodel(task, profile.space)
        found = stages.search(task, wanted, supermodel)
        models = stages.finish(task, wanted, supermodel, found)
        report = write_report(root)
        teller.say(f"Report: {report}")
        return Outcome(root=root, models=models, report=report)


def _check_backend(config: RunConfig, machine: Machine) -> None:
    name, options = parse_backend(config.backend)
    choose_variant(find_backend(name), options, machine)
    if not config.profile and all(parse_backend(b)[0] != name for b in config.backends):
        raise InputError(
            f"The deployment backend {name!r} is not among those to be profiled ({', '.join(config.backends)}): add it"
        )


class _Stages:
    """The stages of one run; each finds its result in the directory or makes it."""

    def __init__(
        self,
        config: RunConfig,
        place: RunDirectory,
        machine: Machine,
        teller: Teller,
        variants: Sequence[tuple[str, Options]],
        given: Teacher | None,
    ) -> None:
        self._config = config
        self._place = place
        self._machine = machine
        self._teller = teller
        self._variants = variants
        self._given = given
        self._budgets = {budget.name: budget for budget in self._stage_budgets()}
        self._threads = machine.usable_cores or 1

    def _stage_budgets(self) -> tuple[StageBudget, ...]:
        config = self._config
        teacher = (
            self._given.model.weights.shape
            if self._given
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
            taught=self._given is None,
            profiled=config.profile is None,
            largest=largest,
            measured=len(self._variants),
        )

    def _seconds(self, stage: str) -> float:
        return self._budgets[stage].seconds

    def announce(self) -> None:
        """Tells the budget of each stage, and what int8 can gain on this machine, before anything is done."""
        say, machine = self._teller.say, self._machine
        say(f"Budget: {self._config.minutes:g} minutes on {self._threads} cores, in {self._place.root}")
        for budget in self._budgets.values():
            say(f"  {budget.name:<20} {budget.seconds:5.0f} s   about {budget.peak_bytes / 2**20:,.0f} MiB")
        say(f"{machine.model}: {int8_verdict(machine)}")
        for name, _ in self._variants:
            say(f"  {name:<20} {find_backend(name).kernels(machine)}")

    def task(self) -> Task:
        """Data and teacher; the embedded teacher is trained first."""
        config, place = self._config, self._place
        with place.timed("data and teacher", self._seconds("data and teacher")):
            if self._given is None and not place.teacher.exists():
                self._teller.say("Training the embedded task's teacher.")
                teach_synthetic(
                    config.data,
                    place.teacher,
                    work=place.work,
                    seed=config.seed,
                    machine=self._machine,
                    decided=partial(place.decided, "teacher steps"),
                    budget_s=0.9 * self._seconds("data and teacher"),
                    teller=self._teller,
                )
            task = read_task(
                config.data,
                self._given or load_teacher(str(place.teacher)),
                text_columns=config.text_columns,
                label_column=config.label_column,
                seed=config.seed,
            )
            if not place.task.exists():
                write_json(
                    place.task,
                    {
                        "data": task.data.name,
                        "fingerprint": task.data.fingerprint,
                        "labels": list(task.data.labels),
                        "train": len(task.train),
                        "validation": len(task.validation),
                        "unlabelled": None if task.unlabelled is None else len(task.unlabelled),
                        "length": config.length or task.length,
                        "teacher": task.teacher.name if self._given else "trained in this run",
                        "teacher_accuracy": teacher_accuracy(task, machine=self._machine),
                        "notes": list(task.data.notes),
                    },
                )
        about = read_json(place.task)
        if about["fingerprint"] != task.data.fingerprint:
            raise InputError(f"{config.data} has changed since {place.root} was begun: choose another directory")
        for note in task.data.notes:
            self._teller.say(note)
        self._teller.say(
            f"{task.data.name}: {len(task.train):,} training and {len(task.validation):,} validation rows, 95 % of "
            f"at most {task.length} tokens; the teacher's accuracy is {about['teacher_accuracy']:.2%}"
        )
        return task

    def profile(self, task: Task) -> Profile:
        """The saved profile asked for, or one measured here."""
        config, place, machine = self._config, self._place, self._machine
        if config.profile is not None:
            profile = load_profile(Path(config.profile))
            fits_machine(profile, machine, source=config.profile)
            return profile
        if place.profile.exists():
            profile = load_profile(place.profile)
        else:
            space = space_named(config.space, teacher=task.teacher.model.weights.shape)
            protocol = Protocol(
                batch=config.batch,
                length=config.length or task.length,
                threads=config.threads,
                seed=config.seed,
            )
            count = config.architectures or place.decided(
                "architectures",
                lambda: architectures_in(self._seconds("profile"), protocol, variants=len(self._variants)),
            )
            plan = Plan.make(
                machine=machine,
                protocol=protocol,
                space=space,
                vocab=task.teacher.model.weights.shape.vocab,
                count=count,
                variants=self._variants,
            )
            with place.timed("profile", self._seconds("profile")):
                profile = measure_profile(plan, place.profile, teller=self._teller)
        if profile.fitted.keys() != set(profile.keys):
            with place.timed("predictors", self._seconds("predictors")):
                profile = fit_profile(place.profile, teller=self._teller)
        return profile

    def wanted(self, profile: Profile) -> Wanted:
        """The backend and the limits; an infeasible limit ends here, before anything is trained."""
        config = self._config
        backend, options = self._deployment(profile)
        key = profile.key_of(backend.name, options)
        wanted = Wanted(
            profile=profile,
            backend=backend,
            options=choose_variant(backend, parse_backend(key)[1], self._machine),
            limits_s=limits_of(profile, key, config.latency_ms, DEFAULT_SHARES),
            generations=config.generations,
            population=config.population,
            seed=config.seed,
        )
        for part in narrowed_for(wanted):
            binding = "" if part.binds else ", so this limit does not bind"
            self._teller.say(
                f"Within {part.limit_s * 1e3:.3g} ms on {wanted.key}: {len(part.rows):,} of {part.total:,} "
                f"architectures{binding}"
            )
        return wanted

    def _deployment(self, profile: Profile) -> tuple[Backend, Options]:
        if self._config.backend != "auto":
            name, options = parse_backend(self._config.backend)
            return find_backend(name), options
        known = {key.partition(":")[0]: find_backend(key.partition(":")[0]) for key in profile.keys}
        int8 = [key for key in profile.keys if known[key.partition(":")[0]].precision == "int8"]
        if not int8:
            raise InputError("No int8 backend was profiled: add one with --backends, or name one with --backend")
        fastest = min(int8, key=profile.median_p50_s)
        self._teller.say(f"Deployment backend: {fastest}, the fastest int8 of the profile")
        return known[fastest.partition(":")[0]], parse_backend(fastest)[1]

    def supermodel(self, task: Task, space: BertSpace) -> Supermodel:
        """The trained supermodel."""
        config, place = self._config, self._place
        budget_s = self._seconds("supermodel")
        with place.timed("supermodel", budget_s):
            recipe = supermodel_recipe(machine=self._machine, seed=config.seed, start=config.start)
            if not place.supermodel.exists():
                steps = place.decided(
                    "supermodel steps",
                    lambda: steps_within(
                        budget_s, start_of(task, space, start="scratch", seed=config.seed), task, recipe
                    ),
                )
                recipe = replace(recipe, steps=steps)
                self._teller.say(
                    f"Training the supermodel for {space.space.size:,} architectures: {steps} steps of {recipe.draws} "
                    f"sub-models on {recipe.batch_size} rows, {'bfloat16' if recipe.bf16 else 'float32'}"
                )
            return trained_supermodel(
                task,
                space,
                recipe,
                place.supermodel,
                start=config.start,
                work=place.work,
                machine=self._machine,
                teller=self._teller,
            )

    def search(self, task: Task, wanted: Wanted, supermodel: Supermodel) -> dict[str, Any]:
        """What the search found, as ``search.json`` holds it."""
        place = self._place
        budget_s = self._seconds("search")

        def make() -> dict[str, Any]:
            rows = place.decided(
                "validation rows",
                lambda: rows_within(
                    budget_s,
                    supermodel,
                    wanted,
                    narrowed_for(wanted),
                    task.validation,
                    machine=self._machine,
                    threads=self._threads,
                ),
            )
            return run_search(
                supermodel,
                wanted,
                task.validation.take(range(rows)),
                study=place.study,
                machine=self._machine,
                threads=self._threads,
                teller=self._teller,
            )

        with place.timed("search", budget_s):
            return kept_search(place.search, wanted, make)

    def finish(
        self, task: Task, wanted: Wanted, supermodel: Supermodel, found: dict[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """Post-trains, measures and exports each limit's winner; only here are the development rows read."""
        config, place, machine = self._config, self._place, self._machine
        winners = [(float(limit["limit_s"]), Arch.parse(limit["winner"])) for limit in found["limits"]]
        if not winners:
            raise Infeasible(f"{place.search} names no winner: delete it to search again")
        evaluator = Evaluator(wanted.backend, wanted.options, task.validation, machine=machine, threads=self._threads)
        budget_s = self._seconds("post-training")
        stocks = {}
        with place.timed("post-training", budget_s):
            known = read_json(place.supermodel / "supermodel.json")["about"]
            lesson = lesson_of(
                task,
                int(known["rows"]),
                file=place.work / "teacher-logits.safetensors",
                machine=machine,
                seed=config.seed,
                teller=self._teller,
            )
            for number, (limit_s, arch) in enumerate(winners):
                recipe = posttrain_recipe(machine=machine, seed=config.seed + 1 + number)
                share_s = budget_s / len(winners)
                corner = supermodel.extract(arch)
                steps = place.decided(
                    f"post-training steps {model_name(limit_s)}",
                    partial(steps_of_one_in, share_s, corner, lesson.encoded, lesson.logits, recipe),
                )
                stocks[limit_s] = posttrained(
                    supermodel,
                    arch,
                    lesson,
                    replace(recipe, steps=steps),
                    evaluator=evaluator,
                    labels=task.data.labels,
                    place=place.work / model_name(limit_s),
                    teller=self._teller,
                )
        return self._export(task, wanted, supermodel, winners, stocks)

    def _export(
        self,
        task: Task,
        wanted: Wanted,
        supermodel: Supermodel,
        winners: Sequence[tuple[float, Arch]],
        stocks: dict[float, tuple[Path, dict[str, Any]]],
    ) -> dict[str, dict[str, Any]]:
        place, budget_s = self._place, self._seconds("promise and export")
        models = {}
        with place.timed("promise and export", budget_s):
            dev = task.data.read_dev()
            finish = Finish(
                task=task,
                wanted=wanted,
                supermodel=supermodel,
                validation=task.validation,
                dev=None if dev is None else task.encoded(dev),
                artefacts=self._artefacts(wanted),
                protocol=wanted.profile.protocol,
                machine=self._machine,
                teacher=task.teacher.name if self._given else "trained in the run on the same data",
            )
            for limit_s, arch in winners:
                stock, figures = stocks[limit_s]
                name = model_name(limit_s)
                models[name] = finish.finish(
                    limit_s,
                    arch,
                    stock,
                    figures,
                    place.models / name,
                    budget_s=0.7 * budget_s / len(winners),
                    teller=self._teller,
                )
                self._teller.say(f"{place.models / name}: {described(models[name])}")
        return models

    def _artefacts(self, wanted: Wanted) -> tuple[Backend, ...]:
        names = {key.partition(":")[0] for key in wanted.profile.keys} - {wanted.backend.name}
        others = (find_backend(name) for name in sorted(names))
        return tuple(b for b in others if b.precision == "int8" and b.available().usable)
