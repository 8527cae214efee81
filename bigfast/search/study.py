"""Every evaluation ever made, append-only; a search that is resumed asks the same and finds it here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bigfast.errors import InputError
from bigfast.search.core import Evaluation
from bigfast.space import Arch
from bigfast.store import Journal, open_journal


class Study:
    """Evaluations over one supermodel, backend recipe and data, kept in a journal. Use ``open_study``."""

    def __init__(self, journal: Journal, identity: str) -> None:
        begun = journal.first("study")
        if begun is None:
            journal.append("study", {"identity": identity})
        elif begun.get("identity") != identity:
            raise InputError(
                "This study is of another supermodel, backend or data set: choose another directory, or delete it"
            )
        self._journal = journal
        self._known = {}
        for entry in journal.entries("evaluation"):
            arch = Arch.parse(entry["arch"])
            score = math.nan if entry["score"] is None else float(entry["score"])
            self._known[arch] = Evaluation(arch=arch, score=score, reason=entry["reason"])

    @property
    def known(self) -> dict[Arch, Evaluation]:
        """All evaluations, in the order in which they were made."""
        return self._known

    def keep(self, evaluate: Callable[[Arch], Evaluation]) -> Callable[[Arch], Evaluation]:
        """The same evaluation, which records what it finds before it returns."""

        def kept(arch: Arch) -> Evaluation:
            found = evaluate(arch)
            score = None if found.failed else found.score
            self._journal.append("evaluation", {"arch": str(arch), "score": score, "reason": found.reason})
            self._known[arch] = found
            return found

        return kept


@contextmanager
def open_study(path: Path, identity: str) -> Iterator[Study]:
    """The study at ``path``, made where it is missing.

    Args:
        path: Its journal.
        identity: Of supermodel, backend recipe and data.

    Raises:
        InputError: it is of another identity, or damaged.
        Busy: another process searches in it.
        StorageError: it cannot be written.
    """
    with open_journal(path) as journal:
        yield Study(journal, identity)
