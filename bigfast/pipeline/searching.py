"""The search under each limit, the finalists measured, and what it found as a value and a file."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bigfast.backend import Backend, Options
from bigfast.cpu import Machine
from bigfast.data import Encoded
from bigfast.errors import InputError
from bigfast.measure import Deployment, Size
from bigfast.pipeline.telling import Teller
from bigfast.profile import Profile
from bigfast.search import Evaluation, Evolution, Narrowed, Study, narrow, open_study, search
from bigfast.search.evaluation import Evaluator
from bigfast.search.finalists import Decision, decide, timer
from bigfast.space import Arch
from bigfast.store import read_json, write_json
from bigfast.supermodel.elastic import Supermodel

LEAST_ROWS = 500
NEW_SHARE = 0.6  # of a generation's candidates, about how many cost as much as the largest feasible one


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched, on what, and how thoroughly.

    Attributes:
        profile: Its predictor narrows the space.
        backend: The deployment backend.
        options: Its variant.
        deployment: With its threads and workers; a key of the profile.
        size: Of the inputs that are timed.
        limits_s: On the median latency, seconds, ascending.
        generations: Of the evolution.
        population: Children of a generation.
        seed: Of the evolution.
    """

    profile: Profile
    backend: Backend
    options: Options
    deployment: Deployment
    size: Size
    limits_s: tuple[float, ...]
    generations: int
    population: int
    seed: int

    @property
    def key(self) -> str:
        """The deployment, as the profile names it."""
        return str(self.deployment)


