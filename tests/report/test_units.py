from __future__ import annotations

import pytest

from bigfast.report.units import duration, interval, limit, mib, ms, number, percent, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0483, "0.0483"), (0.483, "0.483"), (4.8349, "4.83"), (48.3, "48.3"), (1483.2, "1,483"), (0.0, "0.00")],
)
def test_a_number_has_three_digits_and_no_power_of_ten(value: float, text: str) -> None:
    assert number(value) == text


def test_what_is_not_a_number_is_a_dash() -> None:
    assert number(float("inf")) == "-"


def test_units_stay_on_the_line_of_their_number() -> None:
    assert [ms(0.00483), percent(0.7123), mib(18 * 2**20)] == ["4.83\xa0ms", "71.2\xa0%", "18.0\xa0MiB"]


def test_a_limit_is_written_as_it_was_asked_for() -> None:
    assert [limit(0.005), limit(0.01), limit(0.00725), limit(0.1)] == ["5\xa0ms", "10\xa0ms", "7.25\xa0ms", "100\xa0ms"]


def test_an_interval_is_in_milliseconds() -> None:
    assert interval(0.00478, 0.0049) == "[4.78,\xa04.90]"


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.31, "8.3\xa0s"), (200, "3\xa0min 20\xa0s"), (3900, "1\xa0h 5\xa0min"), (120, "2\xa0min")]
)
def test_a_duration_is_read_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_variant_without_options_is_not_named() -> None:
    assert plain("torch-fp32:default@1") == "torch-fp32, 1 thread"
    assert plain("torch-int8:engine=x86@2x4") == "torch-int8:engine=x86, 4 workers of 2 threads"
    assert plain("what@ever") == "what@ever"
