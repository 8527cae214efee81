"""``bigfast narrow``: which architectures meet a limit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Deployed, Json, LatencyMs, ProfiledBatch, ProfiledLength


def narrow(
    profile: Annotated[Path, typer.Argument(help="A profile's directory.")],
    latency_ms: LatencyMs,
    backend: Deployed = None,
    length: ProfiledLength = None,
    batch: ProfiledBatch = None,
    out: Annotated[Path | None, typer.Option(help="Write the feasible architectures as CSV.")] = None,
    json: Json = False,
) -> None:
    """Tells how much of the space meets each latency limit, by prediction.

    Examples: `bigfast narrow my-cpu --latency-ms 5,10` and
    `bigfast narrow my-cpu --latency-ms 5 --backend onnxruntime-int8 --out feasible.csv`
    """
    from bigfast.cli.options import limits
    from bigfast.cli.showing import milliseconds, show_json, show_table
    from bigfast.profile import load_profile
    from bigfast.search import deployment_key
    from bigfast.search import narrow as narrowed
    from bigfast.store import write_text

    loaded = load_profile(profile)
    key = deployment_key(loaded, backend)
    size = loaded.size(batch=batch, length=length)
    parts = [narrowed(loaded, key, limit / 1e3, size=size) for limit in limits(latency_ms)]
    names = [choice.name for choice in loaded.space.space.choices]
    if out is not None:
        lines = [",".join(["limit_ms", *names, "predicted_ms", "upper_ms"])]
        for part in parts:
            for row, seconds, upper in zip(part.rows.tolist(), part.predicted_s, part.upper_s, strict=True):
                cells = [f"{part.limit_s * 1e3:g}", *map(str, row), f"{seconds * 1e3:.4f}", f"{upper * 1e3:.4f}"]
                lines.append(",".join(cells))
        write_text(out, "\n".join(lines) + "\n")
    if json:
        show_json(
            {
                "backend": key,
                "batch": size.batch,
                "length": size.length,
                "limits": [
                    {"limit_ms": p.limit_s * 1e3, "feasible": len(p.rows), "total": p.total, "binds": p.binds}
                    for p in parts
                ],
            }
        )
        return
    show_table(
        ("limit", "feasible", "of", "slowest of them", "its 90 % bound"),
        [
            (
                milliseconds(p.limit_s),
                len(p.rows),
                p.total,
                milliseconds(p.predicted_s.max()),
                milliseconds(p.upper_s.max()),
            )
            for p in parts
        ],
    )
