"""One style for every figure, and the way from a figure to PNG or into a page.

No pyplot: nothing here depends on a display or leaves a global state behind.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, to_hex
from matplotlib.figure import Figure

SIZE = (4.6, 3.6)  # inches of one panel: on a phone's 360 pixels its text is still read

INK, MUTED, FAINT = "#22303c", "#66727d", "#d9dee3"
BLUE, ORANGE, GREEN = "#2f6690", "#d1602a", "#3a7d44"

# Any: before 3.11 matplotlib's settings are typed by str, since then by their names.
STYLE: Any = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlepad": 10.0,
    "figure.facecolor": "white",
    "font.family": ["sans-serif"],
    "font.size": 9.0,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.0,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "svg.fonttype": "none",  # text stays text: it can be selected, and a screen reader finds it
    "svg.hashsalt": "bigfast",
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """A figure for the page.

    Attributes:
        name: Distinct on its page; letters, digits and dashes.
        figure: The figure itself.
        alt: What somebody who cannot see it should know.
        caption: What everybody should know.
        tips: For the gid of a scatter, what to tell about each of its points, in their order.
    """

    name: str
    figure: Figure
    alt: str
    caption: str
    tips: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def svg(self) -> str:
        """The figure as an ``svg`` element with the drawing's own ids."""
        return svg(self)


def drawn(*panels: Callable[[Figure, Axes], None], size: tuple[float, float] = SIZE) -> Figure:
    """A figure with one panel beside the other.

    Args:
        panels: Each draws one.
        size: Inches of one panel.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(size[0] * len(panels), size[1]), layout="constrained")
        for place, draw in enumerate(panels, start=1):
            draw(figure, figure.add_subplot(1, len(panels), place))
    return figure


def layer_colours(figure: Figure, axes: Axes, layers: Sequence[int]) -> Callable[[Sequence[int]], list[str]]:
    """Adds a scale of colours, one for each number of layers, and returns the colours of numbers of layers."""
    known = sorted(set(layers))
    ramp = mpl.colormaps["viridis_r"]
    shades = ListedColormap([ramp(0.12 + 0.88 * place / max(len(known) - 1, 1)) for place in range(len(known))])
    norm = BoundaryNorm(np.arange(len(known) + 1) - 0.5, shades.N)
    scale = figure.colorbar(ScalarMappable(norm, shades), ax=axes, aspect=30, pad=0.02, ticks=range(len(known)))
    scale.ax.set_yticklabels([str(count) for count in known])
    scale.set_label("layers e")
    scale.outline.set_visible(False)
    scale.ax.minorticks_off()
    scale.ax.tick_params(length=0)
    return lambda counts: [to_hex(shades(known.index(count))) for count in counts]


def image(figure: Figure, path_format: str) -> bytes:
    """A figure as a file: ``png``, ``svg`` or ``pdf``. Equal figures give equal bytes."""
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(path_format, {})
    content = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(content, format=path_format, dpi=144, metadata=metadata)
    return content.getvalue()


def svg(drawing: Drawing) -> str:
    """A drawing as an ``svg`` element for a page: as wide as it may be, with its own ids, its alt text and its tips."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(image(drawing.figure, "svg"))
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for gid, tips in drawing.tips.items():
        _tell(root, gid, tips)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, f"{drawing.name}-{value}")
            elif name.endswith("href") and value.startswith("#"):
                element.set(name, f"#{drawing.name}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, re.sub(r"url\(#", f"url(#{drawing.name}-", value))
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", drawing.alt)
    return ElementTree.tostring(root, encoding="unicode")


def _tell(root: ElementTree.Element, gid: str, tips: Sequence[str]) -> None:
    group = next(element for element in root.iter() if element.get("id") == gid)
    points = list(group.iter(f"{{{_SVG}}}use"))
    for point, tip in zip(points, tips, strict=True):
        ElementTree.SubElement(point, f"{{{_SVG}}}title").text = tip
