"""A profile from nothing to its directory, with the predictors in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bigfast.backend import Options, choose_variant, parse_backend, usable_backend
from bigfast.cpu import Machine
from bigfast.errors import InputError
from bigfast.measure import Protocol
from bigfast.pipeline.telling import Teller
from bigfast.profile import Plan, Profile, assemble, collect, fit_predictors, load_profile, save_profile
from bigfast.report import profile_figure
from bigfast.store import open_journal, remove_journal

LEAST_ARCHITECTURES, MOST_ARCHITECTURES = 36, 120


def architectures_in(budget_s: float, protocol: Protocol, *, variants: int) -> int:
    """About how many architectures can be measured in some seconds: their blocks, preparation, and sentinels."""
    each_s = variants * (protocol.rounds * protocol.block_s * 1.6 + 0.25)
    starting_s = 2 * variants * 4
    return min(max(int((budget_s - starting_s) / each_s) - 3, LEAST_ARCHITECTURES), MOST_ARCHITECTURES)


def chosen_variants(names: Sequence[str], machine: Machine) -> list[tuple[str, Options]]:
    """Backends by name, with options if any, as variants that can be used here.

    Raises:
        UnknownName: a backend is not installed.
        BackendMissing: its runtime is not.
        InputError: it has no such option, or is named twice.
    """
    variants: list[tuple[str, Options]] = []
    for name in names:
        backend_name, options = parse_backend(name)
        backend = usable_backend(backend_name)
        variant = (backend.name, choose_variant(backend, options, machine))
        if variant in variants:
            raise InputError(f"Backend {name!r} is named twice: once is enough")
        variants.append(variant)
    return variants


def journal_of(directory: Path) -> Path:
    """Where a profile grows until its directory is written."""
    return directory.with_name(f"{directory.name}.journal.sqlite")


def measure_profile(plan: Plan, directory: Path, *, teller: Teller) -> Profile:
    """Measures a plan, or what is left of it, and writes the profile's directory without predictors.

    Raises:
        InputError: an unfinished profile of another plan is there.
        Busy: another process measures on this machine.
    """
    path = journal_of(directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_journal(path) as journal:
        if journal.first("plan") is not None:
            teller.say("An interrupted profile is continued.")
        for done, total in collect(plan, journal):
            teller.progress(done, total, f"{len(plan.archs)} architectures, {len(plan.variants)} backends")
        profile = assemble(plan, journal)
    save_profile(profile, directory)
    remove_journal(path)
    return profile


def fit_profile(directory: Path, *, kind: str = "auto", teller: Teller) -> Profile:
    """Fits the predictors of a saved profile and writes them into it.

    Raises:
        ProfileError: too little was measured, or the directory is no profile.
        UnknownName: there is no such kind of predictor.
    """
    profile = load_profile(directory)
    count = len(profile.keys)
    for number, (key, fitted) in enumerate(fit_predictors(profile, kind=kind), start=1):
        profile = fitted
        result = profile.fitted[key]
        teller.progress(number, count, f"{key}: {result.predictor.kind}, {result.unseen.mape:.1%} on unseen")
    save_profile(profile, directory, figure=profile_figure(profile))
    return profile


def ready_profile(plan: Plan, directory: Path, *, teller: Teller) -> Profile:
    """The profile of a plan with predictors: loaded, completed or measured, whatever is left to do.

    Raises:
        InputError: the directory holds a profile of another plan or machine.
    """
    if directory.exists():
        profile = load_profile(directory)
        if not plan.is_of(profile):
            raise InputError(
                f"{directory} holds another profile (other machine, backends, architectures or protocol): "
                "choose another directory with --out, or ask for the same again"
            )
    else:
        profile = measure_profile(plan, directory, teller=teller)
    if profile.fitted.keys() == set(profile.keys):
        return profile
    return fit_profile(directory, teller=teller)


def fits_machine(profile: Profile, machine: Machine, *, source: str) -> None:
    """Refuses a profile of another machine.

    Raises:
        InputError: it is of another machine, with both.
    """
    if profile.machine.fingerprint != machine.fingerprint:
        raise InputError(
            f"Profile {source} is of another machine ({profile.machine.model}, {profile.machine.fingerprint}), and "
            f"this is {machine.model}, {machine.fingerprint}: make one here with 'bigfast profile'"
        )
