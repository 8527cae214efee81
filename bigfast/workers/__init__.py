"""Who does it: supervised child processes."""

from bigfast.workers.child import Child, answer_requests

__all__ = ["Child", "answer_requests"]
