"""``bigfast``: puts the commands together, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

from bigfast.cli.backends import backends
from bigfast.cli.cpu import cpu
from bigfast.cli.export import export
from bigfast.cli.narrow import narrow
from bigfast.cli.posttrain import posttrain
from bigfast.cli.predict import predict
from bigfast.cli.profile import profile
from bigfast.cli.profiles import profiles
from bigfast.cli.report import report
from bigfast.cli.run import run
from bigfast.cli.search import search
from bigfast.cli.teach import teach
from bigfast.cli.train import train
from bigfast.cli.verify import verify
from bigfast.errors import BigfastError

BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    name="bigfast",
    help="Finds the most accurate transformer that answers within N milliseconds on this CPU, quantized to int8.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
for command in (run, cpu, backends, profile, predict, narrow, teach, train, search, posttrain, export, verify, report):
    app.command()(command)
app.add_typer(profiles)

NAMES = {command.callback.__name__ for command in app.registered_commands if command.callback} | {"profiles"}


def main() -> None:
    """The entry point of the ``bigfast`` command."""
    sys.exit(exit_code_of(sys.argv[1:]))


def exit_code_of(arguments: list[str]) -> int:
    """Runs one command line, prints the sentence of its error if there is one, and returns its exit code."""
    try:
        code = app(arguments, prog_name="bigfast", standalone_mode=False)
    except BigfastError as error:
        print(f"bigfast: {error}", file=sys.stderr)
        return error.exit_code
    except TyperException as error:
        text = error.format_message() if hasattr(error, "format_message") else str(error)
        known = [name for name in arguments[:1] if name in NAMES]
        if text.strip():
            print(f"bigfast: {text.rstrip('.?')}; see '{' '.join(['bigfast', *known])} --help'", file=sys.stderr)
        return BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        print("bigfast: interrupted; the same command goes on where this one stopped", file=sys.stderr)
    return code if isinstance(code, int) else 0
