"""Ways to choose what to evaluate next, each with its source."""

from bigfast.search.strategies.evolution import Evolution

__all__ = ["Evolution"]
