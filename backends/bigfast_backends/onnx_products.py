"""ONNX Runtime's plain matrix products: graphs of one operator, whose right matrix is a constant and so is packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bigfast.backend import FloatArray, MatrixKernel, Product
from bigfast_backends.onnx_graph import CONTRIB, IR_VERSION, OPSET
from bigfast_backends.onnx_runtime_session import FATAL_ONLY

Array = npt.NDArray[Any]  # of one of four types, which the operator asks for
TYPES = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "int32": TensorProto.INT32}


def float_products(*, threads: int) -> tuple[MatrixKernel, ...]:
    """``MatMul`` in float32."""
    return (MatrixKernel(name="MatMul fp32", precision="fp32", prepare=partial(_float_product, threads=threads)),)


def int8_products(*, threads: int) -> tuple[MatrixKernel, ...]:
    """Integer products of both signs, and those two that a quantized model has."""
    ways = {
        "MatMulInteger u8s8": partial(_integer_product, dtype=np.dtype(np.uint8), threads=threads),
        "MatMulInteger s8s8": partial(_integer_product, dtype=np.dtype(np.int8), threads=threads),
        "MatMulIntegerToFloat u8s8": partial(_scaled_product, threads=threads),
        "DynamicQuantizeMatMul u8s8": partial(_dynamic_product, threads=threads),
    }
    return tuple(MatrixKernel(name=name, precision="int8", prepare=prepare) for name, prepare in ways.items())


@dataclass(frozen=True, slots=True)
class _Bound:
    """A session whose input and output stay where they are, so that nothing is copied.

    It reads and writes both arrays by their address: they are held here, or they would be freed under it.
    """

    session: onnxruntime.InferenceSession
    binding: onnxruntime.IOBinding
    left: Array
    product: Array

    def multiply(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def values(self) -> FloatArray:
        self.multiply()
        return self.product.astype(np.float32)


def _product(
    operator: str,
    inputs: Sequence[str],
    constants: Mapping[str, Array],
    left: Array,
    product: Array,
    *,
    threads: int,
    domain: str = "",
) -> Product:
    """One operator, whose input ``left`` is an array, and whose result is written into another."""
    places = (("left", left), ("product", product))
    given, made = (helper.make_tensor_value_info(name, TYPES[str(a.dtype)], list(a.shape)) for name, a in places)
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    node = helper.make_node(operator, list(inputs), ["product"], domain=domain)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    graph = helper.make_graph([node], "product", [given], [made], tensors)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = FATAL_ONLY
    # Its threads wait awake within a call, which a peak needs, and not after it, where others are timed.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("left", onnxruntime.OrtValue.ortvalue_from_numpy(left))
    binding.bind_ortvalue_output("product", onnxruntime.OrtValue.ortvalue_from_numpy(product))
    bound = _Bound(session, binding, left, product)
    return Product(multiply=bound.multiply, values=bound.values)


def _float_product(left: FloatArray, right: FloatArray, *, threads: int) -> Product:
    output = np.zeros((len(left), right.shape[1]), np.float32)
    return _product("MatMul", ("left", "right"), {"right": right}, left, output, threads=threads)


def _integer_product(left: FloatArray, right: FloatArray, *, dtype: np.dtype[Any], threads: int) -> Product:
    constants = {"right": right.astype(np.int8), "zero": np.zeros((), dtype)}
    output = np.zeros((len(left), right.shape[1]), np.int32)
    inputs = ("left", "right", "zero")
    return _product("MatMulInteger", inputs, constants, left.astype(dtype), output, threads=threads)


def _scaled_product(left: FloatArray, right: FloatArray, *, threads: int) -> Product:
    constants: dict[str, Array] = {
        "right": right.astype(np.int8),
        "left_scale": np.ones((), np.float32),
        "right_scale": np.ones(right.shape[1], np.float32),
        "zero": np.zeros((), np.uint8),
    }
    output = np.zeros((len(left), right.shape[1]), np.float32)
    inputs = ("left", "right", "left_scale", "right_scale", "zero")
    return _product(
        "MatMulIntegerToFloat", inputs, constants, left.astype(np.uint8), output, threads=threads, domain=CONTRIB
    )


def _dynamic_product(left: FloatArray, right: FloatArray, *, threads: int) -> Product:
    constants: dict[str, Array] = {"right": right.astype(np.int8), "right_scale": np.ones(right.shape[1], np.float32)}
    output = np.zeros((len(left), right.shape[1]), np.float32)
    inputs = ("left", "right", "right_scale")
    return _product("DynamicQuantizeMatMul", inputs, constants, left, output, threads=threads, domain=CONTRIB)
