"""Every error that bigfast raises on purpose.

Each is one sentence that names the thing, what was expected, what was found and what to do::

    BigfastError
     ├── InputError           (ValueError)    the user gave something that cannot be used
     │    ├── DataError                       a data set, with its file and line where there is one
     │    ├── ModelError                      a teacher, a supermodel, a checkpoint or a tokenizer
     │    ├── ProfileError                    a saved hardware profile, or a predictor in it
     │    └── UnknownName                     a name that nothing answers to, with the nearest that exist
     ├── BackendError         (RuntimeError)  a backend failed, or gave wrong numbers
     │    ├── BackendMissing  (ImportError)   its runtime is not installed
     │    └── ChildEnded                      the process that it ran in died, hung, or was out of memory
     ├── Busy                 (RuntimeError)  somebody else holds the machine or the directory
     ├── PromiseBroken        (RuntimeError)  a measured latency lies above its limit
     ├── StorageError         (OSError)       no room, or no right to write
     └── Infeasible           (ValueError)    nothing meets the limits

``exit_code`` is what a command ends with when it raises the error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BackendError",
    "BackendMissing",
    "BigfastError",
    "Busy",
    "ChildEnded",
    "DataError",
    "Infeasible",
    "InputError",
    "ModelError",
    "ProfileError",
    "PromiseBroken",
    "StorageError",
    "UnknownName",
]


class BigfastError(Exception):
    """The root: catch it to catch everything that bigfast raises on purpose."""

    exit_code = 2


class InputError(BigfastError, ValueError):
    """The user gave something that cannot be used."""


class DataError(InputError):
    """A data set cannot be read or does not fit."""


class ModelError(InputError):
    """A teacher, supermodel, checkpoint or tokenizer cannot be used."""


class ProfileError(InputError):
    """A saved hardware profile, or a predictor in it, cannot be used."""


class UnknownName(InputError):
    """A name that nothing answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names) or 'none'}"
        super().__init__(f"Unknown {kind} {name!r}: {hint}")


class BackendError(BigfastError, RuntimeError):
    """A backend failed, or gave wrong numbers."""


class BackendMissing(BackendError, ImportError):
    """The runtime that a backend needs is not installed."""


class ChildEnded(BackendError):
    """The process that a backend ran in died, hung, or was out of memory; another may be started."""


class Busy(BigfastError, RuntimeError):
    """Somebody else holds the machine or the directory."""


class PromiseBroken(BigfastError, RuntimeError):
    """A measured latency lies above the limit that was promised."""

    exit_code = 3


class StorageError(BigfastError, OSError):
    """No room, or no right to write."""

    exit_code = 4


class Infeasible(BigfastError, ValueError):
    """Nothing meets the limits."""

    exit_code = 5
