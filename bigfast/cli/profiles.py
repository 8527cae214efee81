"""``bigfast profiles``: what saved profiles there are, and what is in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bigfast.cli.options import Json

if TYPE_CHECKING:
    from bigfast.profile import Profile

profiles = typer.Typer(name="profiles", help="Saved hardware profiles: list them, show one.", no_args_is_help=True)


def profile_json(profile: Profile) -> dict[str, Any]:
    """A profile as a JSON document, without its samples."""
    return {
        "machine": profile.machine.to_json(),
        "software": dict(profile.software),
        "protocol": profile.protocol.to_json(),
        "sizes": [{"batch": s.batch, "length": s.length} for s in profile.sizes],
        "peaks": None if profile.peaks is None else profile.peaks.to_json(),
        "space": profile.space.space.name,
        "backends": {
            key: {
                "measured": len(profile.of(key)),
                "median_p50_s": profile.median_p50_s(key) if profile.of(key) else None,
                "noise_floor": profile.noise_floor.get(key),
                "predictor": fitted.predictor.kind if (fitted := profile.fitted.get(key)) else None,
                "candidates": dict(fitted.predictor.candidates) if fitted else None,
                "mape_unseen": fitted.unseen.mape if fitted else None,
                "rows_unseen": fitted.unseen.n if fitted else None,
            }
            for key in profile.keys
        },
    }


def show_profile(profile: Profile) -> None:
    """A profile as a table."""
    from bigfast.cli.showing import milliseconds, show_facts, show_table

    machine = profile.machine
    show_facts(
        [
            ("machine", f"{machine.model}, fingerprint {machine.fingerprint}"),
            ("space", f"{profile.space.space.name}, {profile.space.space.size:,} architectures"),
            ("inputs", "; ".join(map(str, profile.sizes))),
        ]
    )
    print()
    rows = []
    for key in profile.keys:
        fitted = profile.fitted.get(key)
        floor = profile.noise_floor.get(key)
        rows.append(
            (
                key,
                len(profile.of(key)),
                milliseconds(profile.median_p50_s(key)) if profile.of(key) else "-",
                "-" if floor is None else f"{floor:.1%}",
                fitted.predictor.kind if fitted else "-",
                f"{fitted.unseen.mape:.1%} on {fitted.unseen.n}" if fitted else "-",
            )
        )
    show_table(("deployment", "measured", "median p50", "noise floor", "predictor", "error on unseen"), rows)


@profiles.command("list")
def list_profiles(
    directory: Annotated[Path, typer.Argument(help="Where the profiles are.")] = Path("profiles"),
    json: Json = False,
) -> None:
    """Lists the profiles in a directory.

    Examples: `bigfast profiles list` and `bigfast profiles list ~/profiles --json`
    """
    from bigfast.cli.showing import show_json, show_table
    from bigfast.errors import InputError, ProfileError
    from bigfast.profile import load_profile

    if not directory.is_dir():
        raise InputError(f"There is no directory {directory}: name the one that holds your profiles")
    rows: list[dict[str, Any]] = []
    for path in sorted(p.parent for p in directory.glob("*/profile.json")):
        try:
            found = load_profile(path)
            model, keys = found.machine.model, list(found.keys)
            rows.append({"name": path.name, "machine": model, "backends": keys, "error": None})
        except ProfileError as error:
            rows.append({"name": path.name, "machine": None, "backends": [], "error": str(error)})
    if json:
        show_json({"profiles": rows})
    else:
        show_table(
            ("profile", "machine", "backends"),
            [(r["name"], r["machine"] or "-", ", ".join(r["backends"]) or r["error"]) for r in rows],
        )


@profiles.command("show")
def show(
    directory: Annotated[Path, typer.Argument(help="A profile's directory.")],
    json: Json = False,
) -> None:
    """Shows what a profile holds and how far its predictors can be trusted.

    Examples: `bigfast profiles show my-cpu` and `bigfast profiles show my-cpu --json`
    """
    from bigfast.cli.showing import show_json
    from bigfast.profile import load_profile

    found = load_profile(directory)
    if json:
        show_json(profile_json(found))
    else:
        show_profile(found)
