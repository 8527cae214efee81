from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bigfast.profile import Profile
from bigfast.report.latency_figures import equation
from bigfast.report.pairings import Line, pairings, unpaired
from bigfast.report.results import gain


def only(profile: Profile, *keys: str) -> Profile:
    return replace(profile, measurements=tuple(m for m in profile.measurements if m.key in keys))


def test_int8_stands_beside_float32_of_the_same_runtime(profile: Profile) -> None:
    assert [(p.int8_key, p.fp32_key) for p in pairings(profile)] == [
        ("onnxruntime-int8:recipe=linear@1", "onnxruntime-fp32:default@1"),
        ("torch-int8:engine=x86@1", "torch-fp32:default@1"),
    ]


def test_only_architectures_measured_on_both_sides_are_compared(profile: Profile) -> None:
    measurements = list(profile.measurements)
    measurements[0] = replace(measurements[0], timing=None, reason="it failed")

    assert len(pairings(replace(profile, measurements=tuple(measurements)))[1].archs) == 39


def test_the_line_is_the_regression_of_float32_on_int8(profile: Profile) -> None:
    pairing = pairings(profile)[1]
    x = np.array([[t.p50_s, 1.0] for t in pairing.int8])
    y = np.array([t.p50_s for t in pairing.fp32])
    slope, offset_s = np.linalg.lstsq(x, y, rcond=None)[0]

    line = pairing.line

    assert line is not None
    assert (line.slope, line.offset_s) == pytest.approx((slope, offset_s))


def test_two_points_have_no_line(profile: Profile) -> None:
    pairing = pairings(profile)[0]

    assert replace(pairing, archs=pairing.archs[:2], int8=pairing.int8[:2], fp32=pairing.fp32[:2]).line is None


def test_the_equation_is_written_as_in_the_paper() -> None:
    assert equation(Line(slope=1.75, offset_s=-0.00265, r_squared=1.0)) == "fp32 = 1.75 x int8 - 2.65 ms"


def test_a_backend_without_its_counterpart_is_named(profile: Profile) -> None:
    assert unpaired(only(profile, "torch-int8:engine=x86@1")) == (
        "torch-int8 was measured, torch-fp32 was not, or failed: they cannot be compared.",
    )


def test_int8_that_is_slower_is_said_to_be_slower(profile: Profile) -> None:
    pairing = pairings(profile)[1]

    assert "int8 does not pay" in gain(replace(pairing, int8=pairing.fp32, fp32=pairing.int8))
