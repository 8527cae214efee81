from __future__ import annotations

import numpy as np
import pytest

from bigfast.errors import Infeasible, ProfileError
from bigfast.profile import Profile
from bigfast.search import narrow

KEY = "torch-int8:engine=x86@1"


@pytest.mark.parametrize("limit_s", [2e-3, 4e-3, 8e-3, 1.0])
def test_what_is_left_has_its_upper_bound_within_the_limit_and_nothing_else_has(
    profile: Profile, limit_s: float
) -> None:
    found = narrow(profile, KEY, limit_s)

    space = profile.space.space
    rows = space.enumerate()
    upper = profile.predict_p50(KEY, [space.arch(row) for row in rows]).upper
    assert (found.upper_s <= limit_s).all()
    assert (found.predicted_s <= found.upper_s).all()
    assert np.array_equal(found.rows, rows[upper <= limit_s])
    assert found.total == 1125


def test_a_limit_binds_only_where_it_excludes_something(profile: Profile) -> None:
    assert narrow(profile, KEY, 4e-3).binds
    assert not narrow(profile, KEY, 1.0).binds


def test_a_higher_limit_leaves_no_less(profile: Profile) -> None:
    counts = [len(narrow(profile, KEY, limit_s).rows) for limit_s in (1e-3, 2e-3, 4e-3, 8e-3)]

    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("limit_s", [1e-6, 0.0, float("nan")])
def test_an_infeasible_limit_is_answered_with_the_fastest_and_its_latency(profile: Profile, limit_s: float) -> None:
    fastest = profile.predict_p50(KEY, [profile.space.space.smallest])

    with pytest.raises(Infeasible, match="e=1 h=128 f=128") as caught:
        narrow(profile, KEY, limit_s)

    assert f"{fastest.upper[0] * 1e3:.3g} ms" in str(caught.value)


def test_a_limit_at_the_fastest_leaves_it(profile: Profile) -> None:
    fastest = float(profile.predict_p50(KEY, [profile.space.space.smallest]).upper[0])

    assert profile.space.space.smallest in [profile.space.space.arch(row) for row in narrow(profile, KEY, fastest).rows]


def test_a_backend_without_predictor_is_refused(profile: Profile) -> None:
    with pytest.raises(ProfileError, match="no predictor for torch-fp32:default: it has torch-int8:engine=x86"):
        narrow(profile, "torch-fp32:default", 1.0)
