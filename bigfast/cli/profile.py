"""``bigfast profile``: measures this CPU and fits its predictors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Json, Out, Seed


def profile(
    out: Out = Path("profile"),
    backend: Annotated[
        list[str] | None,
        typer.Option(help="What to measure, such as torch-int8 or torch-int8:engine=onednn; may be repeated."),
    ] = None,
    space: Annotated[str, typer.Option(help="Of which architectures: paper, aligned, or teacher.")] = "paper",
    teacher: Annotated[str | None, typer.Option(help="Bounds the space teacher: a directory or hub id.")] = None,
    count: Annotated[int, typer.Option(min=12, help="How many architectures.")] = 60,
    length: Annotated[int, typer.Option(min=2, help="Tokens of a text.")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="Texts in a call.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtime.")] = 1,
    vocab: Annotated[int, typer.Option(min=100, help="Words of the embedding table.")] = 30522,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measures architectures on this machine and fits latency predictors: a profile that searches can reuse.

    Examples: `bigfast profile --out my-cpu` and
    `bigfast profile --backend torch-int8 --backend torch-fp32 --threads 2 --count 40`
    """
    from bigfast.backend import local_directory, read_stock
    from bigfast.cli.profiles import profile_json, show_profile
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.measure import Protocol
    from bigfast.pipeline.config import DEFAULT_BACKENDS
    from bigfast.pipeline.profiling import chosen_variants, ready_profile
    from bigfast.profile import Plan
    from bigfast.space import space_named

    machine = detect()
    shape = None if teacher is None else read_stock(local_directory(teacher)).weights.shape
    plan = Plan.make(
        machine=machine,
        protocol=Protocol(batch=batch, length=length, threads=threads, seed=seed),
        space=space_named(space, teacher=shape),
        vocab=vocab,
        count=count,
        variants=chosen_variants(backend or DEFAULT_BACKENDS, machine),
    )
    found = ready_profile(plan, out, teller=Shown())
    if json:
        show_json(profile_json(found))
    else:
        print(f"Profile written to {out}\n")
        show_profile(found)
