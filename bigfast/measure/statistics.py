"""From blocks of calls to one latency, its interval and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bigfast.measure.events import Block
from bigfast.measure.protocol import Protocol

# Calls and blocks from which a percentile may be named: an upper percentile is only meaningful
# where the sample bounds it with 99 % confidence (binomial; MLPerf's constant for p99).
P90_CALLS, P90_BLOCKS = 64, 8
P99_CALLS = 662

SHARES = (0.1, 0.5, 0.9, 0.99)  # of the estimate, p50, p90, p99
RESAMPLES = 200
INTERVAL = (0.025, 0.975)
UNSTABLE_WIDTH = 0.1  # of the interval, as a share of the estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What the accepted blocks of one subject say, in seconds.

    Attributes:
        estimate_s: What one in ten accepted calls stays below, which repeats well on a shared machine
            (docs/measuring.md).
        low_s: Lower end of its 95 % interval, by bootstrap over blocks.
        high_s: Upper end.
        p50_s: Median of all accepted calls.
        p50_low_s: Lower end of its 95 % interval, by bootstrap over blocks.
        p50_high_s: Upper end.
        p90_s: None where there are too few calls or blocks.
        p99_s: None where there are too few calls.
        calls: Accepted calls.
        blocks: Accepted blocks.
        rejected: Rejected blocks.
        unstable: Why the figures should not be trusted; empty where they may be.
    """

    estimate_s: float
    low_s: float
    high_s: float
    p50_s: float
    p50_low_s: float
    p50_high_s: float
    p90_s: float | None
    p99_s: float | None
    calls: int
    blocks: int
    rejected: int
    unstable: str

    @property
    def verdict(self) -> str:
        """``ok`` or ``unstable``."""
        return "unstable" if self.unstable else "ok"


def rejected_blocks(blocks: Sequence[Block], protocol: Protocol) -> list[str | None]:
    """Why each block is rejected, in the order given; None for those that are accepted.

    A block is rejected for steal, for throttling, where our threads waited for a core, and where the undisturbed
    anchor blocks nearest in time are far above the anchor's own median.
    """
    reasons = [_disturbance(block, protocol) for block in blocks]
    anchors = sorted(
        (block.started_s, float(np.median(block.samples_s)))
        for block, reason in zip(blocks, reasons, strict=True)
        if block.is_anchor and reason is None
    )
    if not anchors:
        return reasons
    times, medians = (np.array(column) for column in zip(*anchors, strict=True))
    drifts = np.interp([block.started_s for block in blocks], times, medians) / np.median(medians) - 1
    return [
        f"anchor {drift:.0%} above its median"
        if reason is None and not block.is_anchor and drift > protocol.drift_at_most
        else reason
        for block, reason, drift in zip(blocks, reasons, drifts, strict=True)
    ]


def _disturbance(block: Block, protocol: Protocol) -> str | None:
    if block.steal is not None and block.steal > protocol.steal_at_most:
        return f"steal {block.steal:.1%}"
    if block.throttled:
        return f"throttled {block.throttled} times"
    if block.waited is not None and block.waited > protocol.waited_at_most:
        return f"waited for a core {block.waited:.1%} of the time"
    return None


def summarise(accepted: Sequence[Sequence[float]], *, rejected: int, seed: int = 0) -> Timing:
    """The timing of one subject.

    Args:
        accepted: Latencies of each accepted block, in seconds; at least one block.
        rejected: How many blocks were rejected.
        seed: Of the bootstrap.
    """
    calls = np.concatenate([np.asarray(block, dtype=np.float64) for block in accepted])
    block_of = np.repeat(np.arange(len(accepted)), [len(block) for block in accepted])
    order = np.argsort(calls, kind="stable")
    calls, block_of = calls[order], block_of[order]

    def quantiles(times: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Quantiles ``SHARES`` of the calls where each block counts so many times.

        From shape (resamples, blocks) to (shares, resamples), seconds.
        """
        counted = times.astype(np.float32)[:, block_of].cumsum(axis=1)  # (resamples, calls): how many are as fast
        places = [(counted >= share * counted[:, -1:]).argmax(axis=1) for share in SHARES]
        return np.stack([calls[place] for place in places])

    estimate_s, p50_s, p90_s, p99_s = (float(s) for s in quantiles(np.ones((1, len(accepted)), dtype=np.int64))[:, 0])
    picks = np.random.default_rng(seed).integers(0, len(accepted), (RESAMPLES, len(accepted)))
    again = quantiles((picks[:, :, None] == np.arange(len(accepted))).sum(axis=1))
    (low_s, p50_low_s), (high_s, p50_high_s) = np.quantile(again[:2], INTERVAL, axis=1)
    enough_for_p90 = len(calls) >= P90_CALLS and len(accepted) >= P90_BLOCKS
    unstable = ""
    if rejected > len(accepted):
        unstable = f"{rejected} of {rejected + len(accepted)} blocks were disturbed"
    elif (high_s - low_s) / estimate_s > UNSTABLE_WIDTH:
        unstable = f"its interval is {(high_s - low_s) / estimate_s:.0%} wide"
    return Timing(
        estimate_s=estimate_s,
        low_s=float(low_s),
        high_s=float(high_s),
        p50_s=p50_s,
        p50_low_s=float(p50_low_s),
        p50_high_s=float(p50_high_s),
        p90_s=p90_s if enough_for_p90 else None,
        p99_s=p99_s if len(calls) >= P99_CALLS else None,
        calls=len(calls),
        blocks=len(accepted),
        rejected=rejected,
        unstable=unstable,
    )


def timings(blocks: Sequence[Block], protocol: Protocol) -> dict[int, Timing]:
    """The timing of every subject that was timed, by its place; the anchor's own blocks count for the drift only.

    Where all of a subject's blocks were disturbed, they are used nevertheless, and the verdict says so.
    """
    reasons = rejected_blocks(blocks, protocol)
    good: dict[int, list[tuple[float, ...]]] = {}
    bad: dict[int, list[tuple[float, ...]]] = {}
    for block, reason in zip(blocks, reasons, strict=True):
        if not block.is_anchor:
            (good if reason is None else bad).setdefault(block.subject, []).append(block.samples_s)
    found = {}
    for place in sorted(good.keys() | bad.keys()):
        timing = summarise(good.get(place) or bad[place], rejected=len(bad.get(place, [])), seed=protocol.seed)
        if place not in good:
            timing = replace(timing, unstable=f"all of its {timing.rejected} blocks were disturbed")
        found[place] = timing
    return found
