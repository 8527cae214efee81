"""How every benchmark ends: one line a figure, and the same as JSON if asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure and the bar that it is held against; ``holds`` is None where it cannot be said."""

    name: str
    value: float | None
    bar: str
    holds: bool | None
    why: str = ""


def at_most(name: str, value: float, bar: float, *, why: str = "") -> Figure:
    """A figure that should not exceed its bar."""
    return Figure(name=name, value=value, bar=f"at most {bar:g}", holds=value <= bar, why=why)


def at_least(name: str, value: float, bar: float, *, why: str = "") -> Figure:
    """A figure that should reach its bar."""
    return Figure(name=name, value=value, bar=f"at least {bar:g}", holds=value >= bar, why=why)


def unknown(name: str, bar: str, why: str) -> Figure:
    """A figure that cannot be measured here and now."""
    return Figure(name=name, value=None, bar=bar, holds=None, why=why)


def show(figures: Sequence[Figure], file: Path | None) -> None:
    """Prints a line a figure, and writes the file."""
    words = {True: "holds", False: "falls short", None: "not measured"}
    for figure in figures:
        value = "-" if figure.value is None else f"{figure.value:.4g}"
        why = f" ({figure.why})" if figure.why else ""
        print(f"{figure.name}: {value}, {figure.bar}: {words[figure.holds]}{why}")
    if file is not None:
        document = {
            figure.name: {"value": figure.value, "bar": figure.bar, "holds": figure.holds, "why": figure.why}
            for figure in figures
        }
        file.write_text(json.dumps({"figures": document}, indent=2) + "\n")
