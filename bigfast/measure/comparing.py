"""Measuring every backend on the same models, at equal threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bigfast.backend import find_backend
from bigfast.cpu import Machine
from bigfast.errors import BackendError
from bigfast.measure.cold import ColdStart, cold_start
from bigfast.measure.comparison import Comparison, Row
from bigfast.measure.events import Block, Failure, Loaded
from bigfast.measure.peaks import Peaks
from bigfast.measure.protocol import Protocol
from bigfast.measure.run import measure
from bigfast.measure.statistics import timings
from bigfast.measure.subject import Deployment, Size, Subject
from bigfast.space import BertShape, linear_operations
from bigfast.store import MACHINE_LOCK, exclusive

__all__ = ["compare"]

Tell = Callable[[float, float, str], None]


def compare(
    models: Mapping[str, BertShape],
    deployments: Sequence[Deployment],
    protocol: Protocol,
    *,
    machine: Machine,
    peaks: Peaks | None,
    size: Size,
    tell: Tell = lambda done, total, text: None,
) -> Comparison:
    """Times models of random weights on deployments, interleaved; and each alone, until its first answer.

    What fails has a reason in its row; the others go on.

    Args:
        models: What each is called, and its sizes.
        deployments: On what.
        protocol: How they are timed.
        machine: This machine.
        peaks: What it reaches, for the shares; None leaves them out.
        size: Of the inputs.
        tell: Is told how far it has come, as (done, total, text).

    Raises:
        InputError: more threads than usable cores.
        Busy: another process measures on this machine.
        UnknownName: a backend that is not installed.
    """
    subjects = [
        Subject(deployment=deployment, size=size, label=name, shape=shape)
        for name, shape in models.items()
        for deployment in deployments
    ]
    # Of each backend's variants once: threads change little about the first answer.
    fewest = min(deployment.threads for deployment in deployments)
    alone = [place for place, subject in enumerate(subjects) if subject.deployment.threads == fewest]
    blocks: list[Block] = []
    loaded: dict[int, Loaded] = {}
    reasons: dict[int, str] = {}
    wanted = len(subjects) * protocol.rounds
    for event in measure(subjects, protocol, machine=machine, anchor=len(subjects) // 2):
        match event:
            case Block():
                blocks.append(event)
                timed = sum(not block.is_anchor for block in blocks)
                tell(min(timed, wanted), wanted, f"Timing {len(deployments)} deployments of {len(models)} models")
            case Loaded():
                loaded[event.subject] = event
            case Failure():
                reasons[event.subject] = event.reason
    cold: dict[int, ColdStart] = {}
    with exclusive(MACHINE_LOCK, what="this machine's clock"):
        for number, place in enumerate(alone, start=1):
            if place not in reasons:
                try:
                    cold[place] = cold_start(subjects[place], machine=machine, seed=protocol.seed)
                except BackendError as error:
                    reasons[place] = f"its first answer: {error}"
            tell(number, len(alone), "First answers, each in a fresh process")
    found = timings(blocks, protocol)
    rows = []
    for place, subject in enumerate(subjects):
        precision, timing = find_backend(subject.deployment.backend).precision, found.get(place)
        peak = None if peaks is None else peaks.peak(precision, threads=subject.deployment.threads)
        share = None
        if peak is not None and timing is not None and subject.shape is not None:
            operations = size.batch * linear_operations(subject.shape, length=size.length)
            share = operations / timing.estimate_s / peak.operations_per_s
        rows.append(
            Row(
                model=subject.label,
                deployment=subject.deployment,
                precision=precision,
                timing=timing,
                share_of_peak=share,
                disagreement=loaded[place].disagreement if place in loaded else None,
                cold=cold.get(place),
                evidence=loaded[place].evidence if place in loaded else {},
                reason=reasons.get(place, ""),
            )
        )
    described = {name: _sizes(shape) for name, shape in models.items()}
    return Comparison(machine=machine, size=size, models=described, rows=tuple(rows))


def _sizes(shape: BertShape) -> str:
    layers = f"{shape.layers} layer{'' if shape.layers == 1 else 's'}"
    return f"{layers}, hidden {shape.hidden}, FFN {shape.ffn}, {shape.heads} heads"
