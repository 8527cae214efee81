"""``bigfast backends``: what can run a model here."""

from __future__ import annotations

from typing import Any

from bigfast.cli.options import Json


def backends(json: Json = False) -> None:
    """Lists the installed backends, whether each can be used here, and its variants.

    Examples: `bigfast backends` and `bigfast backends --json`
    """
    from bigfast.backend import backend_names, find_backend, variant_name
    from bigfast.cli.showing import show_json, show_table
    from bigfast.cpu import detect
    from bigfast.errors import BackendError

    machine = detect()
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
    if json:
        show_json({"backends": rows})
        return
    show_table(
        ("backend", "precision", "version", "variants", "here"),
        [
            (
                row["name"],
                row.get("precision", "-"),
                row.get("version") or "-",
                ", ".join(row.get("variants", ())) or "-",
                row["kernels"] if row["usable"] else row["reason"],
            )
            for row in rows
        ],
    )
