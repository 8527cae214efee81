"""``bigfast export``: the directories that the user takes away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Data, Json, LabelColumn, Out, Seed, Teacher, TextColumns


def export(
    search: Annotated[Path, typer.Option(help="A finished search's directory.")],
    posttrained: Annotated[Path, typer.Option(help="What 'bigfast posttrain' wrote for it.")],
    profile: Annotated[Path, typer.Option(help="The profile that was searched with.")],
    data: Data,
    teacher: Teacher,
    out: Out = Path("models"),
    seconds: Annotated[float, typer.Option(min=1, help="For measuring each model's promise.")] = 60.0,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measures each post-trained winner against its limit, and writes what can be deployed.

    Examples: `bigfast export --search search --posttrained posttrained --profile my-cpu
    --data my-data --teacher my-teacher` and the same with `--seconds 10 --out models`
    """
    from bigfast.backend import choose_variant, usable_backend
    from bigfast.cli.options import columns
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.errors import InputError, PromiseBroken
    from bigfast.measure import Deployment, Size
    from bigfast.pipeline.finishing import Finish, described, further_int8, model_name
    from bigfast.pipeline.profiling import fits_machine
    from bigfast.pipeline.task import read_task
    from bigfast.profile import load_profile
    from bigfast.space import Arch
    from bigfast.store import read_json
    from bigfast.supermodel.teacher import load_teacher

    machine = detect()
    found = read_json(search / "search.json")
    loaded = load_profile(profile)
    fits_machine(loaded, machine, source=str(profile))
    deployment = Deployment.parse(str(found["key"]))
    backend = usable_backend(deployment.backend)
    task = read_task(
        data, load_teacher(teacher), text_columns=columns(text_columns), label_column=label_column, seed=seed
    )
    dev = task.data.read_dev()
    finish = Finish(
        task=task,
        backend=backend,
        options=choose_variant(backend, dict(deployment.options), machine),
        validation=task.validation,
        dev=None if dev is None else task.encoded(dev),
        artefacts=further_int8(loaded, backend),
        deployment=deployment,
        size=Size(batch=int(found["batch"]), length=int(found["length"])),
        protocol=loaded.protocol,
        machine=machine,
        teacher=task.teacher.name,
    )
    models = {}
    for limit in found["limits"]:
        place = model_name(limit["limit_s"])
        if not (posttrained / place / "accuracy.json").exists():
            raise InputError(f"{posttrained / place} does not hold a post-trained model: run 'bigfast posttrain' first")
        models[place] = finish.finish(
            limit["limit_s"],
            Arch.parse(limit["winner"]),
            posttrained / place / "stock",
            read_json(posttrained / place / "accuracy.json"),
            out / place,
            budget_s=seconds,
            teller=Shown(),
        )
    if json:
        show_json({"models": models})
    else:
        for place, about in models.items():
            print(f"{out / place}: {described(about)}")
    broken = [place for place, about in models.items() if not about["latency"]["holds"]]
    if broken:
        raise PromiseBroken(f"The limit of {', '.join(broken)} does not hold: search again with a fresh profile")
