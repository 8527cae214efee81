"""The README of a profile: what a person wants to know before trusting it."""

from __future__ import annotations

from collections import Counter

from bigfast.profile.value import Profile


def card(profile: Profile, *, figure: str | None) -> str:
    """Markdown with a dataset card's header: machine, software, protocol, noise floor, predictor error."""
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
        f"- protocol: batch {protocol.batch}, {protocol.length} tokens, {protocol.threads} thread(s), "
        f"{protocol.rounds} rounds of blocks in random interleaved order, seed {protocol.seed}",
        f"- space: {profile.space.space.name}, {profile.space.space.size:,} architectures",
        "",
        "| backend and variant | measured | median of their p50 | noise floor | predictor | error on unseen |",
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
    if figure is not None:
        lines += ["", f"![int8 against float32 latency]({figure})"]
    lines += [
        "",
        "The noise floor is the median relative difference of a few architectures measured again in a new process.",
        "Latencies in the files are in seconds. `estimate_s` is the fastest accepted call; limits are compared with",
        "the median call through the ratio in `profile.json`.",
        "",
    ]
    return "\n".join(lines)
