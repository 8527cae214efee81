"""``bigfast verify``: whether a model keeps its limit on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Json


def verify(
    model: Annotated[Path, typer.Argument(help="An exported model, or any stock BERT classifier's directory.")],
    latency_ms: Annotated[float | None, typer.Option(min=0.0, help="Default: the one it was found for.")] = None,
    backend: Annotated[str | None, typer.Option(help="Default: the one it was found for, else torch-int8.")] = None,
    length: Annotated[int | None, typer.Option(min=2, help="Tokens of a text.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the runtime.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Workers that answer at the same time.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long to measure.")] = 60.0,
    json: Json = False,
) -> None:
    """Measures a model in fresh processes and holds its median against the limit; exit code 3 if that fails.

    Examples: `bigfast verify runs/default/models/5ms` and `bigfast verify my-bert --latency-ms 8 --threads 2`
    """
    from bigfast.backend import choose_variant, parse_backend, read_stock, usable_backend, variant_name
    from bigfast.cli.showing import Shown, milliseconds, show_json
    from bigfast.cpu import detect
    from bigfast.deploy.export import DOCUMENT, read_export
    from bigfast.deploy.promise import measure_promise
    from bigfast.errors import InputError, PromiseBroken
    from bigfast.measure import Deployment, Protocol, Size

    machine, teller = detect(), Shown()
    read_stock(model)  # says what is wrong before anything is measured
    about = read_export(model) if (model / DOCUMENT).exists() else {}
    protocol = about.get("protocol", {})
    name, options = parse_backend(backend or about.get("backend", "torch-int8"))
    if backend is None:
        options = about.get("options", {})
    found = usable_backend(name)
    limit_ms = latency_ms if latency_ms is not None else about.get("limit_ms")
    if latency_ms is not None and latency_ms <= 0:
        raise InputError(f"--latency-ms must be above 0, not {latency_ms:g}")
    there = about.get("machine", {}).get("fingerprint")
    if there not in (None, machine.fingerprint):
        teller.say(f"It was measured on another machine ({about['machine']['model']}); its limit is tried here.")
    chosen = choose_variant(found, options, machine)
    size = Size(batch=protocol.get("batch", 1), length=length or protocol.get("length", 128))
    deployment = Deployment.of(
        name,
        chosen,
        threads=threads or protocol.get("threads", 1),
        concurrent=concurrent or protocol.get("concurrent", 1),
    )
    promise = measure_promise(
        model,
        deployment=deployment,
        size=size,
        protocol=Protocol(block_s=0.05),
        machine=machine,
        limit_s=None if limit_ms is None else limit_ms / 1e3,
        budget_s=seconds,
        told=lambda share: teller.progress(share, 1.0, "measuring in fresh processes"),
    )
    timing = promise.timing
    if json:
        show_json({"model": str(model), "backend": name, "variant": variant_name(chosen), **promise.to_json()})
    else:
        print(
            f"{model} on {deployment}, {size}: median "
            f"{milliseconds(timing.p50_s)}, 95 % interval {milliseconds(timing.p50_low_s)} to "
            f"{milliseconds(timing.p50_high_s)}"
            + (f", 90 % of calls within {milliseconds(timing.p90_s)}" if timing.p90_s else "")
            + f"; {timing.calls:,} calls in {promise.processes} processes, {timing.rejected} blocks rejected"
        )
        if limit_ms is not None and promise.holds:
            print(f"The limit of {limit_ms:.3g} ms holds.")
    if not promise.holds:
        raise PromiseBroken(
            f"The limit of {limit_ms:.3g} ms does not hold here: the median may be as high as "
            f"{milliseconds(timing.p50_high_s)}; {milliseconds(1.02 * timing.p50_high_s)} would"
        )
