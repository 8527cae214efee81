from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bigfast.cpu import detect
from bigfast.measure import Deployment, Protocol, Size
from bigfast.profile import Plan, Profile, assemble, collect, fit_predictors
from bigfast.space import BertSpace, Choice, Space
from bigfast.store import open_journal

FAKE = Path(__file__).parents[1] / "measure" / "fake"

TINY = BertSpace(
    space=Space("tiny", (Choice("e", (1, 2, 3)), Choice("h", (12, 24, 36)), Choice("f", (16, 32, 48)))), heads=2
)


@pytest.fixture(autouse=True, scope="package")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """See the one of ``tests/measure``: the fake backend is in NumPy, so that its processes start quickly."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("lock") / "measuring.lock"
        patch.setattr("bigfast.measure.run.MACHINE_LOCK", path)
        patch.syspath_prepend(FAKE)
        patch.setenv("PYTHONPATH", str(FAKE))
        yield path


@pytest.fixture(scope="package")
def plan(lock: Path) -> Plan:
    """Twelve architectures on two variants, of which one refuses to load; nothing counts as disturbed."""
    calm = {"steal_at_most": 9.0, "waited_at_most": 1e9, "drift_at_most": 1e9}
    protocol = Protocol(rounds=2, extra_rounds=0, block_s=0.003, seed=3, **calm)
    return Plan.make(
        machine=detect(),
        protocol=protocol,
        space=TINY,
        vocab=50,
        count=12,
        deployments=[Deployment.parse("fake"), Deployment.parse("fake:mode=refuses")],
        sizes=[Size(length=8)],
    )


@pytest.fixture(scope="package")
def finished(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of that plan, measured to the end."""
    path = tmp_path_factory.mktemp("measured") / "journal"
    with open_journal(path) as journal:
        for _ in collect(plan, journal):
            pass
    return path


@pytest.fixture(scope="package")
def measured(plan: Plan, finished: Path) -> Profile:
    """What it holds, without predictors."""
    with open_journal(finished) as journal:
        return assemble(plan, journal)


@pytest.fixture(scope="package")
def profile(measured: Profile) -> Profile:
    """The part of it that was measured with success, with its predictor."""
    kept = replace(measured, measurements=tuple(m for m in measured.measurements if m.timing is not None))
    *_, (_, found) = fit_predictors(kept, kind="analytic")
    return found
