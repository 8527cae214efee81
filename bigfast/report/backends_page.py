"""Every backend on the same models: a figure, and a page of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bigfast.cpu import describe
from bigfast.measure import Comparison, Deployment, threads_in_words
from bigfast.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, Drawing, drawn, image
from bigfast.report.documents import BackendsDocument, Compared
from bigfast.report.run_directory import BACKENDS
from bigfast.report.templates import render, shown
from bigfast.store import write_bytes, write_json, write_text

COLOURS = {"fp32": MUTED, "bf16": GREEN, "int8": BLUE}
MARKERS = "osD^v"  # for the first, second, ... thread count
WIDTH, ROW, EDGE = 3.4, 0.24, 1.5  # inches: of a panel, of a row in it, above and below all rows


def write_backends(comparison: Comparison, directory: Path) -> Path:
    """Writes a comparison as ``backends.json``, ``.png`` and ``.html`` into a directory, and returns the page's path.

    Raises:
        StorageError: they cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    content = comparison.to_json()
    document = BackendsDocument.model_validate(content)
    drawing = backends_drawing(document)
    page = render(
        "backends.html.j2",
        machine=comparison.machine,
        facts=describe(comparison.machine),
        comparison=document,
        comparison_figures=[shown(drawing)],
    )
    write_json(directory / BACKENDS, content)
    write_bytes(directory / "backends.png", image(drawing.figure, "png"))
    write_text(directory / "backends.html", page)
    return directory / "backends.html"


def backends_drawing(document: BackendsDocument) -> Drawing:
    """Latency of every backend, a panel for each model, a line for each backend and variant."""
    timed = [row for row in document.rows if row.timing]
    lines = list(dict.fromkeys(_name(row) for row in timed))
    threads = sorted({Deployment.parse(row.deployment).threads for row in timed})

    def draw(model: str, place: int, figure: Figure, axes: Axes) -> None:
        for row in timed:
            if row.model == model and row.timing:
                colour = COLOURS.get(row.precision, ORANGE)
                x, low, high = (1e3 * s for s in (row.timing.estimate_s, row.timing.low_s, row.timing.high_s))
                count = Deployment.parse(row.deployment).threads
                marker = MARKERS[min(threads.index(count), len(MARKERS) - 1)]
                axes.errorbar(
                    x, lines.index(_name(row)), xerr=np.array([[max(x - low, 0.0)], [max(high - x, 0.0)]]), fmt=marker,
                    color=colour, ecolor=colour, elinewidth=1.0, ms=5, mfc=colour if count == threads[0] else "white",
                )  # fmt: skip
        axes.set(xlim=(0, None), ylim=(len(lines) - 0.5, -0.5), xlabel="latency (ms)")
        axes.set_yticks(range(len(lines)), lines if place == 0 else [""] * len(lines))
        axes.set_title(f"{model} model", color=INK)
        if place == 0:
            figure.legend(handles=_legend(timed, threads), loc="outside lower center", ncols=5)

    models = [model for model in document.models if any(row.model == model for row in timed)]
    panels = [
        (lambda figure, axes, model=model, place=place: draw(model, place, figure, axes))
        for place, model in enumerate(models)
    ]
    return Drawing(
        name="backends",
        figure=drawn(*panels, size=(WIDTH, ROW * len(lines) + EDGE)),
        alt=f"Latency of {len(lines)} backends and variants on {len(models)} models. {document.advice}",
        caption="What one in ten calls stays below, with its 95 % interval by bootstrap over blocks of calls; often "
        "narrower than its mark.",
    )


def _name(row: Compared) -> str:
    return row.deployment.partition("@")[0].removesuffix(":default")


def _legend(rows: list[Compared], threads: list[int]) -> list[Line2D]:
    found = {row.precision for row in rows}
    colours = [
        Line2D([], [], color=colour, marker="o", lw=0, label=precision)
        for precision, colour in COLOURS.items()
        if precision in found
    ]
    marks = [
        Line2D([], [], color=INK, marker=MARKERS[min(place, len(MARKERS) - 1)], lw=0, label=threads_in_words(count),
               mfc=INK if place == 0 else "white")
        for place, count in enumerate(threads)
    ]  # fmt: skip
    return [*colours, *marks]
