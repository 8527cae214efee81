"""Finding backends by entry point, ours through the same door as anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from bigfast.backend.protocol import DEFAULT_VARIANT, Backend, Options, variant_name
from bigfast.cpu import Machine
from bigfast.errors import BackendError, BackendMissing, InputError, UnknownName

GROUP = "bigfast.backends"


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def backend_names() -> tuple[str, ...]:
    """The names of all backends that are installed, whether usable or not, sorted."""
    return tuple(sorted(_points()))


def find_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UnknownName: no installed package offers one of that name.
        BackendError: what its package offers cannot be loaded, or is no backend.
    """
    points = _points()
    if name not in points:
        raise UnknownName("backend", name, points)
    try:
        backend = points[name].load()()
    except Exception as error:  # another package's code: whatever it raises is its author's to mend
        raise BackendError(f"Backend {name!r} ({points[name].value}) cannot be loaded: {error}") from error
    if not isinstance(backend, Backend):
        raise BackendError(f"{points[name].value} is offered as backend {name!r} but does not follow the protocol")
    return backend


def usable_backend(name: str) -> Backend:
    """The backend of that name, once it is known that its runtime is here.

    Raises:
        UnknownName: no installed package offers one of that name.
        BackendMissing: its runtime is missing or too old, with the way to get it.
    """
    backend = find_backend(name)
    check_available(backend)
    return backend


def check_available(backend: Backend) -> None:
    """Refuses a backend whose runtime is missing or too old.

    Raises:
        BackendMissing: it is, with the way to get it.
    """
    state = backend.available()
    if not state.usable:
        raise BackendMissing(f"Backend {backend.name!r} cannot be used here: {state.reason}")


def check_threads(threads: int, machine: Machine) -> None:
    """Refuses fewer threads than one, and more of one runtime than there are cores for them.

    Raises:
        InputError: there are fewer cores, with their number.
    """
    if threads < 1:
        raise InputError(f"At least 1 thread is needed, not {threads}")
    if machine.usable_cores is not None and threads > machine.usable_cores:
        raise InputError(
            f"{threads} threads were asked for, but only {machine.usable_cores} cores may be used here: "
            f"use --threads {machine.usable_cores}"
        )


def choose_variant(backend: Backend, options: Options, machine: Machine) -> Options:
    """The variant of a backend that some options ask for; the default variant where they ask for nothing.

    Raises:
        InputError: no variant on this machine has these options.
    """
    variants = backend.variants(machine)
    for variant in variants:
        if all(variant.get(name) == value for name, value in options.items()):
            return variant
    known = "choose from " + ", ".join(variant_name(variant) for variant in variants)
    way_out = known if any(variants) else "it has no options"
    raise InputError(f"Backend {backend.name!r} has no variant {variant_name(options)!r} here: {way_out}")


def accept(backend: Backend, options: Options, *, machine: Machine, threads: int) -> Options:
    """What every backend asks before it prepares anything: the variant that is meant, once it is known that it can run.

    Raises:
        InputError: no variant on this machine has these options, or there are not so many cores.
        BackendMissing: the runtime is missing or too old, with the way to get it.
    """
    check_threads(threads, machine)
    chosen = choose_variant(backend, options, machine)
    check_available(backend)
    return chosen


def parse_backend(text: str) -> tuple[str, Mapping[str, str]]:
    """Splits ``torch-int8:engine=onednn``, as a profile's keys are written too, into the name and its options.

    Raises:
        InputError: what follows the colon is not of the form name=value.
    """
    name, _, rest = text.partition(":")
    options = {}
    if rest == DEFAULT_VARIANT:
        rest = ""
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"Options of a backend are written like torch-int8:engine=onednn, not {text!r}")
        options[key.strip()] = value.strip()
    return name.strip(), options
