"""What runs a model: the protocols of a backend, the weights it is given, and how it is found."""

from bigfast.backend.directory import StockModel, local_directory, read_stock
from bigfast.backend.find import (
    GROUP,
    accept,
    backend_names,
    check_threads,
    choose_variant,
    find_backend,
    parse_backend,
    usable_backend,
)
from bigfast.backend.inputs import check_inputs
from bigfast.backend.protocol import (
    Availability,
    Backend,
    MatrixKernel,
    MultipliesMatrices,
    Options,
    Product,
    Session,
    variant_name,
)
from bigfast.backend.runtime import installed_runtime
from bigfast.backend.weights import (
    FloatArray,
    IntArray,
    Weights,
    array_shapes,
    disagreement,
    reference_logits,
)

__all__ = [
    "GROUP",
    "Availability",
    "Backend",
    "FloatArray",
    "IntArray",
    "MatrixKernel",
    "MultipliesMatrices",
    "Options",
    "Product",
    "Session",
    "StockModel",
    "Weights",
    "accept",
    "array_shapes",
    "backend_names",
    "check_inputs",
    "check_threads",
    "choose_variant",
    "disagreement",
    "find_backend",
    "installed_runtime",
    "local_directory",
    "parse_backend",
    "read_stock",
    "reference_logits",
    "usable_backend",
    "variant_name",
]
