"""``bigfast backends``: what can run a model here, and how fast each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bigfast.cli.options import Json, Seed

if TYPE_CHECKING:
    from bigfast.cpu import Machine
    from bigfast.measure import Comparison


def backends(
    measure: Annotated[
        bool, typer.Option("--measure", help="Time every usable one on three models too, which takes minutes.")
    ] = False,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="With --measure: only these, such as torch-int8:engine=onednn; may be repeated."),
    ] = None,
    space: Annotated[str, typer.Option(help="With --measure: whose models, paper or aligned.")] = "paper",
    threads: Annotated[
        str | None, typer.Option(help="With --measure: a list like 1,2; otherwise 1 and all usable cores.")
    ] = None,
    length: Annotated[int, typer.Option(min=1, max=512, help="With --measure: tokens of a text.")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="With --measure: texts in a call.")] = 1,
    rounds: Annotated[int, typer.Option(min=2, help="With --measure: blocks of calls for each.")] = 8,
    out: Annotated[
        Path | None, typer.Option(help="With --measure: where to write a page, a figure and the numbers.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Lists the installed backends, whether each can be used here, and its variants.

    With --measure, it times all of them on a small, a middle and a large model and says whether int8 pays here.

    Examples: `bigfast backends`, `bigfast backends --measure --out here` and
    `bigfast backends --measure --backend torch-int8 --backend onnxruntime-int8 --threads 1`
    """
    from bigfast.cli.installed import installed
    from bigfast.cli.options import whole_numbers
    from bigfast.cli.showing import show_json, show_table
    from bigfast.cpu import detect

    machine = detect()
    if measure:
        counts = sorted({1, machine.usable_cores or 1}) if threads is None else whole_numbers(threads, "--threads")
        found = _measured(
            machine, names=backend, space=space, threads=counts, length=length, batch=batch, rounds=rounds, seed=seed
        )
        if json:
            show_json(found.to_json())
        else:
            _show(found)
        if out is not None:
            _write(found, out, quiet=json)
        return
    rows = installed(machine)
    if json:
        show_json({"backends": rows})
        return
    show_table(
        ("backend", "precision", "version", "variants", "here"),
        [
            (
                row["name"],
                row.get("precision", "-"),
                row.get("version") or "-",
                ", ".join(row.get("variants", ())) or "-",
                row["kernels"] if row["usable"] else row["reason"],
            )
            for row in rows
        ],
    )


def _measured(
    machine: Machine,
    *,
    names: list[str] | None,
    space: str,
    threads: Sequence[int],
    length: int,
    batch: int,
    rounds: int,
    seed: int,
) -> Comparison:
    from bigfast.cli.showing import Shown
    from bigfast.measure import Protocol, Size, compare, probe
    from bigfast.pipeline.profiling import all_variants, chosen_deployments
    from bigfast.profile import middle
    from bigfast.space import space_named

    shown = Shown()
    chosen = chosen_deployments(names or all_variants(machine), machine, threads=threads)
    found = space_named(space, teacher=None)
    archs = {"small": found.space.smallest, "middle": middle(found.space), "large": found.space.largest}
    peaks = probe(machine, tell=shown.progress)
    shown.progress(1, 1, "Probed")
    return compare(
        {name: found.shape(arch, vocab=30522, positions=512, labels=3) for name, arch in archs.items()},
        chosen,
        Protocol(rounds=rounds, seed=seed),
        machine=machine,
        peaks=peaks,
        size=Size(batch=batch, length=length),
        tell=shown.progress,
    )


def _show(found: Comparison) -> None:
    from bigfast.cli.showing import milliseconds, show_table

    for number, (model, description) in enumerate(found.models.items()):
        print(f"{chr(10) if number else ''}The {model} model: {description}; {found.size}\n")
        rows = []
        for row in found.rows:
            if row.model != model:
                continue
            if row.timing is None:
                rows.append((row.deployment, "-", "-", "-", "-", "-", "-", row.reason))
                continue
            cold, timing = row.cold, row.timing
            ends = f"[{timing.low_s * 1e3:.3g}, {timing.high_s * 1e3:.3g}]"
            rows.append(
                (
                    row.deployment,
                    f"{milliseconds(timing.estimate_s)} {ends}",
                    milliseconds(timing.p50_s),
                    "-" if row.share_of_peak is None else f"{row.share_of_peak:.0%}",
                    "-" if row.disagreement is None else f"{row.disagreement:.2%}",
                    "-" if cold is None else milliseconds(cold.first_logits_s),
                    "-" if cold is None else f"{cold.resident_bytes / 2**20:.0f} MiB",
                    "-" if cold is None else f"{cold.file_bytes / 2**20:.1f} MiB",
                )
            )
        header = ("deployment", "latency", "median", "of peak", "from fp32", "first logits", "memory", "files")
        show_table(header, rows)
    print(f"\n{found.advice}")


def _write(found: Comparison, out: Path, *, quiet: bool) -> None:
    from bigfast.report import write_backends

    page = write_backends(found, out)
    if not quiet:
        print(f"Page written to {page}")
