"""How one profile's measuring went: every block over time, the drift meter, and what was rejected and why."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bigfast.measure import rejected_blocks
from bigfast.profile import Profile
from bigfast.report.canvas import BLUE, GREEN, INK, MUTED, ORANGE, Drawing, drawn
from bigfast.report.units import percent

SIZE = (9.2, 3.9)  # inches: minutes need width
LONG_S = 180.0
HIGHEST = 1.0  # a share above the fastest: what lies higher is drawn at the upper edge
REASONS = {"steal": "^", "throttled": "v", "waited": "x", "anchor": "s"}  # first word of a rejection


def measuring_drawing(profile: Profile) -> Drawing | None:
    """Every block's median above the fastest block of the same model, over time; None where there are no samples.

    A burst of interference is a column of points that are high at the same time.
    """
    if not profile.blocks:
        return None
    blocks = profile.blocks
    reasons = rejected_blocks(blocks, profile.protocol)
    started_s = np.array([block.started_s for block in blocks])
    in_minutes = started_s.max() > LONG_S
    moments = started_s / 60 if in_minutes else started_s
    medians_s = np.array([float(np.median(block.samples_s)) for block in blocks])
    subjects = np.array([block.subject for block in blocks])
    fastest_s = {place: medians_s[subjects == place].min() for place in set(subjects.tolist())}
    above = medians_s / np.array([fastest_s[place] for place in subjects.tolist()]) - 1
    anchors = np.array([block.is_anchor for block in blocks])
    rejected = np.array([reason is not None for reason in reasons])

    def draw(figure: Figure, axes: Axes) -> None:
        shown = np.minimum(above, HIGHEST) * 100
        good = ~anchors & ~rejected
        axes.scatter(moments[good], shown[good], s=9, color=BLUE, alpha=0.45, lw=0, label="accepted block")
        for word, marker in REASONS.items():
            of_kind = np.array([reason is not None and reason.startswith(word) for reason in reasons])
            if of_kind.any():
                label = {"waited": "waited for a core", "anchor": "near a slow anchor"}.get(word, word)
                axes.scatter(
                    moments[of_kind], shown[of_kind], s=20, color=ORANGE, marker=marker, lw=0.9,
                    label=f"rejected: {label} ({of_kind.sum()})",
                )  # fmt: skip
        low, high = (
            [float(np.quantile(blocks[i].samples_s, q)) for i in np.flatnonzero(anchors)] for q in (0.25, 0.75)
        )
        if anchors.any():
            middle = shown[anchors]
            scale = 100 / np.array([fastest_s[place] for place in subjects[anchors].tolist()])
            bars = [np.maximum(middle - (np.array(low) * scale - 100), 0), np.array(high) * scale - 100 - middle]
            axes.errorbar(
                moments[anchors], middle, yerr=np.clip(bars, 0, 100 * HIGHEST), color=GREEN, elinewidth=0.6, lw=1.2,
                 marker="o", ms=2.5, label="anchor, with quartiles of its calls", zorder=3,
            )  # fmt: skip
        axes.axhline(0, color=MUTED, lw=0.8)
        top = min(100 * HIGHEST, max(10.0, 1.1 * float(shown.max())))
        axes.set(ylim=(-0.04 * top, 1.04 * top), xlabel=f"time ({'min' if in_minutes else 's'})")
        axes.set_ylabel("median above the fastest\nblock of the same model (%)")
        axes.set_title("The measuring over time", color=INK)
        figure.legend(loc="outside lower center", ncols=4)

    share = percent(float(rejected.mean()))
    spread = percent(float(np.median(above[anchors]))) if anchors.any() else "-"
    return Drawing(
        name="measuring",
        figure=drawn(draw, size=SIZE),
        alt=f"Blocks over time: {share} of {len(blocks)} were rejected; the anchor lies {spread} above its fastest "
        "block in the median.",
        caption=f"Each point is a block of calls, {len(blocks)} in all, of which {share} were rejected and measured "
        f"again. A column of high points is somebody else's work on this machine; blocks above {HIGHEST:.0%} are "
        "drawn at the edge.",
    )
