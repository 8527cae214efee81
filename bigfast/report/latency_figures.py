"""What a profile looks like: int8 against float32 (the paper's Figure 2), and predicted against measured."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bigfast.measure import Timing
from bigfast.profile import Profile, unseen_archs
from bigfast.report.canvas import BLUE, INK, MUTED, ORANGE, Drawing, drawn, image, layer_colours
from bigfast.report.pairings import Line, Pairing, pairings, unpaired
from bigfast.report.units import SPACE, ms, number, percent, plain

Panel = Callable[[Figure, Axes], None]

POINTS = "points"  # gid of the scatter that tells about its points


def equation(line: Line) -> str:
    """As the paper writes it: ``fp32 = 1.75 x int8 - 2.65 ms``."""
    sign = "-" if line.offset_s < 0 else "+"
    return f"fp32 = {line.slope:.2f} x int8 {sign} {number(abs(line.offset_s) * 1e3)} ms"


def _bars(timings: Sequence[Timing]) -> np.ndarray:
    """Lengths of error bars below and above the median, shape (2, timings), ms."""
    below = [max(t.p50_s - t.p50_low_s, 0.0) * 1e3 for t in timings]
    above = [max(t.p50_high_s - t.p50_s, 0.0) * 1e3 for t in timings]
    return np.array([below, above])


def _scatter(
    figure: Figure, axes: Axes, layers: Sequence[int], x: np.ndarray, y: np.ndarray, *, x_bars: np.ndarray | None,
    y_bars: np.ndarray,
) -> None:  # fmt: skip
    colours = layer_colours(figure, axes, layers)(layers)
    axes.errorbar(x, y, xerr=x_bars, yerr=y_bars, fmt="none", ecolor=MUTED, elinewidth=0.8, zorder=2)
    axes.scatter(x, y, c=colours, s=22, edgecolors="white", linewidths=0.4, zorder=3, gid=POINTS)


def pairing_panel(pairing: Pairing) -> Panel:
    """int8 over float32 latency of each architecture, and the fitted line."""

    def draw(figure: Figure, axes: Axes) -> None:
        x = np.array([t.p50_s for t in pairing.fp32]) * 1e3
        y = np.array([t.p50_s for t in pairing.int8]) * 1e3
        layers = [arch["e"] for arch in pairing.archs]
        _scatter(figure, axes, layers, x, y, x_bars=_bars(pairing.fp32), y_bars=_bars(pairing.int8))
        line = pairing.line
        if line is not None:
            ends = np.array([y.min(), y.max()])
            axes.plot(line.slope * ends + line.offset_s * 1e3, ends, color=ORANGE, lw=1.4, label=equation(line))
        top = 1.06 * max(x.max(), y.max())
        axes.plot([0, top], [0, top], color=MUTED, lw=0.9, ls=(0, (4, 3)), label="equally fast", zorder=1)
        axes.set(xlim=(0, 1.06 * x.max()), ylim=(0, 1.1 * y.max()))
        axes.set(xlabel=f"{plain(pairing.fp32_key)}, median latency (ms)", ylabel="int8, median latency (ms)")
        axes.set_title(plain(pairing.int8_key))
        axes.legend(loc="lower right")

    return draw


def pairing_drawing(pairing: Pairing, number_on_page: int) -> Drawing:
    """Figure 2 of one pairing, for a page."""
    line, speedups = pairing.line, pairing.speedups
    fitted = f" The fitted line is {equation(line)} (R²{SPACE}{line.r_squared:.2f})." if line else ""
    gain = f"in the median int8 is {np.median(speedups):.2f} times as fast"
    tips = [
        f"{arch}: int8 {ms(fast.p50_s)}, float32 {ms(slow.p50_s)}"
        for arch, fast, slow in zip(pairing.archs, pairing.int8, pairing.fp32, strict=True)
    ]
    return Drawing(
        name=f"pairing-{number_on_page}",
        figure=drawn(pairing_panel(pairing)),
        alt=f"Scatter of int8 against float32 latency on {pairing.runtime}: {gain} as float32.{fitted}",
        caption=f"{len(pairing.archs)} architectures on {pairing.runtime}; bars are 95 % intervals of the median."
        f"{fitted} Points below the dashed line are faster in int8.",
        tips={POINTS: tips},
    )


def prediction_drawing(profile: Profile, key: str, number_on_page: int) -> Drawing:
    """Predicted against measured median latency of one key with a predictor, for a page."""
    rows, fitted = profile.of(key), profile.fitted[key]
    timings = [m.timing for m in rows if m.timing is not None]
    found = profile.predict_p50(key, [m.arch for m in rows], sizes=[m.size for m in rows])
    measured_s = np.array([t.p50_s for t in timings])
    unseen = unseen_archs(profile, key)

    def draw(figure: Figure, axes: Axes) -> None:
        x, y = measured_s * 1e3, found.seconds * 1e3
        top = 1.06 * max(x.max(), y.max())
        axes.plot([0, top], [0, top], color=BLUE, lw=1.0, label="exact", zorder=1)
        upper = np.array([np.zeros(len(y)), np.maximum(found.upper - found.seconds, 0.0) * 1e3])
        _scatter(figure, axes, [m.arch["e"] for m in rows], x, y, x_bars=_bars(timings), y_bars=upper)
        held_out = np.array([m.arch in unseen for m in rows])
        axes.scatter(x[held_out], y[held_out], s=90, facecolors="none", edgecolors=INK, lw=0.9, label="never fitted on")
        axes.set(xlim=(0, 1.06 * x.max()), ylim=(0, 1.06 * max(y.max(), (found.upper * 1e3).max())))
        axes.set(xlabel="measured median latency (ms)", ylabel="predicted (ms)", title=plain(key))
        axes.legend(loc="lower right")

    error = f"{percent(fitted.unseen.mape)} in the mean over {fitted.unseen.n} rows that the fit never saw"
    tips = [
        f"{m.arch}: measured {ms(measured)}, predicted {ms(predicted)}"
        for m, measured, predicted in zip(rows, measured_s, found.seconds, strict=True)
    ]
    return Drawing(
        name=f"prediction-{number_on_page}",
        figure=drawn(draw),
        alt=f"Scatter of predicted against measured latency on {plain(key)}; the error is {error}.",
        caption=f"Predictor {fitted.predictor.kind}: its error is {error}. The points are all {len(rows)} rows; the "
        f"{fitted.fitting_rows} without a ring were fitted on; bars: up to the 90 % bound, and the median's interval.",
        tips={POINTS: tips},
    )


def latency_figure(profile: Profile, path_format: str = "png") -> bytes:
    """The paper's Figure 2 for a profile: one panel for each int8 key whose runtime was measured in float32 as well.

    Args:
        profile: What was measured.
        path_format: ``png``, ``svg`` or ``pdf``.

    Returns:
        The file's bytes; a sentence in a picture where no int8 backend has its float32 beside it.
    """
    panels = [pairing_panel(pairing) for pairing in pairings(profile)]
    if not panels:
        sentences = " ".join(unpaired(profile)) or "Nothing was measured."
        panels = [_sentence(f"No figure of int8 against float32. {sentences}")]
    return image(drawn(*panels), path_format)


def _sentence(text: str) -> Panel:
    def draw(figure: Figure, axes: Axes) -> None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, textwrap.fill(text, 48), ha="center", va="center", color=INK, transform=axes.transAxes)

    return draw
