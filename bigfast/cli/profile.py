"""``bigfast profile``: measures this CPU and fits its predictors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Json, Out, Seed

FROM_DATA = "data"


def profile(
    out: Out = Path("profile"),
    backend: Annotated[
        list[str] | None,
        typer.Option(help="What to measure, such as torch-int8 or torch-int8:engine=onednn; may be repeated."),
    ] = None,
    space: Annotated[str, typer.Option(help="Of which architectures: paper, aligned, or teacher.")] = "paper",
    teacher: Annotated[str | None, typer.Option(help="Bounds the space teacher: a directory or hub id.")] = None,
    count: Annotated[int, typer.Option(min=12, help="How many architectures.")] = 60,
    length: Annotated[
        str, typer.Option(help="Tokens of a text; a list like 32,128; or 'data', the lengths of --data.")
    ] = "128",
    batch: Annotated[str, typer.Option(help="Texts in a call; may be a list like 1,8.")] = "1",
    threads: Annotated[str, typer.Option(help="Threads of the runtime; may be a list like 1,2.")] = "1",
    concurrent: Annotated[int, typer.Option(min=1, help="Workers that answer at the same time, as a server's.")] = 1,
    data: Annotated[str | None, typer.Option(help="For --length data, with --teacher for its tokenizer.")] = None,
    rounds: Annotated[int, typer.Option(min=2, help="Blocks of calls for each architecture.")] = 14,
    probe: Annotated[bool, typer.Option(help="Measure the machine's peaks first, about ten seconds.")] = True,
    vocab: Annotated[int, typer.Option(min=100, help="Words of the embedding table.")] = 30522,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measures architectures on this machine and fits latency predictors: a profile that searches can reuse.

    Examples: `bigfast profile --out my-cpu` and
    `bigfast profile --backend torch-int8 --threads 1,2 --length 32,128 --count 40`
    """
    from bigfast.backend import local_directory, read_stock
    from bigfast.cli.options import whole_numbers
    from bigfast.cli.profiles import profile_json, show_profile
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.errors import InputError
    from bigfast.measure import Protocol, Size
    from bigfast.pipeline.config import DEFAULT_BACKENDS
    from bigfast.pipeline.profiling import chosen_deployments, ready_profile
    from bigfast.profile import Plan
    from bigfast.space import space_named

    machine, teller = detect(), Shown()
    if (length == FROM_DATA) != (data is not None):
        raise InputError("--length data and --data belong together: give both, or numbers of tokens alone")
    if data is None:
        lengths = whole_numbers(length, "--length")
    elif teacher is None:
        raise InputError("--length data needs a tokenizer: give the --teacher whose tokenizer it is")
    else:
        from bigfast.pipeline.lengths import lengths_of_data

        lengths = lengths_of_data(data, teacher, seed=seed)
        teller.say(f"Texts of {data} have {', '.join(map(str, lengths))} tokens at 10, 50 and 90 %")
    deployments = chosen_deployments(
        backend or DEFAULT_BACKENDS, machine, threads=whole_numbers(threads, "--threads"), concurrent=concurrent
    )
    busy = max(d.cores for d in deployments)
    if machine.usable_cores is not None and busy > machine.usable_cores:
        teller.say(f"{busy} threads share {machine.usable_cores} cores: each worker waits for the others at times")
    shape = None if teacher is None else read_stock(local_directory(teacher)).weights.shape
    plan = Plan.make(
        machine=machine,
        protocol=Protocol(rounds=rounds, seed=seed),
        space=space_named(space, teacher=shape),
        vocab=vocab,
        count=count,
        deployments=deployments,
        sizes=[Size(batch=texts, length=tokens) for tokens in lengths for texts in whole_numbers(batch, "--batch")],
    )
    found = ready_profile(plan, out, probe=probe, teller=teller)
    if json:
        show_json(profile_json(found))
    else:
        print(f"Profile written to {out}\n")
        show_profile(found)
