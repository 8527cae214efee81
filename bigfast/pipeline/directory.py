"""A run's directory: what lies where, whose it is, and what was decided in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigfast.cpu import Machine
from bigfast.errors import InputError
from bigfast.pipeline.config import RunConfig
from bigfast.store import exclusive, read_json, write_json

FORMAT = "bigfast.run"
SCHEMA_VERSION = 1

# What a run leaves that ended before it had made anything, for a mistake in what was asked: the next may be another.
NOT_YET_A_RESULT = {".lock", "run.json", "stages.json"}


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The places of a run's files; use ``open_run``."""

    root: Path

    @property
    def document(self) -> Path:
        """What was asked, and of which machine."""
        return self.root / "run.json"

    @property
    def task(self) -> Path:
        """What the data are."""
        return self.root / "task.json"

    @property
    def teacher(self) -> Path:
        """The teacher, where it was trained here."""
        return self.root / "teacher"

    @property
    def profile(self) -> Path:
        """The profile, where it was measured here."""
        return self.root / "profile"

    @property
    def supermodel(self) -> Path:
        """The trained supermodel."""
        return self.root / "supermodel"

    @property
    def study(self) -> Path:
        """The journal of all evaluations."""
        return self.root / "study.sqlite"

    @property
    def search(self) -> Path:
        """What the search found."""
        return self.root / "search.json"

    @property
    def models(self) -> Path:
        """The exported models, one directory a limit."""
        return self.root / "models"

    @property
    def work(self) -> Path:
        """Checkpoints and other things that nobody needs once the run has ended."""
        return self.root / "work"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "report.html"

    def decided(self, name: str, decide: Callable[[], int]) -> int:
        """A number that depends on this machine's speed: decided once, and kept for every resume."""
        return decided_once(self.root / "decided.json", name, decide)

    @contextmanager
    def timed(self, name: str, budget_s: float) -> Iterator[None]:
        """Adds the time that a stage took, over all resumes, to ``stages.json``; nothing under a tenth of a second."""
        start = time.monotonic()
        try:
            yield
        finally:
            took_s = time.monotonic() - start
            path = self.root / "stages.json"
            stages: list[dict[str, Any]] = read_json(path)["stages"] if path.exists() else []
            mine = next((stage for stage in stages if stage["name"] == name), None)
            if mine is None:
                mine = {"name": name, "budget_s": budget_s, "took_s": 0.0}
                stages.append(mine)
            if took_s >= 0.1:
                mine["took_s"] += took_s
            write_json(path, {"stages": stages})


def decided_once(path: Path, name: str, decide: Callable[[], int]) -> int:
    """The number of that name in a JSON file, or what ``decide`` finds, which is then kept there."""
    known: dict[str, Any] = read_json(path) if path.exists() else {}
    if name not in known:
        known[name] = decide()
        write_json(path, known)
    return int(known[name])


@contextmanager
def open_run(root: Path, config: RunConfig, machine: Machine) -> Iterator[RunDirectory]:
    """A new run's directory, or that of the same run begun before.

    Raises:
        InputError: the directory holds something else, or another run.
        Busy: another process runs in it.
        StorageError: it cannot be written.
    """
    run = RunDirectory(root)
    asked = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "config": config.model_dump(mode="json"),
        "machine": machine.to_json(),
    }
    if root.exists() and not root.is_dir():
        raise InputError(f"{root} is a file: choose a directory for the run")
    with exclusive(root / ".lock", what=str(root)):
        made = {path.name for path in root.iterdir()} - NOT_YET_A_RESULT
        if run.document.exists() and made:
            _check_same(run.document, asked)
        elif made:
            raise InputError(f"{root} holds files but no run of bigfast: choose an empty or new directory with --out")
        else:
            write_json(run.document, asked)
        yield run


def _check_same(path: Path, asked: dict[str, Any]) -> None:
    begun = read_json(path)
    if begun.get("format") != FORMAT or begun.get("schema_version") != SCHEMA_VERSION:
        raise InputError(f"{path} was not written by this version of bigfast: choose another directory with --out")
    before, now = begun.get("config"), asked["config"]
    if not isinstance(before, dict):
        raise InputError(f"{path} is damaged: choose another directory with --out")
    for name, value in now.items():
        if before.get(name) != value:
            raise InputError(
                f"{path.parent} holds another run, with {name} = {before.get(name)!r} and not {value!r}: "
                "choose another directory with --out, or ask for the same again to resume it"
            )
    there = begun.get("machine", {}).get("fingerprint")
    if there != asked["machine"]["fingerprint"]:
        raise InputError(
            f"{path.parent} holds a run of another machine ({there}): its latencies would not hold here; "
            "choose another directory with --out"
        )
