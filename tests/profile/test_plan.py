from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bigfast.errors import InputError
from bigfast.measure import Size
from bigfast.profile import Plan, middle, spread
from bigfast.space import Arch, Space, aligned_space, paper_space

SPACES = [paper_space().space, aligned_space().space]


@pytest.mark.parametrize("count", [12, 80, 300])
@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_a_spread_has_both_ends_and_as_many_different_architectures_as_asked(space: Space, count: int) -> None:
    archs = spread(space, count, rng=np.random.default_rng(0))

    assert archs[:2] == (space.smallest, space.largest)
    assert len(set(archs)) == len(archs) == count
    assert all(arch in space for arch in archs)


def test_a_spread_follows_from_its_seed() -> None:
    first, again, other = (spread(SPACES[0], 40, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert first == again
    assert set(first) != set(other)


def test_a_spread_reaches_every_tenth_of_every_choice() -> None:
    space = SPACES[0]

    rows = np.array([space.row(arch) for arch in spread(space, 80, rng=np.random.default_rng(0))])

    for column, choice in zip(rows.T, space.choices, strict=True):
        places = np.searchsorted(choice.values, column) / len(choice.values)
        bins = min(10, len(choice.values))
        assert len(np.unique((places * bins).astype(int))) == bins


def test_a_space_that_is_smaller_than_asked_is_spread_whole() -> None:
    space = Space(
        "small", SPACES[0].choices[:1] + tuple(replace(c, values=c.values[:3]) for c in SPACES[0].choices[1:])
    )

    archs = spread(space, 1000, rng=np.random.default_rng(0))

    assert len(set(archs)) == space.size == 45


def test_fewer_architectures_than_a_predictor_needs_are_refused() -> None:
    with pytest.raises(InputError, match=r"at least 12 architectures .* not 11"):
        spread(SPACES[0], 11, rng=np.random.default_rng(0))


def test_the_middle_is_half_way_in_every_choice() -> None:
    assert middle(SPACES[1]) == Arch.of(e=3, h=352, f=576)


def test_a_plan_needs_a_backend(plan: Plan) -> None:
    with pytest.raises(InputError, match="at least one backend"):
        Plan.make(
            machine=plan.machine,
            protocol=plan.protocol,
            space=plan.space,
            vocab=50,
            count=12,
            deployments=[],
            sizes=plan.sizes,
        )


def test_the_anchor_is_the_first_deployments_architecture_nearest_the_middle(plan: Plan) -> None:
    subject = plan.subjects(plan.archs)[plan.anchor(plan.archs)]

    row, wanted = (plan.space.space.row(a) for a in (Arch.parse(subject.label), middle(plan.space.space)))
    assert str(subject.deployment) == "fake:default@1"
    assert np.abs(row / wanted - 1).sum() <= 0.5


def test_the_sentinels_are_the_ends_and_one_between(plan: Plan) -> None:
    sentinels = plan.sentinels

    assert sentinels[:2] == plan.archs[:2]
    assert len(set(sentinels)) == 3


def test_every_architecture_is_measured_on_every_deployment_with_every_size(plan: Plan) -> None:
    wide = replace(plan, sizes=(Size(1, 8), Size(2, 4)))

    subjects = wide.subjects(wide.archs)

    assert len(subjects) == 12 * 2 * 2
    assert {(str(s.deployment), s.size) for s in subjects} == {
        (key, size) for key in ("fake:default@1", "fake:mode=refuses@1") for size in wide.sizes
    }
