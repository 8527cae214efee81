"""A profile from nothing to its directory, with the predictors in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bigfast.backend import (
    backend_names,
    check_threads,
    choose_variant,
    parse_backend,
    usable_backend,
    variant_name,
)
from bigfast.cpu import Machine
from bigfast.errors import BackendError, InputError
from bigfast.measure import Deployment, Protocol
from bigfast.measure import probe as measure_peaks
from bigfast.pipeline.telling import Teller
from bigfast.profile import Plan, Profile, assemble, begin, collect, fit_predictors, load_profile, save_profile
from bigfast.report import profile_figures
from bigfast.store import open_journal, remove_journal

LEAST_ARCHITECTURES, MOST_ARCHITECTURES = 36, 120


def architectures_in(budget_s: float, protocol: Protocol, *, deployments: int) -> int:
    """About how many architectures can be measured in some seconds: their blocks, preparation, and sentinels."""
    each_s = deployments * (protocol.rounds * protocol.block_s * 1.4 + 0.25)
    starting_s = 3 * deployments * 4
    return min(max(int((budget_s - starting_s) / each_s) - 6, LEAST_ARCHITECTURES), MOST_ARCHITECTURES)


def chosen_deployments(
    names: Sequence[str], machine: Machine, *, threads: Sequence[int] = (1,), concurrent: int = 1
) -> list[Deployment]:
    """Backends by name, with options if any, as deployments that are possible here.

    Raises:
        UnknownName: a backend is not installed.
        BackendMissing: its runtime is not.
        InputError: it has no such option, is named twice, or there are fewer cores than threads.
    """
    deployments: list[Deployment] = []
    for name in names:
        backend_name, options = parse_backend(name)
        backend = usable_backend(backend_name)
        variant = choose_variant(backend, options, machine)
        for count in threads:
            check_threads(count, machine)
            deployment = Deployment.of(backend.name, variant, threads=count, concurrent=concurrent)
            if deployment in deployments:
                raise InputError(f"{deployment} is named twice: once is enough")
            deployments.append(deployment)
    return deployments


def all_variants(machine: Machine) -> list[str]:
    """Every variant of every backend that can be used here, as ``chosen_deployments`` takes them."""
    found = []
    for name in backend_names():
        try:
            backend = usable_backend(name)
        except BackendError:  # missing, or another package's fault: bigfast backends tells the reason
            continue
        found += [f"{name}:{variant_name(options)}" for options in backend.variants(machine)]
    return found


def journal_of(directory: Path) -> Path:
    """Where a profile grows until its directory is written."""
    return directory.with_name(f"{directory.name}.journal.sqlite")


def measure_profile(plan: Plan, directory: Path, *, probe: bool, teller: Teller) -> Profile:
    """Measures a plan, or what is left of it, and writes the profile's directory without predictors.

    Args:
        plan: What to measure.
        directory: Where the profile will be.
        probe: Whether the machine's peaks are measured first, and kept with it.
        teller: Told of the progress.

    Raises:
        InputError: an unfinished profile of another plan is there.
        Busy: another process measures on this machine.
    """
    path = journal_of(directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_journal(path) as journal:
        if begin(plan, journal):
            teller.say("An interrupted profile is continued.")
        if probe and journal.first("peaks") is None:
            teller.say("Measuring the peaks of this machine.")
            journal.append("peaks", measure_peaks(plan.machine).to_json())
        for done, total in collect(plan, journal):
            teller.progress(done, total, f"{len(plan.archs)} architectures, {len(plan.deployments)} deployments")
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
    save_profile(profile, directory, figures=profile_figures(profile))
    return profile


def ready_profile(plan: Plan, directory: Path, *, probe: bool, teller: Teller) -> Profile:
    """The profile of a plan with predictors: loaded, completed or measured, whatever is left to do.

    Args:
        plan: What to measure.
        directory: Where the profile is, or will be.
        probe: Whether the machine's peaks are measured and kept with it.
        teller: Told of the progress.

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
        profile = measure_profile(plan, directory, probe=probe, teller=teller)
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
