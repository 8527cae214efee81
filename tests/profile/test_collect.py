from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bigfast.errors import InputError, ProfileError, StorageError
from bigfast.measure import Block, order_of_round
from bigfast.profile import Plan, Profile, assemble, collect, fit_predictors
from bigfast.profile.collect import AFTER, BEFORE, MAIN, events_of
from bigfast.store import Journal, open_journal


@pytest.fixture
def small(plan: Plan) -> Plan:
    """Without the variant that fails."""
    return replace(plan, deployments=plan.deployments[:1])


def blocks_in(journal: Journal, stage: str = MAIN) -> list[tuple[int, int]]:
    return [(e.round, e.subject) for e in events_of(journal, stage) if isinstance(e, Block) and not e.is_anchor]


def planned(plan: Plan, count: int) -> list[tuple[int, int]]:
    seed, rounds = plan.protocol.seed, plan.protocol.rounds
    return [(n, place) for n in range(rounds) for place in order_of_round(count, seed=seed, round=n)]


def test_an_interrupted_profile_goes_on_where_it_stopped_and_repeats_nothing(small: Plan, tmp_path: Path) -> None:
    with open_journal(tmp_path / "journal") as journal:
        run = collect(small, journal)
        first = list(islice(run, 13))
        run.close()

    with open_journal(tmp_path / "journal") as journal:
        kept = blocks_in(journal)
        rest = list(collect(small, journal))

        assert kept == planned(small, 12)[:7]
        assert blocks_in(journal) == planned(small, 12)
        assert blocks_in(journal, AFTER) == blocks_in(journal, BEFORE) == planned(small, 3)
        assert first + rest == [(n, 36) for n in range(1, 37)]
        assert list(collect(small, journal)) == []


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import bigfast.measure.run as running
from bigfast.cpu import detect
from bigfast.measure import Deployment, Protocol, Size
from bigfast.profile import Plan, collect
from bigfast.space import BertSpace
from bigfast.store import open_journal, read_json
running.MACHINE_LOCK = Path(sys.argv[3])
value = read_json(Path(sys.argv[4]))
plan = Plan.make(machine=detect(), protocol=Protocol.from_json(value["protocol"]),
                 space=BertSpace.from_json(value["space"]), vocab=50, count=12,
                 deployments=[Deployment.parse("fake")], sizes=[Size(length=8)])
with open_journal(Path(sys.argv[1])) as journal:
    for done, _ in collect(plan, journal):
        print(done, flush=True)
