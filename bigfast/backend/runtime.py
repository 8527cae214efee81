"""Whether a runtime's package is installed and recent enough, found without importing it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Sequence

from bigfast.backend.protocol import Availability


def installed_runtime(
    package: str, *, least: tuple[int, ...], get: str, distributions: Sequence[str] = ()
) -> Availability:
    """The state of a runtime's package.

    Args:
        package: The name of its module.
        least: The oldest version that serves, such as (2, 6).
        get: The command that installs it.
        distributions: Under which names it may be installed; that of the module where none are given.
    """
    if importlib.util.find_spec(package) is None:
        return Availability(usable=False, version=None, reason=f"{package} is not installed: {get}")
    version = next(filter(None, map(_version, distributions or (package,))), None)
    if version is None:  # on the path, not installed: its author knows what it is
        return Availability(usable=True, version=None, reason="")
    if _numbers(version) < least:
        wanted = ".".join(map(str, least))
        reason = f"{package} {version} is too old, {wanted} is needed: {get}"
        return Availability(usable=False, version=version, reason=reason)
    return Availability(usable=True, version=version, reason="")


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of ``2.13.0+cpu``: (2, 13, 0)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
