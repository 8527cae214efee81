"""``bigfast run``: the whole way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Json, LabelColumn, LatencyMs, Out, TextColumns


def run(
    config: Annotated[Path | None, typer.Argument(help="A TOML file of the same options; options given win.")] = None,
    out: Out = Path("runs/default"),
    data: Annotated[
        str | None, typer.Option(help="'synthetic' (the default), a directory, or hf:REPOSITORY:CONFIG.")
    ] = None,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    teacher: Annotated[str | None, typer.Option(help="A fine-tuned BERT classifier: a directory or hub id.")] = None,
    space: Annotated[str | None, typer.Option(help="teacher (the default), paper, or aligned.")] = None,
    start: Annotated[str | None, typer.Option(help="Of the supermodel: teacher (the default) or scratch.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="The backend to deploy on; the default is the fastest int8 here.")
    ] = None,
    backends: Annotated[str | None, typer.Option(help="What to profile, separated by commas.")] = None,
    latency_ms: LatencyMs = None,
    length: Annotated[int | None, typer.Option(min=2, help="Tokens of a timed text; default: the data's.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the timed runtime.")] = None,
    profile: Annotated[str | None, typer.Option(help="A saved profile of this machine to use.")] = None,
    architectures: Annotated[int | None, typer.Option(min=12, help="How many to measure.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="For everything together; the default is 8.")] = None,
    generations: Annotated[int | None, typer.Option(min=1, help="Of the search; the default is 4.")] = None,
    population: Annotated[int | None, typer.Option(min=1, help="Children of a generation; the default is 25.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    json: Json = False,
) -> None:
    """Goes the whole way: profiles this CPU, trains, searches, and exports a quantized model for each limit.

    Without options it needs no network and no data: a synthetic task is generated and its teacher trained.

    Examples: `bigfast run` and
    `bigfast run --data my-data --teacher my-teacher --latency-ms 5,10 --minutes 30 --out runs/mine`
    """
    from bigfast.cli.options import columns, limits
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.errors import PromiseBroken
    from bigfast.pipeline.config import checked_config, read_config

    given = {
        "data": data,
        "text_columns": columns(text_columns),
        "label_column": label_column,
        "teacher": teacher,
        "space": space,
        "start": start,
        "backend": backend,
        "backends": columns(backends),
        "latency_ms": limits(latency_ms) or None,
        "length": length,
        "threads": threads,
        "profile": profile,
        "architectures": architectures,
        "minutes": minutes,
        "generations": generations,
        "population": population,
        "seed": seed,
    }
    values = {} if config is None else read_config(config)
    values |= {name: value for name, value in given.items() if value is not None}
    checked = checked_config(values, source="the options" if config is None else str(config))

    from bigfast.pipeline.run import run as run_all  # loads torch, so only once the options are known to be right

    outcome = run_all(checked, out, machine=detect(), teller=Shown())
    if json:
        show_json(
            {"directory": str(out), "models": outcome.models, "report": str(outcome.report), "holds": outcome.holds}
        )
    else:
        for name, about in outcome.models.items():
            print(f"{outcome.root / 'models' / name}: {about['arch']}")
        print(outcome.report)
    if not outcome.holds:
        broken = [name for name, about in outcome.models.items() if not about["latency"]["holds"]]
        raise PromiseBroken(
            f"Measured at the end, the limit of {', '.join(broken)} does not hold: see {outcome.report}; "
            "the machine may have been busy, 'bigfast verify' measures again"
        )
