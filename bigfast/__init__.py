"""bigfast: the most accurate transformer that answers within N milliseconds on this CPU."""

from importlib.metadata import version

__version__ = version("bigfast")

__all__ = ["__version__"]
