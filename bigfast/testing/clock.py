"""A clock that stands still unless work is done."""

from __future__ import annotations


class FakeClock:
    """Seconds that pass only when work is done."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        """Reads the clock, and writes that down."""
        self.log.append("read")
        return self.now_s

    def work(self, seconds: float = 1.0) -> None:
        """Takes some time, and writes that down."""
        self.log.append("work")
        self.now_s += seconds
