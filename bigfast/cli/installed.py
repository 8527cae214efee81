"""The installed backends as rows: whether each can be used here, and what it would run on a machine."""

from __future__ import annotations

from typing import Any

from bigfast.backend import backend_names, find_backend, variant_name
from bigfast.cpu import Machine
from bigfast.errors import BackendError

__all__ = ["installed"]


def installed(machine: Machine) -> list[dict[str, Any]]:
    """One row for each installed backend, found without importing its runtime; one that cannot be loaded says why.

    Args:
        machine: What ``variants`` and ``kernels`` are for; whether it is ``usable`` is always about this one.
    """
    rows: list[dict[str, Any]] = []
    for name in backend_names():
        try:
            backend = find_backend(name)
        except BackendError as error:
            rows.append({"name": name, "usable": False, "reason": str(error)})
            continue
        state = backend.available()
        rows.append(
            {
                "name": name,
                "precision": backend.precision,
                "usable": state.usable,
                "version": state.version,
                "reason": state.reason,
                "variants": [variant_name(options) for options in backend.variants(machine)],
                "kernels": backend.kernels(machine),
            }
        )
    return rows
