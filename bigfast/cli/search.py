"""``bigfast search``: the best architecture under each limit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import (
    Data,
    Deployed,
    Json,
    LabelColumn,
    LatencyMs,
    Out,
    ProfiledBatch,
    ProfiledLength,
    Seed,
    TextColumns,
)


def search(
    profile: Annotated[Path, typer.Option(help="A profile of this machine.")],
    supermodel: Annotated[Path, typer.Option(help="A trained supermodel.")],
    data: Data,
    latency_ms: LatencyMs = None,
    backend: Deployed = None,
    length: ProfiledLength = None,
    batch: ProfiledBatch = None,
    out: Out = Path("search"),
    rows: Annotated[int | None, typer.Option(min=1, help="Validation rows to judge on; default: all.")] = None,
    generations: Annotated[int, typer.Option(min=1, help="Of the evolution.")] = 4,
    population: Annotated[int, typer.Option(min=1, help="Children of a generation.")] = 25,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Searches quantized candidates under each latency limit, and measures the finalists here.

    Examples: `bigfast search --profile my-cpu --supermodel supermodel --data my-data --latency-ms 5,10` and
    `bigfast search --profile my-cpu --supermodel supermodel --data my-data --backend onnxruntime-int8 --rows 2000`
    """
    from bigfast.backend import choose_variant, usable_backend
    from bigfast.cli.options import columns, limits
    from bigfast.cli.showing import Shown, milliseconds, show_json, show_table
    from bigfast.cpu import detect
    from bigfast.measure import Deployment
    from bigfast.pipeline.config import DEFAULT_SHARES
    from bigfast.pipeline.profiling import fits_machine
    from bigfast.profile import load_profile
    from bigfast.search import deployment_key

    asked = limits(latency_ms)
    machine = detect()
    loaded = load_profile(profile)
    fits_machine(loaded, machine, source=str(profile))
    key = deployment_key(loaded, backend)
    deployment = Deployment.parse(key)
    found = usable_backend(deployment.backend)
    size = loaded.size(batch=batch, length=length)

    from bigfast.pipeline.searching import Wanted, kept_search, limits_of, narrowed_for, run_search
    from bigfast.pipeline.task import read_task
    from bigfast.supermodel.saved import load_supermodel
    from bigfast.supermodel.teacher import load_teacher

    wanted = Wanted(
        profile=loaded,
        backend=found,
        options=choose_variant(found, dict(deployment.options), machine),
        deployment=deployment,
        size=size,
        limits_s=limits_of(loaded, key, size, asked, DEFAULT_SHARES),
        generations=generations,
        population=population,
        seed=seed,
    )
    narrowed_for(wanted)  # an infeasible limit ends here
    task = read_task(
        data,
        load_teacher(str(supermodel)),
        text_columns=columns(text_columns),
        label_column=label_column,
        seed=seed,
    )
    validation = task.validation.take(range(min(rows or len(task.validation), len(task.validation))))
    out.mkdir(parents=True, exist_ok=True)
    result = kept_search(
        out / "search.json",
        wanted,
        lambda: run_search(
            load_supermodel(supermodel)[0],
            wanted,
            validation,
            study=out / "study.sqlite",
            machine=machine,
            threads=machine.usable_cores or 1,
            teller=Shown(),
        ),
    )
    if json:
        show_json(result)
        return
    show_table(
        ("limit", "architecture", "accuracy", "measured"),
        [
            (
                milliseconds(limit["limit_s"]),
                limit["winner"],
                f"{winner['accuracy']:.2%}",
                milliseconds(winner["p50_s"]),
            )
            for limit in result["limits"]
            for winner in limit["measured"]
            if winner["arch"] == limit["winner"]
        ],
    )
