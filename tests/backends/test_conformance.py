"""Every backend that ships passes the suite that others must pass."""

from __future__ import annotations

import importlib.util

import pytest

from bigfast.cpu import detect
from bigfast.testing import BackendSuite
from bigfast_backends.onnx_runtime import OnnxRuntimeFp32, OnnxRuntimeInt8
from bigfast_backends.openvino_runtime import OpenVinoBf16, OpenVinoFp32, OpenVinoInt8
from bigfast_backends.pytorch import TorchBf16, TorchFp32, TorchInt8

with_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
with_bfloat16 = pytest.mark.skipif(
    not (detect().isa["avx512_bf16"] or detect().isa["amx_bf16"]), reason="the CPU does not multiply bfloat16"
)


class TestTorchFp32(BackendSuite):
    backend = TorchFp32()

    @pytest.mark.slow
    def test_two_hundred_sessions_leave_no_memory_behind(self) -> None:  # that of int8 loads torch already
        super().test_two_hundred_sessions_leave_no_memory_behind()


class TestTorchBf16(BackendSuite):
    backend = TorchBf16()

    @pytest.mark.slow
    def test_two_hundred_sessions_leave_no_memory_behind(self) -> None:
        super().test_two_hundred_sessions_leave_no_memory_behind()


class TestTorchInt8(BackendSuite):
    backend = TorchInt8()


class TestOnnxRuntimeFp32(BackendSuite):
    backend = OnnxRuntimeFp32()


class TestOnnxRuntimeInt8(BackendSuite):
    backend = OnnxRuntimeInt8()


@with_openvino
class TestOpenVinoFp32(BackendSuite):
    backend = OpenVinoFp32()


@with_openvino
@with_bfloat16
class TestOpenVinoBf16(BackendSuite):
    backend = OpenVinoBf16()


@with_openvino
class TestOpenVinoInt8(BackendSuite):
    backend = OpenVinoInt8()
