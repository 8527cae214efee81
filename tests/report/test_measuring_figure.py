from __future__ import annotations

from dataclasses import replace

import pytest

from bigfast.measure import Block
from bigfast.profile import Profile
from bigfast.report.measuring_figure import measuring_drawing
from bigfast.report.profile_figures import profile_figures


def block(at_s: float, *, subject: int = 0, anchor: bool = False, slow: float = 1.0, waited: float = 0.0) -> Block:
    return Block(
        subject=subject,
        round=-1 if anchor else 0,
        started_s=at_s,
        warmup_s=(slow,),
        samples_s=(slow, 1.1 * slow, 1.2 * slow),
        steal=0.0,
        throttled=0,
        pressure=0.0,
        waited=waited,
    )


@pytest.fixture
def measured(profile: Profile) -> Profile:
    """Blocks over a minute, of which one waited for a core, and two lie near a slow anchor."""
    blocks = [block(at, slow=1.5 if at in (30, 31) else 1.0) for at in range(60)]
    blocks += [block(at + 0.5, subject=1, anchor=True, slow=1.4 if at == 30 else 1.0) for at in range(0, 60, 5)]
    return replace(profile, blocks=(*blocks, block(10.2, waited=0.5)))


def test_a_profile_without_samples_has_no_figure_of_its_measuring(profile: Profile) -> None:
    assert not profile.blocks
    assert measuring_drawing(profile) is None
    assert "measuring.png" not in {name for name, _ in profile_figures(profile).values()}


def test_a_burst_is_marked_with_the_reason_of_its_rejection(measured: Profile) -> None:
    drawing = measuring_drawing(measured)

    assert drawing is not None
    for text in (
        "rejected: waited for a core (1)",
        "rejected: near a slow anchor",
        "anchor, with quartiles",
        "time (s)",
    ):
        assert text in drawing.svg
    assert "blocks over time" in drawing.alt.lower()


def test_the_figure_lies_in_the_profile(measured: Profile) -> None:
    found = dict(profile_figures(measured).values())

    assert found["measuring.png"].startswith(b"\x89PNG\r\n")
