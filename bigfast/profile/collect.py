"""Measuring a profile, entry by entry into a journal, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bigfast.backend import find_backend
from bigfast.cpu import Health, Machine, read_health
from bigfast.errors import InputError
from bigfast.measure import Block, Deployment, Event, Failure, Loaded, Peaks, Protocol, Size, Subject, measure, timings
from bigfast.profile.measurement import Measurement, Sentinel, noise_floor
from bigfast.profile.plan import nearest_middle, spread
from bigfast.profile.value import Profile
from bigfast.space import Arch, BertSpace
from bigfast.store import Journal

SENTINELS = 3
POSITIONS = 512

BEFORE, MAIN, AFTER = "sentinels before", "main", "sentinels after"

_KINDS: dict[str, type[Block] | type[Loaded] | type[Failure]] = {"block": Block, "loaded": Loaded, "failure": Failure}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a profile will measure: fixed before the first block, and the same on every resume."""

    machine: Machine
    protocol: Protocol
    space: BertSpace
    vocab: int
    archs: tuple[Arch, ...]
    deployments: tuple[Deployment, ...]
    sizes: tuple[Size, ...]

    @classmethod
    def make(
        cls,
        *,
        machine: Machine,
        protocol: Protocol,
        space: BertSpace,
        vocab: int,
        count: int,
        deployments: Sequence[Deployment],
        sizes: Sequence[Size],
    ) -> Plan:
        """A plan over ``count`` architectures of a space, each on every deployment with inputs of every size.

        Raises:
            InputError: there are too few architectures, no backend, or no size.
        """
        if not deployments or not sizes:
            raise InputError("A profile needs at least one backend (--backend), and one length and batch size")
        archs = spread(space.space, count, rng=np.random.default_rng(protocol.seed))
        return cls(
            machine=machine,
            protocol=protocol,
            space=space,
            vocab=vocab,
            archs=archs,
            deployments=tuple(dict.fromkeys(deployments)),
            sizes=tuple(dict.fromkeys(sizes)),
        )

    def subjects(self, archs: Sequence[Arch]) -> list[Subject]:
        """Every given architecture on every deployment, with inputs of every size."""
        positions = max(POSITIONS, *(size.length for size in self.sizes))
        return [
            Subject(
                deployment=deployment,
                size=size,
                label=str(arch),
                shape=self.space.shape(arch, vocab=self.vocab, positions=positions, labels=3),
            )
            for deployment in self.deployments
            for size in self.sizes
            for arch in archs
        ]

    @property
    def sentinels(self) -> tuple[Arch, ...]:
        """A few architectures that are measured again in new processes: the ends and one between."""
        inner = self.archs[2:]
        by_size = sorted(inner, key=lambda a: [value for _, value in a.values])
        return (*self.archs[:2], *by_size[len(by_size) // 2 :][: SENTINELS - 2])

    @property
    def stages(self) -> dict[str, tuple[Arch, ...]]:
        """What is measured one after the other, each time in new processes: the sentinels come first and last."""
        return {BEFORE: self.sentinels, MAIN: self.archs, AFTER: self.sentinels}

    def anchor(self, archs: Sequence[Arch]) -> int:
        """The place among ``subjects(archs)`` of the drift meter: of the first deployment, nearest the middle."""
        return nearest_middle(self.space.space, archs)

    def is_of(self, profile: Profile) -> bool:
        """Whether a finished profile is what this plan would have measured."""
        return (
            profile.machine.fingerprint == self.machine.fingerprint
            and (profile.protocol, profile.space, profile.vocab) == (self.protocol, self.space, self.vocab)
            and {m.arch for m in profile.measurements} == set(self.archs)
            and set(profile.keys) == {str(deployment) for deployment in self.deployments}
            and profile.sizes == self.sizes
        )

    def to_json(self) -> dict[str, Any]:
        """What identifies the plan, so that a resume can tell whether it is the same."""
        return {
            "machine": self.machine.fingerprint,
            "protocol": self.protocol.to_json(),
            "space": self.space.to_json(),
            "vocab": self.vocab,
            "archs": [str(arch) for arch in self.archs],
            "deployments": [str(deployment) for deployment in self.deployments],
            "sizes": [[size.batch, size.length] for size in self.sizes],
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


def begin(plan: Plan, journal: Journal) -> bool:
    """Notes which plan a journal is of; whether it had been begun before.

    Raises:
        InputError: the journal is of another plan.
    """
    begun = journal.first("plan")
    if begun is None:
        journal.append("plan", plan.to_json())
    elif begun != plan.to_json():
        raise InputError(
            "This directory holds an unfinished profile of another plan or machine: "
            "choose another directory, or delete it to start anew"
        )
    return begun is not None


def collect(plan: Plan, journal: Journal) -> Iterator[tuple[int, int]]:
    """Measures what the journal does not yet hold of a plan, and yields (blocks done, blocks planned).

    A disturbed block that is measured again counts as one more.

    Args:
        plan: What to measure.
        journal: Where every finished block is kept before the next one starts.

    Raises:
        InputError: the journal is of another plan.
        Busy: another process measures on this machine.
    """
    begin(plan, journal)
    stages = plan.stages
    total = sum(len(plan.subjects(archs)) * plan.protocol.rounds for archs in stages.values())
    done = 0
    if journal.first("before") is None:
        journal.append("before", asdict(read_health()))
    for stage, archs in stages.items():
        subjects = plan.subjects(archs)
        if journal.first(f"{stage} finished") is not None:
            done += len(subjects) * plan.protocol.rounds
            continue
        events = events_of(journal, stage)
        done += sum(isinstance(e, Block) and 0 <= e.round < plan.protocol.rounds for e in events)
        for event in measure(subjects, plan.protocol, machine=plan.machine, anchor=plan.anchor(archs), done=events):
            _record(journal, stage, event)
            if isinstance(event, Block) and not event.is_anchor:
                done, total = done + 1, total + (event.round >= plan.protocol.rounds)
                yield done, total
        journal.append(f"{stage} finished", {})
    if journal.first("after") is None:
        journal.append("after", asdict(read_health()))


def _versions(plan: Plan) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("bigfast", "numpy"):
        versions[package] = importlib.metadata.version(package)
    for deployment in plan.deployments:
        versions[deployment.backend] = find_backend(deployment.backend).available().version or "unknown"
    return versions


def assemble(plan: Plan, journal: Journal) -> Profile:
    """The profile that a finished journal holds, still without predictors."""
    versions = _versions(plan)
    events = events_of(journal, MAIN)
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
                deployment=subject.deployment,
                version=versions[subject.deployment.backend],
                arch=Arch.parse(subject.label),
                size=subject.size,
                timing=timing,
                reason=failures.get(place, timing.unstable if timing else "it was not measured"),
                prepare_s=told.prepare_s if told else None,
                disagreement=told.disagreement if told else None,
                evidence=told.evidence if told else {},
                peak_bytes=told.peak_bytes if told else None,
            )
        )
    again = _sentinels(plan, journal, measurements)
    peaks = journal.first("peaks")
    conditions = {when: journal.first(when) for when in ("before", "after")}
    return Profile(
        machine=plan.machine,
        software=versions,
        protocol=plan.protocol,
        space=plan.space,
        vocab=plan.vocab,
        measurements=tuple(measurements),
        blocks=tuple(blocks),
        sentinels=again,
        noise_floor=noise_floor(again),
        conditions={when: Health(**told) for when, told in conditions.items() if told is not None},
        peaks=None if peaks is None else Peaks.from_json(peaks),
        fitted={},
        seed=plan.protocol.seed,
    )


def _sentinels(plan: Plan, journal: Journal, measurements: Sequence[Measurement]) -> tuple[Sentinel, ...]:
    among = {(m.key, str(m.arch), m.size): m.timing for m in measurements}
    apart = [
        timings([e for e in events_of(journal, stage) if isinstance(e, Block)], plan.protocol)
        for stage in (BEFORE, AFTER)
    ]
    found = []
    for place, subject in enumerate(plan.subjects(plan.sentinels)):
        key = str(subject.deployment)
        three = (apart[0].get(place), among[(key, subject.label, subject.size)], apart[1].get(place))
        first, second, third = (None if timing is None else timing.estimate_s for timing in three)
        found.append(
            Sentinel(key=key, arch=Arch.parse(subject.label), size=subject.size, estimates_s=(first, second, third))
        )
    return tuple(found)
