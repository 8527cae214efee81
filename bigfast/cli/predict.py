"""``bigfast predict``: the latency of architectures, from a saved profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bigfast.cli.options import Json, ProfiledBatch, ProfiledLength, Seed

if TYPE_CHECKING:
    from bigfast.profile import Profile


def predict(
    profile: Annotated[Path, typer.Argument(help="A profile's directory.")],
    arch: Annotated[list[str] | None, typer.Argument(help="Architectures, such as 'e=4 h=312 f=512'.")] = None,
    backend: Annotated[str | None, typer.Option(help="Of one backend only.")] = None,
    length: ProfiledLength = None,
    batch: ProfiledBatch = None,
    compare: Annotated[bool, typer.Option("--compare", help="Compare all predictors on held-out rows.")] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Predicts the median latency of architectures, with an upper bound that nine of ten keep.

    Examples: `bigfast predict my-cpu 'e=4 h=312 f=512'` and `bigfast predict my-cpu --compare`
    """
    from bigfast.cli.showing import milliseconds, show_json, show_table
    from bigfast.errors import InputError
    from bigfast.profile import load_profile
    from bigfast.space import Arch

    loaded = load_profile(profile)
    keys = loaded.keys if backend is None else (loaded.key_of(backend),)
    if compare:
        _compare(loaded, keys, seed=seed, json=json)
        return
    if not arch:
        raise InputError("Name at least one architecture, such as 'e=4 h=312 f=512', or use --compare")
    archs = [loaded.space.space.require(Arch.parse(text)) for text in arch]
    size = loaded.size(batch=batch, length=length)
    rows: list[tuple[str, str, float, float]] = []
    for key in keys:
        found = loaded.predict_p50(key, archs, sizes=[size] * len(archs))
        rows += [
            (key, str(one), float(seconds), float(upper))
            for one, seconds, upper in zip(archs, found.seconds, found.upper, strict=True)
        ]
    if json:
        names = ("backend", "arch", "p50_s", "upper_s")
        show_json({"predictions": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        show_table(
            ("backend", "architecture", "median", "90 % at most"),
            [(key, one, milliseconds(p50_s), milliseconds(upper_s)) for key, one, p50_s, upper_s in rows],
        )


def _compare(loaded: Profile, keys: Sequence[str], *, seed: int, json: bool) -> None:
    import numpy as np

    from bigfast.cli.showing import show_json, show_table
    from bigfast.predict import compare

    rows: list[dict[str, Any]] = []
    for key in keys:
        measured = loaded.of(key)
        features = loaded.features([m.arch for m in measured], [m.size for m in measured])
        seconds = np.array([m.timing.estimate_s for m in measured if m.timing is not None])
        for found in compare(features, seconds, terms="bert", rng=np.random.default_rng(seed)):
            row = {"backend": key, "kind": found.kind, "fit_s": found.fit_s, "predict_s": found.predict_s}
            rows.append({**row, **asdict(found.score), "noise_floor": loaded.noise_floor.get(key)})
    if json:
        show_json({"comparison": rows})
    else:
        show_table(
            ("backend", "predictor", "error", "95 % of errors", "Spearman", "fit", "predict"),
            [
                (
                    r["backend"],
                    r["kind"],
                    f"{r['mape']:.1%}",
                    f"{r['p95']:.1%}",
                    f"{r['spearman']:.3f}",
                    f"{r['fit_s']:.2f} s",
                    f"{r['predict_s'] * 1e3:.1f} ms",
                )
                for r in rows
            ],
        )
