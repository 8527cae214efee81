"""The first answer of a model in a process of its own: how long it takes, and what it needs in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass

from bigfast.cpu import Machine
from bigfast.measure.crew import LOAD_DEADLINE_S, OPEN_DEADLINE_S, open_child
from bigfast.measure.subject import Subject

__all__ = ["ColdStart", "cold_start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """What one model needs in a fresh process, once the runtime is loaded and the weights are in memory.

    Attributes:
        runtime_s: Seconds to load the runtime, and to answer once with a tiny model.
        first_logits_s: Seconds from the weights to the first logits: preparing, and the first call.
        growth_bytes: By how much resident memory rose meanwhile, at its highest.
        resident_bytes: Resident memory of the whole process afterwards, the runtime's own included.
        file_bytes: Of the files that it is deployed with.
        float32_bytes: Of its weights in float32.
    """

    runtime_s: float
    first_logits_s: float
    growth_bytes: int
    resident_bytes: int
    file_bytes: int
    float32_bytes: int


def cold_start(subject: Subject, *, machine: Machine, seed: int, memory_bytes: int | None = None) -> ColdStart:
    """Starts a process for one model, and ends it again.

    Args:
        subject: The model, its backend and the size of its first inputs.
        machine: This machine.
        seed: Of random weights and inputs.
        memory_bytes: That the process may allocate; None for three quarters of what there is.

    Raises:
        UnknownName: the backend is not installed.
        BackendError: it cannot be used here, refuses the model, died, or did not answer.
    """
    child, opening = open_child(subject.deployment, machine=machine, memory_bytes=memory_bytes, table=0, seed=seed)
    with child:
        child.ask(opening, deadline_s=OPEN_DEADLINE_S)
        answer = child.ask({**subject.request(0, seed), "do": "cold"}, deadline_s=LOAD_DEADLINE_S)
    return ColdStart(
        runtime_s=float(answer["runtime_s"]),
        first_logits_s=float(answer["first_logits_s"]),
        growth_bytes=int(answer["growth_bytes"]),
        resident_bytes=int(answer["resident_bytes"]),
        file_bytes=int(answer["file_bytes"]),
        float32_bytes=int(answer["float32_bytes"]),
    )
