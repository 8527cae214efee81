"""PyTorch's plain matrix products, in every precision and by every library that it brings for them.

Several ways are offered because no one of them is the fastest everywhere: ``F.linear`` in float32 goes to MKL, which on
AMD's processors reaches half of what oneDNN does (torch 2.13, Zen 5: 100 against 225 GFLOP/s on one thread). Those
that begin with an underscore in torch's own names may be missing from another version; then they fail when prepared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bigfast.backend import FloatArray, MatrixKernel, Product

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

QUINT8_MIDDLE = 64  # a zero point; activations of 0 to 63 then lie from 64 to 127


def float_products(precision: str, *, threads: int) -> tuple[MatrixKernel, ...]:
    """Linear layers in ``fp32`` or ``bf16``, as they are and with oneDNN's packed weight."""
    torch.set_num_threads(threads)
    return tuple(
        MatrixKernel(name=f"{name} {precision}", precision=precision, prepare=partial(prepare, dtype=DTYPES[precision]))
        for name, prepare in (("F.linear", _linear), ("oneDNN packed", _packed_linear))
    )


def int8_products(engines: Sequence[str], *, threads: int) -> tuple[MatrixKernel, ...]:
    """Quantized linear layers of these engines, dynamic and static, and integer products without any quantization."""
    torch.set_num_threads(threads)
    ways: dict[str, Callable[[FloatArray, FloatArray], Product]] = {}
    for engine in engines:
        ways[f"dynamic linear, {engine}"] = partial(_dynamic_linear, engine=engine)
        ways[f"static linear, {engine}"] = partial(_static_linear, engine=engine)
    ways["oneDNN qlinear u8s8"] = _pointwise_linear
    ways["_int_mm s8s8"] = _integer_product
    return tuple(MatrixKernel(name=name, precision="int8", prepare=prepare) for name, prepare in ways.items())


def _product(multiply: Callable[[], torch.Tensor]) -> Product:
    def values() -> FloatArray:
        found = multiply()
        found = found.dequantize() if found.is_quantized else found.float()
        return np.asarray(found.numpy(), dtype=np.float32)

    return Product(multiply=multiply, values=values)


def _weight(right: FloatArray) -> torch.Tensor:
    """(k, n) as a linear layer has it, (n, k)."""
    return torch.from_numpy(right).t().contiguous()


def _linear(left: FloatArray, right: FloatArray, *, dtype: torch.dtype) -> Product:
    values, weight = torch.from_numpy(left).to(dtype), _weight(right).to(dtype)
    return _product(lambda: functional.linear(values, weight))


def _packed_linear(left: FloatArray, right: FloatArray, *, dtype: torch.dtype) -> Product:
    values = torch.from_numpy(left).to(dtype)
    weight = torch.ops.mkldnn._reorder_linear_weight(_weight(right).to(dtype), len(left))
    return _product(lambda: torch.ops.mkldnn._linear_pointwise(values, weight, None, "none", [], ""))


def _packed_int8(right: FloatArray, engine: str) -> Any:  # Any: a torch script object, without a type of its own
    torch.backends.quantized.engine = engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantized tensors are deprecated; their kernels are what dynamic layers run
        weight = torch.quantize_per_tensor(_weight(right), 1.0, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(weight, None)


def _dynamic_linear(left: FloatArray, right: FloatArray, *, engine: str) -> Product:
    values, packed = torch.from_numpy(left), _packed_int8(right, engine)
    return _product(lambda: torch.ops.quantized.linear_dynamic(values, packed, True))


def _static_linear(left: FloatArray, right: FloatArray, *, engine: str) -> Product:
    """Quantized already, and its output too: 8 bits that span what k products are bound to stay within."""
    packed = _packed_int8(right, engine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        values = torch.quantize_per_tensor(torch.from_numpy(left), 1.0, QUINT8_MIDDLE, torch.quint8)
    # No entry of the product is larger than the longest row times the longest column (Cauchy and Schwarz).
    bound = float(np.linalg.norm(left, axis=1).max() * np.linalg.norm(right, axis=0).max())
    scale = max(bound, 1.0) / 127
    return _product(lambda: torch.ops.quantized.linear(values, packed, scale, 128))


def _pointwise_linear(left: FloatArray, right: FloatArray) -> Product:
    """What torch.compile calls for a quantized linear layer: uint8 by int8, and float32 out."""
    values = torch.from_numpy(left).to(torch.uint8)
    packed = torch.ops.onednn.qlinear_prepack(_weight(right).to(torch.int8), list(left.shape))
    scales, zeros = torch.ones(right.shape[1]), torch.zeros(right.shape[1], dtype=torch.int32)
    finish = (None, 1.0, 0, torch.float32, "none", (), "")  # no bias, float32 out, nothing done afterwards
    return _product(lambda: torch.ops.onednn.qlinear_pointwise(values, 1.0, 0, packed, scales, zeros, *finish))


def _integer_product(left: FloatArray, right: FloatArray) -> Product:
    values, weight = torch.from_numpy(left).to(torch.int8), torch.from_numpy(right).to(torch.int8)
    return _product(lambda: torch._int_mm(values, weight))
