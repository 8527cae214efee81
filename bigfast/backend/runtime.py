"""Whether a runtime's package is installed and recent enough, found without importing it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re

from bigfast.backend.protocol import Availability


def installed_runtime(package: str, *, least: tuple[int, ...], get: str) -> Availability:
    """The state of a package whose module and distribution have the same name.

    Args:
        package: Its name.
        least: The oldest version that serves, such as (2, 6).
        get: The command that installs it.
    """
    if importlib.util.find_spec(package) is None:
        return Availability(usable=False, version=None, reason=f"{package} is not installed: {get}")
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # on the path, not installed: its author knows what it is
        return Availability(usable=True, version=None, reason="")
    if _numbers(version) < least:
        wanted = ".".join(map(str, least))
        reason = f"{package} {version} is too old, {wanted} is needed: {get}"
        return Availability(usable=False, version=version, reason=reason)
    return Availability(usable=True, version=version, reason="")


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of ``2.13.0+cpu``: (2, 13, 0)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
