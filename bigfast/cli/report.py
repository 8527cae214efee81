"""``bigfast report``: the page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Json


def report(
    directory: Annotated[Path, typer.Argument(help="A run's directory.")],
    json: Json = False,
) -> None:
    """Writes the HTML page of a run, finished or not.

    Examples: `bigfast report runs/default` and `bigfast report runs/mnli --json`
    """
    from bigfast.cli.showing import show_json
    from bigfast.report import write_report

    path = write_report(directory)
    if json:
        show_json({"report": str(path)})
    else:
        print(path)
