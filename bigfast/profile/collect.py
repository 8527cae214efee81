"""Measuring a profile, entry by entry into a journal, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bigfast.backend import Options, find_backend, variant_name
from bigfast.cpu import Machine
from bigfast.errors import InputError
from bigfast.measure import Block, Event, Failure, Loaded, Protocol, Subject, measure, timings
from bigfast.profile.plan import middle, spread
from bigfast.profile.value import Measurement, Profile
from bigfast.space import Arch, BertSpace
from bigfast.store import Journal

SENTINELS = 3
POSITIONS = 512

_KINDS: dict[str, type[Block] | type[Loaded] | type[Failure]] = {"block": Block, "loaded": Loaded, "failure": Failure}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a profile will measure: fixed before the first block, and the same on every resume."""

    machine: Machine
    protocol: Protocol
    space: BertSpace
    vocab: int
    archs: tuple[Arch, ...]
    variants: tuple[tuple[str, Options], ...]

    @classmethod
    def make(
        cls,
        *,
        machine: Machine,
        protocol: Protocol,
        space: BertSpace,
        vocab: int,
        count: int,
        variants: Sequence[tuple[str, Options]],
    ) -> Plan:
        """A plan over ``count`` architectures of a space, for some backends and variants.

        Raises:
            InputError: there are too few architectures, or no backend.
        """
        if not variants:
            raise InputError("A profile needs at least one backend: name it with --backend")
        archs = spread(space.space, count, rng=np.random.default_rng(protocol.seed))
        return cls(machine=machine, protocol=protocol, space=space, vocab=vocab, archs=archs, variants=tuple(variants))

    def subjects(self, archs: Sequence[Arch]) -> list[Subject]:
        """Every given architecture on every variant."""
        positions = max(POSITIONS, self.protocol.length)
        return [
            Subject(
                backend=backend,
                options=tuple(sorted(options.items())),
                label=str(arch),
                shape=self.space.shape(arch, vocab=self.vocab, positions=positions, labels=3),
            )
            for backend, options in self.variants
            for arch in archs
        ]

    @property
    def sentinels(self) -> tuple[Arch, ...]:
        """A few architectures that are measured again in new processes: the ends and one between."""
        inner = self.archs[2:]
        by_size = sorted(inner, key=lambda a: [value for _, value in a.values])
        return (*self.archs[:2], *by_size[len(by_size) // 2 :][: SENTINELS - 2])

    @property
    def anchor(self) -> int:
        """The place among ``subjects(archs)`` of the drift meter: the first variant's, nearest the middle."""
        wanted = self.space.space.row(middle(self.space.space))
        distances = [np.abs(self.space.space.row(arch) / wanted - 1).sum() for arch in self.archs]
        return int(np.argmin(distances))

    def is_of(self, profile: Profile) -> bool:
        """Whether a finished profile is what this plan would have measured."""
        return (
            profile.machine.fingerprint == self.machine.fingerprint
            and (profile.protocol, profile.space, profile.vocab) == (self.protocol, self.space, self.vocab)
            and {m.arch for m in profile.measurements} == set(self.archs)
            and set(profile.keys) == {f"{backend}:{variant_name(options)}" for backend, options in self.variants}
        )

    def to_json(self) -> dict[str, Any]:
        """What identifies the plan, so that a resume can tell whether it is the same."""
        return {
            "machine": self.machine.fingerprint,
            "protocol": self.protocol.to_json(),
            "space": self.space.to_json(),
            "vocab": self.vocab,
            "archs": [str(arch) for arch in self.archs],
            "variants": [[backend, dict(options)] for backend, options in self.variants],
        }


def events_of(journal: Journal, stage: str) -> list[Event]:
    """What a journal holds of one stage of measuring."""
    events: list[Event] = []
    for entry in journal.entries(stage):
        kind = _KINDS[entry.pop("event")]
        events.append(Block.from_json(entry) if kind is Block else kind(**entry))
    return events


def _record(journal: Journal, stage: str, event: Event) -> None:
    journal.append(stage, {"event": type(event).__name__.lower(), **event.to_json()})


def collect(plan: Plan, journal: Journal) -> Iterator[tuple[int, int]]:
    """Measures what the journal does not yet hold of a plan, and yields (blocks done, blocks planned).

    Args:
        plan: What to measure.
        journal: Where every finished block is kept before the next one starts.

    Raises:
        InputError: the journal is of another plan.
        Busy: another process measures on this machine.
    """
    begun = journal.first("plan")
    if begun is None:
        journal.append("plan", plan.to_json())
    elif begun != plan.to_json():
        raise InputError(
            "This directory holds an unfinished profile of another plan or machine: "
            "choose another directory, or delete it to start anew"
        )
    stages = (("main", plan.archs, plan.anchor), ("sentinels", plan.sentinels, len(plan.sentinels) - 1))
    total = sum(len(archs) * len(plan.variants) * plan.protocol.rounds for _, archs, _ in stages)
    done = 0
    for stage, archs, anchor in stages:
        subjects = plan.subjects(archs)
        if journal.first(f"{stage} finished") is not None:
            done += len(subjects) * plan.protocol.rounds
            continue
        events = events_of(journal, stage)
        done += sum(_is_planned(e, plan.protocol) for e in events)
        for event in measure(subjects, plan.protocol, machine=plan.machine, anchor=anchor, done=events):
            _record(journal, stage, event)
            if _is_planned(event, plan.protocol):
                done += 1
                yield done, total
        journal.append(f"{stage} finished", {})


def _is_planned(event: Event, protocol: Protocol) -> bool:
    """Whether it is a block that was planned from the start, and not the anchor's or one measured again."""
    return isinstance(event, Block) and 0 <= event.round < protocol.rounds


def _versions(plan: Plan) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("bigfast", "numpy"):
        versions[package] = importlib.metadata.version(package)
    for backend, _ in plan.variants:
        versions[backend] = find_backend(backend).available().version or "unknown"
    return versions


def assemble(plan: Plan, journal: Journal) -> Profile:
    """The profile that a finished journal holds, still without predictors."""
    versions = _versions(plan)
    events = events_of(journal, "main")
    blocks = [e for e in events if isinstance(e, Block)]
    found = timings(blocks, plan.protocol)
    loaded = {e.subject: e for e in events if isinstance(e, Loaded)}
    failures = {e.subject: e.reason for e in events if isinstance(e, Failure)}
    measurements = []
    for place, subject in enumerate(plan.subjects(plan.archs)):
        timing = None if place in failures else found.get(place)
        told = loaded.get(place)
        measurements.append(
            Measurement(
                backend=subject.backend,
                variant=subject.worker.partition(":")[2],
                version=versions[subject.backend],
                arch=Arch.parse(subject.label),
                timing=timing,
                reason=failures.get(place, timing.unstable if timing else "it was not measured"),
                prepare_s=told.prepare_s if told else None,
                disagreement=told.disagreement if told else None,
                evidence=told.evidence if told else {},
            )
        )
    profile = Profile(
        machine=plan.machine,
        software=versions,
        protocol=plan.protocol,
        space=plan.space,
        vocab=plan.vocab,
        measurements=tuple(measurements),
        blocks=tuple(blocks),
        noise_floor={},
        fitted={},
        seed=plan.protocol.seed,
    )
    return replace(profile, noise_floor=_noise_floor(plan, journal, profile))


def _noise_floor(plan: Plan, journal: Journal, profile: Profile) -> dict[str, float]:
    again = timings([e for e in events_of(journal, "sentinels") if isinstance(e, Block)], plan.protocol)
    first = {(m.key, str(m.arch)): m.timing for m in profile.measurements}
    differences: dict[str, list[float]] = {}
    for place, subject in enumerate(plan.subjects(plan.sentinels)):
        before, after = first[(subject.worker, subject.label)], again.get(place)
        if before is not None and after is not None:
            difference = abs(after.estimate_s / before.estimate_s - 1)
            differences.setdefault(subject.worker, []).append(difference)
    return {key: float(np.median(values)) for key, values in differences.items()}
