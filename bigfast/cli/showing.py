"""How commands show progress and results: a bar on a terminal, plain lines elsewhere, one JSON document if asked."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

PLAIN_EVERY_S = 10.0
DRAWN_EVERY_S = 0.1


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``3 min 20 s``."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


class Shown:
    """Shows on standard error what stages tell; nothing is drawn but in answer to a call.

    A refreshing thread would disturb what is being timed, so there is none.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._text = ""
        self._begun = 0.0
        self._begun_at = 0.0
        self._drawn = False
        self._whole = False

    def say(self, text: str) -> None:
        """One line."""
        self._clear()
        print(text, file=sys.stderr, flush=True)
        self._text = ""

    def progress(self, done: float, total: float, text: str) -> None:
        """A bar that is drawn over itself, or a line every ten seconds."""
        now = time.monotonic()
        stage = text.partition(":")[0]
        if stage != self._text:
            self._text, self._begun, self._begun_at, self._last, self._whole = stage, done, now, 0.0, False
        soon = now - self._last < (DRAWN_EVERY_S if self._terminal else PLAIN_EVERY_S)
        if soon and (done < total or self._whole):
            return
        self._whole = done >= total
        self._last = now
        share = done / total if total else 1.0
        moved = done - self._begun
        line = f"{share:4.0%} {text}"
        if moved > 0 and done < total:
            line += f", {duration((now - self._begun_at) / moved * (total - done))} left"
        if not self._terminal:
            print(line, file=sys.stderr, flush=True)
            return
        filled = round(20 * share)
        print(f"\r\x1b[K[{'#' * filled}{'.' * (20 - filled)}] {line[:120]}", end="", file=sys.stderr, flush=True)
        self._drawn = True
        if done >= total:
            self._clear()

    def _clear(self) -> None:
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._drawn = False


def show_json(value: Any) -> None:  # Any: whatever json can write
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def show_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their content, on standard output."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for number, row in enumerate(cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and texts, aligned, on standard output."""
    width = max((len(name) for name, _ in facts), default=0)
    for name, text in facts:
        print(f"{name.ljust(width)}  {text}")


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds with three digits."""
    return f"{seconds * 1e3:.3g} ms"
