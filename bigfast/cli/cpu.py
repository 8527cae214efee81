"""``bigfast cpu``: what machine this is, and what int8 can gain on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Json


def cpu(
    cpuinfo: Annotated[
        Path | None, typer.Option(help="Read a saved /proc/cpuinfo or sysctl text instead of this machine.")
    ] = None,
    json: Json = False,
) -> None:
    """Tells what CPU this is, which int8 instructions it has, and which kernels each backend will use.

    Examples: `bigfast cpu` and `bigfast cpu --cpuinfo saved.txt --json`
    """
    from bigfast.backend import backend_names, find_backend
    from bigfast.cli.showing import show_facts, show_json
    from bigfast.cpu import describe, detect, int8_verdict, read_cpuinfo
    from bigfast.errors import InputError
    from bigfast.store import read_bytes

    if cpuinfo is None:
        machine = detect()
    else:
        try:
            machine = read_cpuinfo(read_bytes(cpuinfo, at_most=16 * 2**20).decode())
        except UnicodeDecodeError as error:
            raise InputError(f"{cpuinfo} is not a text file: give a saved /proc/cpuinfo or sysctl text") from error
    backends = [find_backend(name) for name in backend_names()]
    if json:
        show_json(
            {
                **machine.to_json(),
                "verdict": int8_verdict(machine),
                "kernels": {backend.name: backend.kernels(machine) for backend in backends},
            }
        )
        return
    show_facts(describe(machine))
    print(f"\n{int8_verdict(machine)}\n")
    show_facts([(backend.name, backend.kernels(machine)) for backend in backends])
