"""What a search looks like: its progress under each limit, and accuracy against latency."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bigfast.errors import InputError
from bigfast.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, Drawing, drawn, layer_colours
from bigfast.report.documents import Evaluated, LimitFound, Measured, ModelDocument, SearchDocument
from bigfast.report.units import limit, ms, percent, plain
from bigfast.space import Arch

CANDIDATES = "candidates"  # gid of the scatter that tells about its points


def standard_error(accuracy: float, rows: int) -> float:
    """Of a share of independent rows (binomial), as a share."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / rows)


def layers_of(arch: str) -> int:
    """Number of layers of an architecture in words; 0 where it has none."""
    try:
        return Arch.parse(arch)["e"]
    except (InputError, KeyError):
        return 0


def _scores(evaluations: tuple[Evaluated, ...]) -> np.ndarray:
    """Accuracies in the order evaluated, shape (evaluations,), NaN where one failed."""
    return np.array([math.nan if e.accuracy is None else e.accuracy for e in evaluations])


def progress_drawing(search: SearchDocument, found: LimitFound, number_on_page: int) -> Drawing | None:
    """Accuracy of each evaluation in its order, and the best so far; None where nothing succeeded.

    All limits of a search share the range of accuracies, so that their figures can be compared.
    """
    scores = _scores(found.evaluations)
    if not np.isfinite(scores).any():
        return None
    places = np.arange(1, len(scores) + 1)
    best = np.fmax.accumulate(scores)
    error = np.sqrt(best * (1 - best) / search.rows)
    everything = np.concatenate([_scores(other.evaluations) for other in search.limits])
    low, high = np.nanmin(everything), np.nanmax(everything)
    margin = 0.08 * (high - low) + standard_error(float(high), search.rows)
    good = np.isfinite(scores)

    def draw(figure: Figure, axes: Axes) -> None:
        axes.fill_between(
            places, 100 * (best - error), 100 * (best + error), step="post", color=ORANGE, alpha=0.16, lw=0,
            label="± 1 standard error",
        )  # fmt: skip
        axes.scatter(
            places[good], 100 * scores[good], s=16, color=BLUE, alpha=0.75, linewidths=0, label="candidate",
            gid=CANDIDATES, zorder=3,
        )  # fmt: skip
        axes.step(places, 100 * best, where="post", color=ORANGE, lw=1.6, label="best so far")
        axes.set(xlabel="candidates evaluated", ylabel="accuracy in int8 (%)")
        axes.set(xlim=(0, len(scores) + 1), ylim=(100 * (low - margin), 100 * (high + margin)))
        axes.set_title(f"within {limit(found.limit_s)}")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)

    failed = int((~good).sum())
    return Drawing(
        name=f"progress-{number_on_page}",
        figure=drawn(draw),
        alt=f"Accuracy of {len(scores)} candidates in the order evaluated; the best so far rises from "
        f"{percent(float(best[good][0]))} to {percent(float(best[-1]))}.",
        caption=f"{len(scores)} candidates on {search.rows:,} validation rows each"
        + (f"; {failed} failed and are left out." if failed else "."),
        tips={CANDIDATES: [f"{e.arch}: {percent(e.accuracy)}" for e in found.evaluations if e.accuracy is not None]},
    )


