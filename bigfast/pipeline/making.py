"""What a run makes: the supermodel, the search in it, and the models that are taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bigfast.errors import Infeasible
from bigfast.pipeline.finishing import Finish, described, further_int8, model_name, posttrain_recipe, posttrained
from bigfast.pipeline.searching import Wanted, kept_search, narrowed_for, rows_within, run_search
from bigfast.pipeline.situation import Run
from bigfast.pipeline.task import Task
from bigfast.pipeline.training import lesson_of, start_of, steps_within, supermodel_recipe, trained_supermodel
from bigfast.search.evaluation import Evaluator
from bigfast.space import Arch, BertSpace
from bigfast.store import read_json
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.train import steps_of_one_in


def make_supermodel(run: Run, task: Task, space: BertSpace) -> Supermodel:
    """The trained supermodel."""
    config, place = run.config, run.place
    budget_s = run.seconds("supermodel")
    with place.timed("supermodel", budget_s):
        recipe = supermodel_recipe(machine=run.machine, seed=config.seed, start=config.start)
        if not place.supermodel.exists():
            steps = place.decided(
                "supermodel steps",
                lambda: steps_within(budget_s, start_of(task, space, start="scratch", seed=config.seed), task, recipe),
            )
            recipe = replace(recipe, steps=steps)
            run.teller.say(
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
            machine=run.machine,
            teller=run.teller,
        )


def make_search(run: Run, task: Task, wanted: Wanted, supermodel: Supermodel) -> dict[str, Any]:
    """What the search found, as ``search.json`` holds it."""
    place = run.place
    budget_s = run.seconds("search")

    def make() -> dict[str, Any]:
        rows = place.decided(
            "validation rows",
            lambda: rows_within(
                budget_s,
                supermodel,
                wanted,
                narrowed_for(wanted),
                task.validation,
                machine=run.machine,
                threads=run.threads,
            ),
        )
        return run_search(
            supermodel,
            wanted,
            task.validation.take(range(rows)),
            study=place.study,
            machine=run.machine,
            threads=run.threads,
            teller=run.teller,
        )

    with place.timed("search", budget_s):
        return kept_search(place.search, wanted, make)


def make_models(
    run: Run, task: Task, wanted: Wanted, supermodel: Supermodel, found: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Post-trains, measures and exports each limit's winner; only here are the development rows read."""
    config, place, machine = run.config, run.place, run.machine
    winners = [(float(limit["limit_s"]), Arch.parse(limit["winner"])) for limit in found["limits"]]
    if not winners:
        raise Infeasible(f"{place.search} names no winner: delete it to search again")
    evaluator = Evaluator(wanted.backend, wanted.options, task.validation, machine=machine, threads=run.threads)
    budget_s = run.seconds("post-training")
    stocks = {}
    with place.timed("post-training", budget_s):
        known = read_json(place.supermodel / "supermodel.json")["about"]
        lesson = lesson_of(
            task,
            int(known["rows"]),
            file=place.work / "teacher-logits.safetensors",
            machine=machine,
            seed=config.seed,
            teller=run.teller,
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
                teller=run.teller,
            )
    return _export(run, task, wanted, winners, stocks)


def _export(
    run: Run,
    task: Task,
    wanted: Wanted,
    winners: Sequence[tuple[float, Arch]],
    stocks: dict[float, tuple[Path, dict[str, Any]]],
) -> dict[str, dict[str, Any]]:
    place, budget_s = run.place, run.seconds("promise and export")
    models = {}
    with place.timed("promise and export", budget_s):
        dev = task.data.read_dev()
        if dev is None:
            run.teller.say("There are no development rows: all accuracies are of the rows that chose the model.")
        finish = Finish(
            task=task,
            backend=wanted.backend,
            options=wanted.options,
            validation=task.validation,
            dev=None if dev is None else task.encoded(dev),
            artefacts=further_int8(wanted.profile, wanted.backend),
            deployment=wanted.deployment,
            size=wanted.size,
            protocol=wanted.profile.protocol,
            machine=run.machine,
            teacher=task.teacher.name if run.given else "trained in the run on the same data",
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
                teller=run.teller,
            )
            run.teller.say(f"{place.models / name}: {described(models[name])}")
    return models