"""


def start_elsewhere(plan: Plan, directory: Path) -> subprocess.Popen[str]:
    """The same plan in a process of its own, which tells after each block how many there are."""
    (directory / "plan.json").write_text(json.dumps(plan.to_json()))
    fake = Path(__file__).parents[1] / "measure" / "fake"
    journal, lock, file = (str(directory / name) for name in ("journal", "lock", "plan.json"))
    command = [sys.executable, "-c", PROGRAM, journal, str(fake), lock, file]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def all_blocks(journal: Journal) -> list[tuple[str, int, int]]:
    return [(stage, *pair) for stage in (BEFORE, MAIN, AFTER) for pair in blocks_in(journal, stage)]


def test_a_killed_profile_loses_at_most_the_block_being_measured(small: Plan, tmp_path: Path) -> None:
    with start_elsewhere(small, tmp_path) as process:
        assert process.stdout is not None
        told = [int(next(process.stdout)) for _ in range(10)][-1]
        process.kill()

    with open_journal(tmp_path / "journal") as journal:
        kept = all_blocks(journal)
        list(collect(small, journal))

        assert len(kept) >= told
        assert all_blocks(journal)[: len(kept)] == kept
        assert blocks_in(journal) == planned(small, 12)


@pytest.mark.slow
def test_killed_at_25_random_moments_a_profile_is_the_one_that_was_planned(small: Plan, tmp_path: Path) -> None:
    longer = replace(small, protocol=replace(small.protocol, rounds=20, block_s=0.03))
    rng = random.Random(1)
    kept: list[tuple[str, int, int]] = []
    for _ in range(25):
        with start_elsewhere(longer, tmp_path) as process:
            time.sleep(rng.uniform(0.0, 4.0))
            process.kill()
        with open_journal(tmp_path / "journal") as journal:
            now = all_blocks(journal)
            assert now[: len(kept)] == kept
            kept = now

    with open_journal(tmp_path / "journal") as journal:
        list(collect(longer, journal))

        assert [blocks_in(journal, stage) for stage in (BEFORE, MAIN, AFTER)] == [
            planned(longer, 3), planned(longer, 12), planned(longer, 3),
        ]  # fmt: skip
        assert len(assemble(longer, journal).measurements) == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)], check=False)
    if made.returncode:
        pytest.skip("only root can mount a file system here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_on_a_full_disk_what_was_measured_stays_and_is_continued_with_more_room(small: Plan, small_disk: Path) -> None:
    longer = replace(small, protocol=replace(small.protocol, rounds=30, calls_at_least=64))

    with open_journal(small_disk / "journal") as journal:
        with pytest.raises(StorageError, match="free some space and run the same command again") as caught:
            list(collect(longer, journal))
        kept = all_blocks(journal)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)

    with open_journal(small_disk / "journal") as journal:
        assert all_blocks(journal) == kept
        list(collect(longer, journal))
        assert blocks_in(journal) == planned(longer, 12)
    assert caught.value.exit_code == 4


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
    assert measured.keys == ("fake:default@1", "fake:mode=refuses@1")
    assert [m.arch for m in measured.of("fake:default@1")] == list(plan.archs)
    assert {m.reason for m in measured.measurements if m.key == "fake:mode=refuses@1"} == {"it refuses this model"}
    assert {m.status for m in measured.measurements if m.key == "fake:mode=refuses@1"} == {"failed"}


def test_a_measurement_keeps_what_was_found_before_it_was_timed(measured: Profile) -> None:
    for measurement in measured.of("fake:default@1"):
        assert measurement.evidence == {"linear": "numpy"}
        assert measurement.disagreement is not None
        assert measurement.disagreement < 1e-3
        assert measurement.peak_bytes is not None
        assert measurement.peak_bytes > 2**20
        assert measurement.version == "1.0"


def test_the_timings_are_those_of_the_blocks(measured: Profile) -> None:
    for place, measurement in enumerate(measured.measurements):
        samples = [s for b in measured.blocks if b.subject == place and not b.is_anchor for s in b.samples_s]
        if measurement.timing is None:
            assert not samples
        else:
            assert measurement.timing.estimate_s == np.quantile(samples, 0.1, method="inverted_cdf")
            assert measurement.timing.calls == len(samples)


def test_the_noise_floor_is_known_for_what_could_be_measured_again(measured: Profile) -> None:
    assert set(measured.noise_floor) == {"fake:default@1"}
    assert measured.noise_floor["fake:default@1"] >= 0


def test_sentinels_are_measured_in_three_processes(measured: Profile, plan: Plan) -> None:
    found = [s for s in measured.sentinels if s.key == "fake:default@1"]

    assert [s.arch for s in found] == list(plan.sentinels)
    assert all(seconds is not None and seconds > 0 for s in found for seconds in s.estimates_s)
    assert all(len(s.differences) == 3 for s in found)
    assert measured.conditions.keys() == {"before", "after"}


def test_the_same_journal_assembles_to_the_same_profile(plan: Plan, measured: Profile, finished: Path) -> None:
    with open_journal(finished) as journal:
        assert assemble(plan, journal) == measured


def test_a_key_without_enough_measurements_cannot_be_fitted(measured: Profile) -> None:
    with pytest.raises(ProfileError, match=r"Only 0 architectures .* on fake:mode=refuses@1, and a predictor needs 12"):
        list(fit_predictors(measured, kind="analytic"))


def test_a_predictor_is_judged_on_rows_that_it_has_not_seen(profile: Profile) -> None:
    fitted = profile.fitted["fake:default@1"]

    assert fitted.unseen.n == 3
    assert fitted.fitting_rows == fitted.predictor.rows == 9


def test_the_ends_of_the_space_are_always_fitted_on(profile: Profile) -> None:
    rows = profile.features([profile.space.space.smallest, profile.space.space.largest], profile.sizes * 2)

    assert not profile.fitted["fake:default@1"].predictor.predict(rows).outside.any()