def rows_within(
    budget_s: float,
    supermodel: Supermodel,
    wanted: Wanted,
    narrowed: Sequence[Narrowed],
    validation: Encoded,
    *,
    machine: Machine,
    threads: int,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """About how many validation rows every candidate can be judged on."""
    candidates = sum(min(len(n.rows), wanted.generations * wanted.population) for n in narrowed)
    widest = max(narrowed, key=lambda n: n.limit_s)
    slowest = supermodel.space.space.arch(widest.rows[int(np.argmax(widest.predicted_s))])
    sample = validation.take(range(min(len(validation), 200)))
    evaluator = Evaluator(wanted.backend, wanted.options, sample, machine=machine, threads=threads)
    evaluator.candidate(supermodel, slowest)
    start = clock()
    evaluator.candidate(supermodel, slowest)
    row_s = (clock() - start) / len(sample)
    return min(len(validation), max(LEAST_ROWS, int(budget_s / (candidates * NEW_SHARE * row_s))))


def narrowed_for(wanted: Wanted) -> list[Narrowed]:
    """The feasible part of the space under each limit.

    Raises:
        Infeasible: nothing meets one of them.
    """
    return [narrow(wanted.profile, wanted.key, limit_s, size=wanted.size) for limit_s in wanted.limits_s]


def study_identity(supermodel: Supermodel, wanted: Wanted, validation: Encoded, threads: int) -> str:
    """A short hash of everything that an accuracy depends on."""
    digest = hashlib.sha256(f"{wanted.key} {threads}".encode())
    for name in sorted(supermodel.parameters):
        digest.update(supermodel.parameters[name].detach().numpy().tobytes())
    for ids in validation.ids:
        digest.update(ids.tobytes())
    digest.update(validation.labels.tobytes())
    return digest.hexdigest()[:16]


def run_search(
    supermodel: Supermodel,
    wanted: Wanted,
    validation: Encoded,
    *,
    study: Path,
    machine: Machine,
    threads: int,
    teller: Teller,
) -> dict[str, Any]:
    """Searches under every limit, measures the finalists, and returns what ``search.json`` holds.

    One study serves all limits: a candidate is evaluated once.

    Args:
        supermodel: Gives the candidates' weights.
        wanted: What is searched.
        validation: Rows that candidates are judged on.
        study: The journal of evaluations; an interrupted search finds its own here.
        machine: This machine.
        threads: Of the evaluation; latency is measured with the profile's.
        teller: Told of the progress.

    Raises:
        Infeasible: nothing meets one of the limits.
        InputError: the supermodel is of another space than the profile.
    """
    space = supermodel.space
    if space != wanted.profile.space:
        raise InputError(
            f"The supermodel is of space {space.space.name!r} ({space.space.size:,} architectures), the profile of "
            f"{wanted.profile.space.space.name!r} ({wanted.profile.space.space.size:,}): use one of the same space"
        )
    parts = narrowed_for(wanted)
    evaluator = Evaluator(wanted.backend, wanted.options, validation, machine=machine, threads=threads)
    time_archs = timer(
        space,
        wanted.profile.protocol,
        deployment=wanted.deployment,
        size=wanted.size,
        vocab=wanted.profile.vocab,
        machine=machine,
    )
    identity = study_identity(supermodel, wanted, validation, threads)
    with open_study(study, identity) as kept:
        evaluate = kept.keep(lambda arch: evaluator.candidate(supermodel, arch))
        ends = {}
        for name, arch in (("largest", space.space.largest), ("smallest", space.space.smallest)):
            found = kept.known.get(arch) or evaluate(arch)
            ends[name] = {"arch": str(arch), "accuracy": _number(found)}
        limits = []
        for number, part in enumerate(parts):
            evaluations = _evolve(space.space, part, wanted, number, kept, evaluate, teller)
            decision = decide(
                sorted((e for e in evaluations if not e.failed), key=lambda e: -e.score),
                limit_s=part.limit_s,
                time=time_archs,
            )
            limits.append(_limit_entry(part, evaluations, decision, wanted))
            winner = decision.winner
            teller.say(
                f"Within {part.limit_s * 1e3:.3g} ms: {winner.evaluation.arch}, accuracy {winner.evaluation.score:.2%} "
                f"on {len(validation)} validation rows, measured {winner.timing.p50_s * 1e3:.3g} ms"
            )
    return {
        "key": wanted.key,
        "batch": wanted.size.batch,
        "length": wanted.size.length,
        "rows": len(validation),
        **ends,
        "limits": limits,
    }


def _evolve(
    space: Any,
    part: Narrowed,
    wanted: Wanted,
    number: int,
    kept: Study,
    evaluate: Callable[[Arch], Evaluation],
    teller: Teller,
) -> tuple[Evaluation, ...]:
    strategy = Evolution(
        space,
        part.rows,
        rng=np.random.default_rng([wanted.seed, 40, number]),
        generations=wanted.generations,
        size=wanted.population,
    )
    total = min(len(part.rows), wanted.generations * wanted.population)
    best, done = 0.0, 0

    def told(evaluation: Evaluation) -> None:
        nonlocal best, done
        done += 1
        best = best if evaluation.failed else max(best, evaluation.score)
        teller.progress(done, total, f"within {part.limit_s * 1e3:.3g} ms: best so far {best:.2%}")

    return search(strategy, evaluate, known=dict(kept.known), told=told).evaluations


def _number(evaluation: Evaluation) -> float | None:
    return None if math.isnan(evaluation.score) else evaluation.score


def _limit_entry(
    part: Narrowed, evaluations: Sequence[Evaluation], decision: Decision, wanted: Wanted
) -> dict[str, Any]:
    archs = [e.arch for e in evaluations]
    predicted = wanted.profile.predict_p50(wanted.key, archs, sizes=[wanted.size] * len(archs))
    return {
        "limit_s": part.limit_s,
        "feasible": len(part.rows),
        "total": part.total,
        "binds": part.binds,
        "evaluations": [
            {
                "arch": str(e.arch),
                "accuracy": _number(e),
                "predicted_s": float(seconds),
                "upper_s": float(upper),
            }
            for e, seconds, upper in zip(evaluations, predicted.seconds, predicted.upper, strict=True)
        ],
        "measured": [
            {
                "arch": str(f.evaluation.arch),
                "accuracy": f.evaluation.score,
                "p50_s": f.timing.p50_s,
                "p50_low_s": f.timing.p50_low_s,
                "p50_high_s": f.timing.p50_high_s,
                "within": f.within,
            }
            for f in decision.measured
        ],
        "winner": str(decision.winner.evaluation.arch),
    }


def kept_search(path: Path, wanted: Wanted, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What an earlier search of the same found, or what ``make`` finds, which is then kept.

    Raises:
        InputError: the earlier search was for something else.
    """
    asked = {
        "key": wanted.key,
        "batch": wanted.size.batch,
        "length": wanted.size.length,
        "limits_s": list(wanted.limits_s),
        "generations": wanted.generations,
        "population": wanted.population,
        "seed": wanted.seed,
    }
    if path.exists():
        found = read_json(path)
        if found.get("asked") != asked:
            raise InputError(f"{path} is of another search: choose another directory with --out, or ask for the same")
        return found
    found = {"asked": asked, **make()}
    write_json(path, found)
    return found


def limits_of(
    profile: Profile, key: str, size: Size, asked_ms: Sequence[float], shares: Sequence[float]
) -> tuple[float, ...]:
    """The limits in seconds, ascending: those asked for, or shares of the largest architecture's measured median."""
    if asked_ms:
        return tuple(sorted({limit / 1e3 for limit in asked_ms}))
    largest = profile.space.space.largest
    measured = next((m.timing for m in profile.of(key, size) if m.arch == largest), None)
    whole_s = measured.p50_s if measured else float(profile.predict_p50(key, [largest], sizes=[size]).seconds[0])
    return tuple(round(share * whole_s, 7) for share in shares)
