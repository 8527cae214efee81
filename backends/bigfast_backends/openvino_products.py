"""OpenVINO's plain matrix products: graphs of one product, whose right matrix is a constant and so is packed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import openvino
from openvino import Node, opset13

from bigfast.backend import FloatArray, MatrixKernel, Product
from bigfast_backends.openvino_session import DEVICE, core, settings

NAMES = {"fp32": "FullyConnected fp32", "bf16": "FullyConnected bf16", "int8": "FakeQuantize and FullyConnected u8s8"}


def products(precision: str, *, threads: int) -> tuple[MatrixKernel, ...]:
    """The one product of a precision; with the conversion of the left matrix, which a model pays for too."""
    prepare = partial(_product, precision=precision, threads=threads)
    return (MatrixKernel(name=NAMES[precision], precision=precision, prepare=prepare),)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A request that reads an array by its address: it is held here, or it would be freed under it."""

    request: openvino.InferRequest
    left: FloatArray

    def multiply(self) -> None:
        self.request.infer()

    def values(self) -> FloatArray:
        self.multiply()
        product: FloatArray = self.request.get_output_tensor(0).data.astype(np.float32)
        return product


def _product(left: FloatArray, right: FloatArray, *, precision: str, threads: int) -> Product:
    given = opset13.parameter(left.shape, np.float32)
    weight: Node
    values = given
    if precision == "int8":
        ends = [opset13.constant(np.float32(end)) for end in (0, 255)]
        values = opset13.fake_quantize(given, *ends, *ends, 256)  # whole numbers stay what they are
        rounded = opset13.constant(np.ascontiguousarray(right.T).astype(np.int8))
        scales = opset13.constant(np.ones((right.shape[1], 1), np.float32))
        weight = opset13.multiply(opset13.convert(rounded, np.float32), scales)
    else:
        weight = opset13.constant(np.ascontiguousarray(right.T))
    product = opset13.matmul(values, weight, False, True)
    model = openvino.Model([opset13.result(product)], [given], "product")
    request = core().compile_model(model, DEVICE, dict(settings(precision, threads=threads))).create_infer_request()
    held = np.ascontiguousarray(left)
    request.set_input_tensor(0, openvino.Tensor(held, shared_memory=True))
    loaded = _Loaded(request, held)
    return Product(multiply=loaded.multiply, values=loaded.values)
