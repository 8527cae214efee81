"""The command line: one file a command; only here is anything printed, and seconds turned into milliseconds."""

from bigfast.cli.main import main

__all__ = ["main"]
