"""``bigfast train``: trains a supermodel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Data, Json, LabelColumn, Minutes, Out, Seed, Teacher, TextColumns


def train(
    data: Data,
    teacher: Teacher,
    out: Out = Path("supermodel"),
    space: Annotated[str, typer.Option(help="paper, aligned, or teacher.")] = "teacher",
    start: Annotated[str, typer.Option(help="Where it begins: teacher or scratch.")] = "teacher",
    minutes: Minutes = 30.0,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates, instead of the time.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Sub-models that each part of a batch trains; the paper's m.")] = 3,
    sub_batches: Annotated[int, typer.Option(min=1, help="Parts of a batch; the paper's n.")] = 1,
    sampling: Annotated[
        str | None, typer.Option(help="How sub-models are drawn: ends, sandwich, or uniform as in the paper.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a step.")] = 32,
    learning_rate: Annotated[float | None, typer.Option(help="At its peak.")] = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Trains one set of weights for every architecture of a space, with labels and a teacher.

    Examples: `bigfast train --data my-data --teacher my-teacher --minutes 60` and
    `bigfast train --data my-data --teacher my-teacher --space paper --start scratch --steps 20000`
    """
    from dataclasses import replace

    from bigfast.cli.options import columns
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.errors import InputError, UnknownName
    from bigfast.pipeline.directory import decided_once
    from bigfast.pipeline.task import read_task
    from bigfast.pipeline.training import start_of, steps_within, supermodel_recipe, trained_supermodel
    from bigfast.space import space_named
    from bigfast.store import read_json
    from bigfast.supermodel.sampling import sampling_named
    from bigfast.supermodel.teacher import load_teacher

    if start not in ("teacher", "scratch"):
        raise UnknownName("start", start, ("teacher", "scratch"))
    if out.exists():
        raise InputError(f"{out} exists already: choose another directory with --out")
    machine, teller = detect(), Shown()
    guide = load_teacher(teacher)
    chosen = space_named(space, teacher=guide.model.weights.shape)
    task = read_task(data, guide, text_columns=columns(text_columns), label_column=label_column, seed=seed)
    recipe = supermodel_recipe(machine=machine, seed=seed, start=start)
    sampling_named(sampling or recipe.sampling)
    recipe = replace(
        recipe,
        draws=draws,
        sub_batches=sub_batches,
        sampling=sampling or recipe.sampling,
        batch_size=batch_size,
        learning_rate=learning_rate or recipe.learning_rate,
    )
    work = out.with_name(f"{out.name}.work")
    if steps is None:
        steps = decided_once(
            work / "decided.json",
            "steps",
            lambda: steps_within(60 * minutes, start_of(task, chosen, start="scratch", seed=seed), task, recipe),
        )
    trained_supermodel(
        task, chosen, replace(recipe, steps=steps), out, start=start, work=work, machine=machine, teller=teller
    )
    if json:
        show_json({"supermodel": str(out), **read_json(out / "supermodel.json")["about"]})
    else:
        print(f"{out}: weights for {chosen.space.size:,} architectures, {steps} steps")
