"""The children that time: one for each worker of each deployment, started when first needed and again after a death."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from bigfast.backend import find_backend
from bigfast.cpu import Machine
from bigfast.errors import BackendError
from bigfast.measure.events import Loaded
from bigfast.measure.protocol import Protocol
from bigfast.measure.subject import Deployment, Subject
from bigfast.workers import Child

OPEN_DEADLINE_S = 180.0  # importing a runtime from a cold disk
LOAD_DEADLINE_S = 90.0
BLOCK_DEADLINE_S = 30.0  # and as many times what the block should take:
BLOCK_PATIENCE = 20.0
MEMORY_SHARE = 0.75  # of the machine's, or of our control group's, for one child
WINDOW_LEAD_S = 0.02  # from the request to several workers until all of them have read it
CALLS_FOR_A_WARMUP = 8  # one warm-up for so many calls of a block
WINDOWS = 4  # that are tried, each longer, until every worker has ended a call in one


def open_child(
    deployment: Deployment, *, machine: Machine, memory_bytes: int | None, table: int, seed: int
) -> tuple[Child, Mapping[str, Any]]:
    """One worker of a deployment, just started, and what it is to be asked first.

    Args:
        deployment: On what it will time.
        machine: Tells whether there are cores enough.
        memory_bytes: That it may allocate; None for three quarters of what there is.
        table: Numbers of the embeddings that its models share; 0 where each has its own.
        seed: Of those numbers.
    """
    child = Child(
        "bigfast.measure.worker",
        environment=find_backend(deployment.backend).environment(deployment.threads),
        name=f"The process measuring {deployment}",
        memory_bytes=memory_bytes if memory_bytes is not None else _memory_share(machine),
    )
    opening = {
        "do": "open",
        "backend": deployment.backend,
        "options": dict(deployment.options),
        "threads": deployment.threads,
        "oversubscribed": deployment.cores > (machine.usable_cores or deployment.cores),
        "table": table,
        "seed": seed,
    }
    return child, opening


class Crew:
    """Loads subjects into children and has their blocks timed there.

    Args:
        subjects: All of the run, in its order.
        protocol: How long a block is.
        machine: Decides how much memory a child may allocate.
        stack: Closes the children.
        memory_bytes: That a child may allocate; None for three quarters of what there is.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        protocol: Protocol,
        *,
        machine: Machine,
        stack: ExitStack,
        memory_bytes: int | None,
    ) -> None:
        self._subjects = subjects
        self._protocol = protocol
        self._machine = machine
        self._stack = stack
        self._memory_bytes = memory_bytes
        self._teams: dict[Deployment, list[Child]] = {}
        self._loaded: dict[int, float] = {}  # subject -> seconds of its fastest first call

    def open(self, deployment: Deployment) -> None:
        """Makes sure that all workers of a deployment are there and have their runtime.

        Raises:
            BackendError: the backend cannot be used here.
            ChildEnded: a worker died meanwhile, or did not answer.
        """
        team = self._teams.get(deployment, [])
        if team and all(child.alive for child in team):
            return
        self._dismiss(deployment)
        opened = [
            open_child(
                deployment,
                machine=self._machine,
                memory_bytes=self._memory_bytes,
                table=self._table(deployment),
                seed=self._protocol.seed,
            )
            for _ in range(deployment.concurrent)
        ]
        team = [self._stack.enter_context(child) for child, _ in opened]
        opening = opened[0][1]
        self._teams[deployment] = team
        try:
            self._ask_all(team, opening, deadline_s=OPEN_DEADLINE_S)
        except BackendError:
            self._dismiss(deployment)  # each try starts others
            raise

    def block(self, place: int) -> Iterator[Loaded | Mapping[str, Any]]:
        """What there is to tell about one block: first of the loading, where it was needed; then the answer.

        Raises:
            BackendError: the backend refuses the model, or answers wrongly.
            ChildEnded: a worker died meanwhile, or did not answer.
        """
        self.open(self._subjects[place].deployment)
        if place not in self._loaded:
            yield self._load(place)
        yield self._timed(place)

    def still_correct(self, place: int) -> bool:
        """Whether a subject that has been timed answers as it did before; True where its session is gone."""
        team = self._teams.get(self._subjects[place].deployment, [])
        if place not in self._loaded or not all(child.alive for child in team):
            return True
        answers = self._ask_all(team, {"do": "check", "key": place}, deadline_s=LOAD_DEADLINE_S)
        return all(answer["agrees"] for answer in answers)

    def _dismiss(self, deployment: Deployment) -> None:
        for child in self._teams.pop(deployment, []):
            child.close()
        for place in [p for p in self._loaded if self._subjects[p].deployment == deployment]:
            del self._loaded[place]

    def _ask_all(self, team: Sequence[Child], request: Mapping[str, Any], *, deadline_s: float) -> list[dict[str, Any]]:
        for child in team:
            child.send(request)
        answers: list[dict[str, Any]] = []
        errors: list[BackendError] = []
        for child in team:
            try:
                answers.append(child.receive(deadline_s=deadline_s))
            except BackendError as error:  # the others are listened to all the same: their answers must not wait there
                errors.append(error)
        if errors:
            raise errors[0]
        return answers

    def _table(self, deployment: Deployment) -> int:
        """How many numbers the embeddings of a deployment's largest model have."""
        shapes = [s.shape for s in self._subjects if s.deployment == deployment and s.shape is not None]
        return max((shape.vocab * shape.hidden for shape in shapes), default=0)

    def _load(self, place: int) -> Loaded:
        subject = self._subjects[place]
        answers = self._ask_all(
            self._teams[subject.deployment], subject.request(place, self._protocol.seed), deadline_s=LOAD_DEADLINE_S
        )
        self._loaded[place] = min(min(answer["first_s"]) for answer in answers)
        return Loaded(
            subject=place,
            prepare_s=answers[0]["prepare_s"],
            disagreement=max(answer["disagreement"] for answer in answers),
            evidence=answers[0]["evidence"],
            peak_bytes=sum(answer["peak_bytes"] for answer in answers),
        )

    def _timed(self, place: int) -> Mapping[str, Any]:
        deployment, protocol = self._subjects[place].deployment, self._protocol
        call_s = max(self._loaded[place], 1e-6)
        calls = min(max(round(protocol.block_s / call_s), protocol.calls_at_least), protocol.calls_at_most)
        # Before few calls, which are slow ones, more than one warm-up would take a quarter of the time.
        warmup = min(protocol.warmup_calls, max(1, calls // CALLS_FOR_A_WARMUP))
        request = {"do": "block", "key": place, "warmup": warmup, "calls": calls}
        deadline_s = BLOCK_DEADLINE_S + BLOCK_PATIENCE * (calls + warmup) * call_s
        team = self._teams[deployment]
        if deployment.concurrent == 1:
            return self._ask_all(team, request, deadline_s=deadline_s)[0]
        # Only a window in which all of them work shows what they do to each other. Several workers slow one another
        # down by an unknown factor, at most their number, so the window is that much longer.
        busy_s = call_s * deployment.concurrent
        window_s = max(protocol.block_s, protocol.calls_at_least * busy_s)
        for _ in range(WINDOWS):
            start_s = time.monotonic() + WINDOW_LEAD_S + warmup * busy_s
            request["window"] = [start_s, start_s + window_s]
            answers = self._ask_all(team, request, deadline_s=deadline_s * deployment.concurrent + window_s)
            if all(answer["samples_s"] for answer in answers):
                return _together(answers)
            window_s *= 4  # somebody had no core for all of it
        raise BackendError(f"{self._subjects[place].label}: not all of {deployment.concurrent} workers got to a core")


def _together(answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The answers of several workers as one; what concerns the machine is the same in all."""
    waits = [answer["waited"] for answer in answers]
    return {
        **answers[0],
        "warmup_s": [s for answer in answers for s in answer["warmup_s"]],
        "samples_s": [s for answer in answers for s in answer["samples_s"]],
        "waited": None if None in waits else max(waits),
    }


def _memory_share(machine: Machine) -> int | None:
    whole_bytes = machine.memory_at_most_bytes
    return None if whole_bytes is None else int(MEMORY_SHARE * whole_bytes)