def front_drawing(search: SearchDocument, models: tuple[ModelDocument, ...]) -> Drawing | None:
    """Accuracy against latency of all that was evaluated, the measured finalists, and the exported models."""
    once = {e.arch: e for found in search.limits for e in found.evaluations}
    shown = [(e.arch, e.accuracy, e.predicted_s) for e in once.values()]
    points = [(arch, score, s) for arch, score, s in shown if score is not None and s is not None]
    if not points:
        return None
    winners = [m for found in search.limits for m in found.measured if m.arch == found.winner]
    others = [m for found in search.limits for m in found.measured if m.arch != found.winner]

    def draw(figure: Figure, axes: Axes) -> None:
        layers = [layers_of(arch) for arch, _, _ in points]
        axes.scatter(
            [s * 1e3 for _, _, s in points], [100 * score for _, score, _ in points], s=20,
            c=layer_colours(figure, axes, layers)(layers), edgecolors="white", linewidths=0.4, zorder=3, gid=CANDIDATES,
            label="candidate, predicted",
        )  # fmt: skip
        _limits(axes, search)
        _finalists(axes, others, search.rows, "o", MUTED, "measured, not chosen")
        _finalists(axes, winners, search.rows, "*", ORANGE, "winner, measured")
        _exported(axes, models)
        axes.set(xlabel=f"latency on {plain(search.key)} (ms)", ylabel="accuracy in int8 (%)")
        axes.set_title("accuracy against latency", pad=18)
        axes.set_xlim(left=0)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    further = {f"{m.accuracy.n:,}" for m in models if m.accuracy.n} - {f"{search.rows:,}"}
    told = "; ".join(f"{m.arch}: {percent(m.accuracy)} at {ms(m.p50_s)}" for m in winners) or "none yet"
    return Drawing(
        name="front",
        figure=drawn(draw, size=(4.8, 4.4)),
        alt=f"Scatter of accuracy against latency of {len(points)} candidates. Winners: {told}.",
        caption=f"{len(points)} candidates at their predicted median latency, accuracy on {search.rows:,} validation "
        "rows; finalists at their measured latency. "
        + (f"Exported models are judged on {' and '.join(sorted(further))} rows. " if further else "")
        + "Bars: 95 % intervals of the median, and one standard error of "
        "the accuracy. Dashed lines are the limits.",
        tips={CANDIDATES: [f"{arch}: {percent(score)}, predicted {ms(s)}" for arch, score, s in points]},
    )


def _limits(axes: Axes, search: SearchDocument) -> None:
    for found in search.limits:
        axes.axvline(found.limit_s * 1e3, color=INK, lw=1.0, ls=(0, (4, 3)), zorder=1)
        at = (found.limit_s * 1e3, 1.01)
        axes.text(*at, limit(found.limit_s), transform=axes.get_xaxis_transform(), ha="center", va="bottom", size=8)


def _finalists(axes: Axes, finalists: list[Measured], rows: int, marker: str, colour: str, label: str) -> None:
    if not finalists:
        return
    x = np.array([m.p50_s for m in finalists])
    bars = [[max(m.p50_s - m.p50_low_s, 0) * 1e3, max(m.p50_high_s - m.p50_s, 0) * 1e3] for m in finalists]
    axes.errorbar(
        x * 1e3, [100 * m.accuracy for m in finalists], xerr=np.array(bars).T,
        yerr=[100 * standard_error(m.accuracy, rows) for m in finalists], fmt=marker, color=colour, elinewidth=1.0,
        markersize=12 if marker == "*" else 6, markerfacecolor=colour if marker == "*" else "none", zorder=5,
        markeredgecolor="white" if marker == "*" else colour, label=label,
    )  # fmt: skip


def _exported(axes: Axes, models: tuple[ModelDocument, ...]) -> None:
    measured = [(m.latency, m.accuracy.int8, m.accuracy.n) for m in models]
    done = [(latency, share, n) for latency, share, n in measured if latency is not None and share is not None]
    if not done:
        return
    x = np.array([latency.p50_s for latency, _, _ in done])
    bars = [[max(t.p50_s - t.p50_low_s, 0) * 1e3, max(t.p50_high_s - t.p50_s, 0) * 1e3] for t, _, _ in done]
    axes.errorbar(
        x * 1e3, [100 * share for _, share, _ in done], xerr=np.array(bars).T,
        yerr=[100 * standard_error(share, n) if n else 0.0 for _, share, n in done], fmt="D", color=GREEN,
        elinewidth=1.0, markersize=6, markeredgecolor="white", label="exported, after post-training", zorder=6,
    )  # fmt: skip
