from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bigfast.measure import Block, Protocol, rejected_blocks, summarise, timings

PROTOCOL = Protocol(steal_at_most=0.01, drift_at_most=0.1)


def block(
    subject: int = 0,
    *,
    at: float = 0.0,
    samples: Sequence[float] = (1.0, 1.1, 1.2),
    anchor: bool = False,
    steal: float | None = 0.0,
    throttled: int | None = 0,
    waited: float | None = 0.0,
) -> Block:
    return Block(
        subject=subject,
        round=-1 if anchor else 0,
        started_s=at,
        warmup_s=(9.0,),
        samples_s=tuple(samples),
        steal=steal,
        throttled=throttled,
        pressure=None,
        waited=waited,
    )


def test_a_block_is_rejected_for_steal_and_for_throttling_above_the_limit_only() -> None:
    blocks = [block(), block(steal=0.01), block(steal=0.011), block(throttled=2), block(steal=None, throttled=None)]

    assert rejected_blocks(blocks, PROTOCOL) == [None, None, "steal 1.1%", "throttled 2 times", None]


def test_a_block_is_rejected_where_its_threads_waited_for_a_core() -> None:
    blocks = [block(waited=0.05), block(waited=0.051), block(waited=None)]

    assert rejected_blocks(blocks, PROTOCOL) == [None, "waited for a core 5.1% of the time", None]


def test_an_anchor_block_that_was_disturbed_itself_tells_nothing_about_drift() -> None:
    anchors = [block(1, at=0, anchor=True), block(1, at=5, samples=[9.0], anchor=True, steal=0.5)]

    assert rejected_blocks([*anchors, block(at=5)], PROTOCOL) == [None, "steal 50.0%", None]


def test_blocks_near_a_slow_anchor_are_rejected_and_others_not() -> None:
    anchors = [
        block(1, at=at, samples=[seconds] * 3, anchor=True) for at, seconds in ((0, 1), (10, 1), (20, 1.3), (30, 1))
    ]
    blocks = [block(at=1), block(at=19), block(at=21), block(at=29.5)]

    reasons = rejected_blocks([*anchors, *blocks], PROTOCOL)

    assert reasons == [None, None, None, None, None, "anchor 27% above its median", "anchor 27% above its median", None]


def test_the_order_in_which_blocks_are_given_does_not_matter() -> None:
    blocks = [
        *(block(1, at=at, samples=[1 + at / 50] * 3, anchor=True) for at in range(0, 30, 5)),
        *(block(0, at=at) for at in range(30)),
    ]
    order = np.random.default_rng(0).permutation(len(blocks))

    shuffled = rejected_blocks([blocks[i] for i in order], PROTOCOL)

    assert shuffled == [rejected_blocks(blocks, PROTOCOL)[i] for i in order]


@pytest.mark.parametrize(
    ("blocks", "calls", "p90", "p99"),
    [
        (8, 8, True, False),
        (8, 7, False, False),  # 56 calls
        (7, 10, False, False),  # 7 blocks
        (8, 83, True, True),  # 664 calls
        (1, 661, False, False),
        (1, 662, False, True),
    ],
)
def test_percentiles_are_absent_below_their_sample_bounds(blocks: int, calls: int, p90: bool, p99: bool) -> None:
    rng = np.random.default_rng(1)

    found = summarise(rng.uniform(1, 2, (blocks, calls)).tolist(), rejected=0)

    assert (found.p90_s is not None, found.p99_s is not None) == (p90, p99)
    assert (found.calls, found.blocks) == (blocks * calls, blocks)


@pytest.mark.parametrize("seed", range(5))
def test_the_intervals_contain_their_figures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = 1 + rng.exponential(0.05, (8, 20))

    found = summarise(samples.tolist(), rejected=0)

    assert found.estimate_s == np.quantile(samples, 0.1, method="inverted_cdf")
    assert found.p50_s == np.quantile(samples, 0.5, method="inverted_cdf")
    assert found.low_s <= found.estimate_s <= found.high_s
    assert found.p50_low_s <= found.p50_s <= found.p50_high_s


def test_the_interval_of_the_median_contains_the_truth_nine_times_of_ten() -> None:
    """By bootstrap over 12 correlated blocks 95 % is approached from below."""
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(100):
        blocks = rng.normal(10, 0.2, (12, 1)) + rng.normal(0, 0.1, (12, 9))
        found = summarise(blocks.tolist(), rejected=0)
        inside += found.p50_low_s <= 10 <= found.p50_high_s

    assert inside >= 85


def test_one_block_has_an_interval_without_width() -> None:
    found = summarise([[2.0, 1.0, 3.0]], rejected=0)

    assert (found.low_s, found.estimate_s, found.high_s, found.p50_s) == (1.0, 1.0, 1.0, 2.0)


def test_blocks_that_agree_are_ok_and_blocks_that_do_not_are_unstable() -> None:
    assert summarise([[1.0, 1.05]] * 6, rejected=0).verdict == "ok"
    assert "wide" in summarise([[1.0]] + [[1.5]] * 5, rejected=0).unstable


def test_more_rejected_than_accepted_blocks_are_unstable() -> None:
    assert summarise([[1.0]] * 3, rejected=3).verdict == "ok"
    assert summarise([[1.0]] * 3, rejected=4).unstable == "4 of 7 blocks were disturbed"


def test_a_timing_uses_the_accepted_blocks_of_its_subject_alone() -> None:
    blocks = [
        block(0, samples=[1.0, 1.0]),
        block(0, samples=[0.1, 9.0], steal=0.5),
        block(1, samples=[3.0, 3.0]),
        block(1, samples=[0.2], anchor=True),
    ]

    found = timings(blocks, PROTOCOL)

    assert {place: (t.estimate_s, t.calls, t.rejected) for place, t in found.items()} == {
        0: (1.0, 2, 1),
        1: (3.0, 2, 0),
    }


def test_disturbed_blocks_are_used_where_there_are_no_others_and_the_verdict_says_so() -> None:
    found = timings([block(0, steal=0.5) for _ in range(4)], PROTOCOL)[0]

    assert (found.estimate_s, found.blocks, found.verdict) == (1.0, 4, "unstable")
    assert found.unstable == "all of its 4 blocks were disturbed"
