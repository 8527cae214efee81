"""Which one: the generic ask/tell core, its strategies, and what evaluates quantized candidates."""

from bigfast.search.core import Evaluation, Found, Strategy, search
from bigfast.search.narrow import Narrowed, deployment_key, narrow
from bigfast.search.strategies import Evolution
from bigfast.search.study import Study, open_study

__all__ = [
    "Evaluation",
    "Evolution",
    "Found",
    "Narrowed",
    "Strategy",
    "Study",
    "deployment_key",
    "narrow",
    "open_study",
    "search",
]
