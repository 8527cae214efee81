"""PyTorch on the CPU: float32, and int8 by ``quantize_dynamic`` as in the paper (section 3.4)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from typing import ClassVar

from bigfast.backend import Availability, IntArray, MatrixKernel, Options, Session, Weights, accept
from bigfast.cpu import Machine, isa_word

INSTALL = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


def _installed() -> Availability:
    if importlib.util.find_spec("torch") is None:
        return Availability(usable=False, version=None, reason=f"torch is not installed: {INSTALL}")
    return Availability(usable=True, version=importlib.metadata.version("torch"), reason="")


class _Torch:
    """What both precisions share."""

    name: ClassVar[str]
    precision: ClassVar[str]
    bound: ClassVar[float]

    def available(self) -> Availability:
        return _installed()

    def environment(self, threads: int) -> Mapping[str, str]:
        # No OMP_WAIT_POLICY: it is deployed without one, and threads that sleep between operations (PASSIVE) made two
        # threads slower than one on a virtual machine, where waking a thread costs as much as a small operation.
        return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        raise NotImplementedError


class TorchFp32(_Torch):
    """The stock float32 model in inference mode."""

    name = "torch-fp32"
    precision = "fp32"
    bound = 1e-3

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """One: it has no options."""
        return ({},)

    def kernels(self, machine: Machine) -> str:
        """The widest float32 vectors that the CPU has."""
        neon = "NEON" if machine.architecture == "aarch64" else None
        widest = "AVX-512" if machine.isa["avx512f"] else "AVX2" if machine.isa["avx2"] else neon
        return f"float32 on {widest}" if widest else "float32"

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        """See ``bigfast.backend.Backend``."""
        accept(self, options, machine=machine, threads=threads)
        from bigfast_backends.pytorch_session import float_session

        return float_session(weights, threads=threads)

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """Those of float32, and of bf16 too, which the same runtime has."""
        from bigfast_backends.pytorch_products import float_products

        return float_products(threads=threads)


class TorchInt8(_Torch):
    """Linear layers by ``quantize_dynamic``, everything else in float32.

    Its dynamic Linear always reduces the range of activations to 7 bits, so its answers
    differ from ONNX Runtime's. Engine ``x86`` runs FBGEMM and oneDNN, ``onednn`` oneDNN alone,
    ``qnnpack`` serves ARM.
    """

    name = "torch-int8"
    precision = "int8"
    bound = 0.35

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """Its engines on this kind of CPU."""
        if machine.architecture in ("x86_64", "amd64"):
            return ({"engine": "x86"}, {"engine": "onednn"})
        return ({"engine": "qnnpack"},)

    def kernels(self, machine: Machine) -> str:
        """What FBGEMM and oneDNN are known to dispatch (see the table of instruction sets in the documentation)."""
        isa = machine.isa
        if machine.architecture not in ("x86_64", "amd64"):
            return "int8 by QNNPACK, without dot-product instructions"
        fbgemm = ("avx512_vnni", "avx512bw", "avx2")
        x86 = next((isa_word(name) for name in fbgemm if isa[name]), "nothing, for it needs AVX2")
        sets = ("amx_int8", "avx512_vnni", "avx_vnni_int8", "avx_vnni", "avx512bw", "avx2")
        onednn = next((isa_word(name) for name in sets if isa[name]), "SSE4.1")
        return f"int8: FBGEMM on {x86} (engine x86), oneDNN on {onednn} (engine onednn)"

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        """See ``bigfast.backend.Backend``."""
        chosen = accept(self, options, machine=machine, threads=threads)
        from bigfast_backends.pytorch_session import int8_session

        return int8_session(weights, threads=threads, engine=chosen["engine"])

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """Quantized linear layers of each engine, and plain integer products."""
        from bigfast_backends.pytorch_products import int8_products

        return int8_products([variant["engine"] for variant in self.variants(machine)], threads=threads)
