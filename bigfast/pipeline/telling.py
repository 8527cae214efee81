"""How a stage tells what it does; who listens decides what is shown."""

from __future__ import annotations

from typing import Protocol


class Teller(Protocol):
    """Listens to a stage. The command line shows it; a test may keep it."""

    def say(self, text: str) -> None:
        """One finished sentence."""
        ...

    def progress(self, done: float, total: float, text: str) -> None:
        """How far a piece of work has come, in whatever unit."""
        ...


class Silent:
    """Listens and shows nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def progress(self, done: float, total: float, text: str) -> None:
        """Nothing."""
