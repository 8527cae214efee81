"""``bigfast posttrain``: trains the winners of a search on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Data, Json, LabelColumn, Minutes, Out, Seed, Teacher, TextColumns


def posttrain(
    search: Annotated[Path, typer.Option(help="A finished search's directory.")],
    supermodel: Annotated[Path, typer.Option(help="The supermodel that was searched.")],
    data: Data,
    teacher: Teacher,
    out: Out = Path("posttrained"),
    minutes: Minutes = 10.0,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates for each model, instead of the time.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Training rows to use; default: all.")] = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Trains each limit's winner on with its teacher, and keeps the better of before and after.

    Examples: `bigfast posttrain --search search --supermodel supermodel --data my-data --teacher my-teacher` and
    `bigfast posttrain --search search --supermodel supermodel --data my-data --teacher my-teacher --steps 2000`
    """
    from dataclasses import replace
    from functools import partial

    from bigfast.backend import choose_variant, usable_backend
    from bigfast.cli.options import columns
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.measure import Deployment
    from bigfast.pipeline.directory import decided_once
    from bigfast.pipeline.finishing import model_name, posttrain_recipe, posttrained
    from bigfast.pipeline.task import read_task
    from bigfast.pipeline.training import lesson_of
    from bigfast.search.evaluation import Evaluator
    from bigfast.space import Arch
    from bigfast.store import read_json
    from bigfast.supermodel.saved import load_supermodel
    from bigfast.supermodel.teacher import load_teacher
    from bigfast.supermodel.train import steps_of_one_in

    machine, teller = detect(), Shown()
    found = read_json(search / "search.json")
    deployment = Deployment.parse(str(found["key"]))
    backend = usable_backend(deployment.backend)
    task = read_task(
        data, load_teacher(teacher), text_columns=columns(text_columns), label_column=label_column, seed=seed
    )
    model, labels, _ = load_supermodel(supermodel)
    evaluator = Evaluator(
        backend,
        choose_variant(backend, dict(deployment.options), machine),
        task.validation,
        machine=machine,
        threads=machine.usable_cores or 1,
    )
    lesson = lesson_of(
        task,
        rows or len(task.train),
        file=out / "teacher-logits.safetensors",
        machine=machine,
        seed=seed,
        teller=teller,
    )
    results = {}
    for number, limit in enumerate(found["limits"]):
        arch, place = Arch.parse(limit["winner"]), model_name(limit["limit_s"])
        recipe = posttrain_recipe(machine=machine, seed=seed + 1 + number)
        share_s = 60 * minutes / len(found["limits"])
        decide = partial(steps_of_one_in, share_s, model.extract(arch), lesson.encoded, lesson.logits, recipe)
        recipe = replace(recipe, steps=steps or decided_once(out / "decided.json", place, decide))
        _, figures = posttrained(
            model, arch, lesson, recipe, evaluator=evaluator, labels=labels, place=out / place, teller=teller
        )
        results[place] = figures
    if json:
        show_json({"models": results})
    else:
        for place, result in results.items():
            change = f"{result['before']:.2%} before and {result['after']:.2%} after"
            print(f"{out / place}: {result['arch']}, int8 {change}")
