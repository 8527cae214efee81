"""``bigfast backends``: what can run a model here."""

from __future__ import annotations

from bigfast.cli.options import Json


def backends(json: Json = False) -> None:
    """Lists the installed backends, whether each can be used here, and its variants.

    Examples: `bigfast backends` and `bigfast backends --json`
    """
    from bigfast.cli.installed import installed
    from bigfast.cli.showing import show_json, show_table
    from bigfast.cpu import detect

    rows = installed(detect())
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
