"""The README of a profile: what a person wants to know before trusting it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bigfast.measure import rejected_blocks
from bigfast.profile.value import Profile


def card(profile: Profile, *, figures: Mapping[str, str]) -> str:
    """Markdown with a dataset card's header: machine, software, protocol, noise floor, predictor error.

    Args:
        profile: What it is about.
        figures: What is seen on each picture, and the picture's file name.
    """
    machine, protocol = profile.machine, profile.protocol
    lines = [
        "---",
        "tags: [bigfast, latency, cpu]",
        "---",
        f"# Latency of BERT encoders on {machine.model}",
        "",
        f"- machine: {machine.model}, {machine.usable_cores} usable cores, int8 by "
        f"{', '.join(machine.int8.by) or 'plain vector instructions'}; fingerprint `{machine.fingerprint}`",
        f"- software: {', '.join(f'{name} {version}' for name, version in sorted(profile.software.items()))}",
        f"- inputs: {'; '.join(map(str, profile.sizes))}",
        f"- protocol: {protocol.rounds} rounds of blocks in random interleaved order, seed {protocol.seed}; "
        f"{_disturbed(profile)}",
        *(f"- measured peaks: {line}" for line in _peaks(profile)),
        f"- space: {profile.space.space.name}, {profile.space.space.size:,} architectures",
        "",
        "| deployment | measured | median of their p50 | noise floor | predictor | error on unseen |",
        "|---|---|---|---|---|---|",
    ]
    for key in profile.keys:
        counts = Counter(m.status for m in profile.measurements if m.key == key)
        measured = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        floor = f"{profile.noise_floor[key]:.1%}" if key in profile.noise_floor else "-"
        fitted = profile.fitted.get(key)
        kind = fitted.predictor.kind if fitted else "-"
        error = f"{fitted.unseen.mape:.1%} ({fitted.unseen.n} rows)" if fitted else "-"
        median_ms = profile.median_p50_s(key) * 1e3
        lines.append(f"| {key} | {measured} | {median_ms:.2f} ms | {floor} | {kind} | {error} |")
    for seen, file in figures.items():
        lines += ["", f"![{seen}]({file})"]
    lines += [
        "",
        "A key reads backend, variant, `@` threads, and `x` workers where several answered at the same time.",
        "The noise floor is the median relative difference of a few architectures that were measured in three",
        "processes: before the others, among them, and after them.",
        "Latencies in the files are in seconds. `estimate_s` is what one in ten accepted calls stays below; limits are",
        "compared with the median call through the ratio in `profile.json`.",
        "",
    ]
    return "\n".join(lines)


def _peaks(profile: Profile) -> list[str]:
    """What the machine reached with plain matrix products, one line for each number of threads."""
    lines = []
    for one in profile.peaks.at if profile.peaks else ():
        rates = [f"{name} {peak.operations_per_s / 1e9:.0f} GOP/s" for name, peak in one.peaks.items()]
        if one.memory_bytes_per_s is not None:
            rates.append(f"memory {one.memory_bytes_per_s / 1e9:.0f} GB/s")
        lines.append(f"{', '.join(rates)} at {one.in_words}")
    return lines


def _disturbed(profile: Profile) -> str:
    reasons = rejected_blocks(profile.blocks, profile.protocol)
    count = sum(reason is not None for reason in reasons)
    return f"{count} of {len(reasons)} blocks were disturbed and left out of the statistics"
