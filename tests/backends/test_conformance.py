"""Every backend that ships passes the suite that others must pass."""

from __future__ import annotations

from bigfast.testing import BackendSuite
from bigfast_backends.onnx_runtime import OnnxRuntimeFp32, OnnxRuntimeInt8
from bigfast_backends.pytorch import TorchBf16, TorchFp32, TorchInt8


class TestTorchFp32(BackendSuite):
    backend = TorchFp32()


class TestTorchBf16(BackendSuite):
    backend = TorchBf16()


class TestTorchInt8(BackendSuite):
    backend = TorchInt8()


class TestOnnxRuntimeFp32(BackendSuite):
    backend = OnnxRuntimeFp32()


class TestOnnxRuntimeInt8(BackendSuite):
    backend = OnnxRuntimeInt8()
