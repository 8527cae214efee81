"""One self-contained HTML page about a run: nothing in it is fetched from anywhere, and nothing in it runs."""

from __future__ import annotations

from pathlib import Path

from bigfast.cpu import describe
from bigfast.report.backends_page import backends_drawing
from bigfast.report.canvas import Drawing
from bigfast.report.latency_figures import pairing_drawing, prediction_drawing
from bigfast.report.measuring_figure import measuring_drawing
from bigfast.report.pairings import pairings, unpaired
from bigfast.report.results import backend_rows, gain, results
from bigfast.report.run_directory import Run, read_run
from bigfast.report.search_figures import front_drawing, progress_drawing
from bigfast.report.templates import render, shown
from bigfast.store import write_text

TEMPLATE = "page.html.j2"
PAGE = "report.html"


def write_report(directory: Path) -> Path:
    """Writes ``report.html`` into a run's directory, and returns its path.

    A run that has not finished gets a page of what there is, which names the stages that are missing.

    Raises:
        InputError: the directory is not a run's.
        StorageError: the page cannot be written.
    """
    page = page_of(read_run(directory))
    write_text(directory / PAGE, page)
    return directory / PAGE


def page_of(run: Run) -> str:
    """The page of a run, as HTML."""
    profile, search = run.profile, run.search
    paired = pairings(profile) if profile else ()
    fitted = [key for key in profile.keys if key in profile.fitted and profile.of(key)] if profile else []
    progress = [progress_drawing(search, found, n) for n, found in enumerate(search.limits)] if search else []
    return render(
        TEMPLATE,
        run=run,
        results=results(run),
        facts=describe(run.machine) if run.machine else (),
        gains=[gain(pairing) for pairing in paired],
        alone=unpaired(profile) if profile else (),
        backends=backend_rows(profile) if profile else (),
        pairing_figures=[shown(pairing_drawing(pairing, n)) for n, pairing in enumerate(paired)],
        prediction_figures=[shown(prediction_drawing(profile, key, n)) for n, key in enumerate(fitted) if profile],
        measuring_figures=[shown(drawing) for drawing in (measuring_drawing(profile),) if drawing] if profile else [],
        progress_figures=[shown(drawing) for drawing in progress if drawing],
        comparison=run.backends,
        comparison_figures=[shown(backends_drawing(run.backends))] if run.backends else [],
        front_figures=[shown(drawing) for drawing in _front(run)],
    )


def _front(run: Run) -> tuple[Drawing, ...]:
    drawing = front_drawing(run.search, tuple(model.document for model in run.models)) if run.search else None
    return (drawing,) if drawing else ()
