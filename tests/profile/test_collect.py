from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bigfast.errors import InputError, ProfileError
from bigfast.measure import Block, order_of_round
from bigfast.profile import Plan, Profile, assemble, collect, fit_predictors
from bigfast.profile.collect import events_of
from bigfast.store import Journal, open_journal


@pytest.fixture
def small(plan: Plan) -> Plan:
    """Without the variant that fails."""
    return replace(plan, variants=plan.variants[:1])


def blocks_in(journal: Journal, stage: str = "main") -> list[tuple[int, int]]:
    return [(e.round, e.subject) for e in events_of(journal, stage) if isinstance(e, Block) and not e.is_anchor]


def planned(plan: Plan, count: int) -> list[tuple[int, int]]:
    seed, rounds = plan.protocol.seed, plan.protocol.rounds
    return [(n, place) for n in range(rounds) for place in order_of_round(count, seed=seed, round=n)]


def test_an_interrupted_profile_goes_on_where_it_stopped_and_repeats_nothing(small: Plan, tmp_path: Path) -> None:
    with open_journal(tmp_path / "journal") as journal:
        run = collect(small, journal)
        first = list(islice(run, 7))
        run.close()

    with open_journal(tmp_path / "journal") as journal:
        kept = blocks_in(journal)
        rest = list(collect(small, journal))

        assert kept == planned(small, 12)[:7]
        assert blocks_in(journal) == planned(small, 12)
        assert blocks_in(journal, "sentinels") == planned(small, 3)
        assert first + rest == [(n, 30) for n in range(1, 31)]
        assert list(collect(small, journal)) == []


def test_a_killed_profile_loses_at_most_the_block_being_measured(small: Plan, tmp_path: Path) -> None:
    program = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import bigfast.measure.run as running
from bigfast.cpu import detect
from bigfast.measure import Protocol
from bigfast.profile import Plan, collect
from bigfast.space import BertSpace
from bigfast.store import open_journal, read_json
running.MACHINE_LOCK = Path(sys.argv[3])
value = read_json(Path(sys.argv[4]))
plan = Plan.make(machine=detect(), protocol=Protocol.from_json(value["protocol"]),
                 space=BertSpace.from_json(value["space"]), vocab=50, count=12, variants=[("fake", {})])
with open_journal(Path(sys.argv[1])) as journal:
    for done, _ in collect(plan, journal):
        print(done, flush=True)
"""
    (tmp_path / "plan.json").write_text(json.dumps(small.to_json()))
    fake = Path(__file__).parents[1] / "measure" / "fake"
    arguments = [str(tmp_path / name) for name in ("journal", "lock", "plan.json")]
    command = [sys.executable, "-c", program, arguments[0], str(fake), *arguments[1:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(next(process.stdout)) for _ in range(4)][-1]
        process.kill()

    with open_journal(tmp_path / "journal") as journal:
        kept = blocks_in(journal)
        list(collect(small, journal))

        assert kept[:told] == planned(small, 12)[:told]
        assert blocks_in(journal) == planned(small, 12)


def test_a_journal_of_another_plan_is_refused(small: Plan, tmp_path: Path) -> None:
    others = [
        replace(small, vocab=51),
        replace(small, archs=small.archs[:-1]),
        replace(small, protocol=replace(small.protocol, seed=4)),
        replace(small, machine=replace(small.machine, model="another CPU")),
    ]
    with open_journal(tmp_path / "journal") as journal:
        journal.append("plan", small.to_json())

        for other in others:
            with pytest.raises(InputError, match="unfinished profile of another plan or machine"):
                next(iter(collect(other, journal)))


def test_every_architecture_of_every_variant_is_measured_or_failed_with_its_reason(
    measured: Profile, plan: Plan
) -> None:
    assert measured.keys == ("fake:default", "fake:mode=refuses")
    assert [m.arch for m in measured.of("fake:default")] == list(plan.archs)
    assert {m.reason for m in measured.measurements if m.key == "fake:mode=refuses"} == {"it refuses this model"}
    assert {m.status for m in measured.measurements if m.key == "fake:mode=refuses"} == {"failed"}


def test_a_measurement_keeps_what_was_found_before_it_was_timed(measured: Profile) -> None:
    for measurement in measured.of("fake:default"):
        assert measurement.evidence == {"linear": "numpy"}
        assert measurement.disagreement is not None
        assert measurement.disagreement < 1e-3
        assert measurement.version == "1.0"


def test_the_timings_are_those_of_the_blocks(measured: Profile) -> None:
    for place, measurement in enumerate(measured.measurements):
        samples = [s for b in measured.blocks if b.subject == place and not b.is_anchor for s in b.samples_s]
        if measurement.timing is None:
            assert not samples
        else:
            assert measurement.timing.estimate_s == min(samples)
            assert measurement.timing.calls == len(samples)


def test_the_noise_floor_is_known_for_what_could_be_measured_again(measured: Profile) -> None:
    assert set(measured.noise_floor) == {"fake:default"}
    assert measured.noise_floor["fake:default"] >= 0


def test_the_same_journal_assembles_to_the_same_profile(plan: Plan, measured: Profile, finished: Path) -> None:
    with open_journal(finished) as journal:
        assert assemble(plan, journal) == measured


def test_a_key_without_enough_measurements_cannot_be_fitted(measured: Profile) -> None:
    with pytest.raises(ProfileError, match=r"Only 0 architectures .* on fake:mode=refuses, and a predictor needs 12"):
        list(fit_predictors(measured, kind="analytic"))


def test_a_predictor_is_judged_on_rows_that_it_has_not_seen(profile: Profile) -> None:
    fitted = profile.fitted["fake:default"]

    assert fitted.unseen.n == 3
    assert fitted.fitting_rows == fitted.predictor.rows == 9


def test_the_ends_of_the_space_are_always_fitted_on(profile: Profile) -> None:
    rows = profile.features([profile.space.space.smallest, profile.space.space.largest])

    assert not profile.fitted["fake:default"].predictor.predict(rows).outside.any()
