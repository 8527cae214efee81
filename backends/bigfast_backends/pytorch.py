"""PyTorch on the CPU: float32, bfloat16, and int8 by ``quantize_dynamic`` as in the paper (section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from bigfast.backend import Availability, IntArray, MatrixKernel, Options, Session, Weights, accept, installed_runtime
from bigfast.cpu import Machine, isa_word

if TYPE_CHECKING:
    from bigfast_backends.pytorch_session import Convert

LEAST_TORCH = (2, 6)
INSTALL = "pip install 'torch>=2.6' --index-url https://download.pytorch.org/whl/cpu"
X86 = ("x86_64", "amd64")


class _Torch:
    """What all precisions share."""

    name: ClassVar[str]
    precision: ClassVar[str]
    bound: ClassVar[float]

    def available(self) -> Availability:
        """Whether torch is installed and recent enough, found without importing it."""
        return installed_runtime("torch", least=LEAST_TORCH, get=INSTALL)

    def environment(self, threads: int) -> Mapping[str, str]:
        # No OMP_WAIT_POLICY: it is deployed without one, and threads that sleep between operations (PASSIVE) made two
        # threads slower than one on a virtual machine, where waking a thread costs as much as a small operation.
        return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """One: it has no options."""
        return ({},)

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        """See ``bigfast.backend.Backend``; calibration is not needed, since activations are quantized as they come.

        The session reads what stays float32 from where the weights have it: they must not be changed.

        Raises:
            InputError: there is no such option, or no such number of threads.
            BackendMissing: torch is not installed, or too old.
            BackendError: torch refuses the model.
        """
        chosen = accept(self, options, machine=machine, threads=threads)
        from bigfast_backends.pytorch_session import TorchSession

        return TorchSession(weights, self._convert(chosen), threads=threads)

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """Linear layers of this precision."""
        from bigfast_backends.pytorch_products import float_products

        return float_products(self.precision, threads=threads)

    def kernels(self, machine: Machine) -> str:
        raise NotImplementedError

    def _convert(self, options: Options) -> Convert:
        raise NotImplementedError


class TorchFp32(_Torch):
    """The stock float32 model in inference mode."""

    name = "torch-fp32"
    precision = "fp32"
    bound = 1e-3

    def kernels(self, machine: Machine) -> str:
        """The widest float32 vectors that the CPU has."""
        neon = "NEON" if machine.architecture == "aarch64" else None
        widest = "AVX-512" if machine.isa["avx512f"] else "AVX2" if machine.isa["avx2"] else neon
        return f"float32 on {widest}" if widest else "float32"

    def _convert(self, options: Options) -> Convert:
        from bigfast_backends.pytorch_session import as_it_is

        return as_it_is


class TorchBf16(_Torch):
    """The stock model with its encoder and pooler in bfloat16; embeddings and classifier stay float32."""

    name = "torch-bf16"
    precision = "bf16"
    # Measured on 30 random models of the paper's space, 90 batches of 2 to 4 texts: median 0.008, at most 0.032. A lone
    # text may have logits that are all small, of which the same error is a larger share: 0.15 once in 30.
    bound = 0.1

    def kernels(self, machine: Machine) -> str:
        """The CPU's own bf16 instructions; where it has none, that torch has to make do without."""
        sets = ("amx_bf16", "avx512_bf16", "bf16")
        if not machine.has_bf16:
            return "bf16 without instructions for it, slower than float32"
        return f"bf16 on {next(isa_word(name) for name in sets if machine.isa[name])}"

    def _convert(self, options: Options) -> Convert:
        from bigfast_backends.pytorch_session import in_bf16

        return in_bf16


class TorchInt8(_Torch):
    """Linear layers by ``quantize_dynamic``, everything else in float32.

    Its dynamic Linear always reduces the range of activations to 7 bits, so its answers
    differ from ONNX Runtime's. Engine ``x86`` runs FBGEMM and oneDNN, ``onednn`` oneDNN alone,
    ``qnnpack`` serves ARM. ``weights=channel`` gives every output of a layer a scale of its own; without
    it a layer has one. That default is not written out, so that keys of profiles from before there was a choice
    still name it.
    """

    name = "torch-int8"
    precision = "int8"
    bound = 0.35

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """Its engines on this kind of CPU, with one scale for each layer, then with one for each output."""
        engines = ("x86", "onednn") if machine.architecture in X86 else ("qnnpack",)
        return (
            *({"engine": engine} for engine in engines),
            *({"engine": engine, "weights": "channel"} for engine in engines),
        )

    def kernels(self, machine: Machine) -> str:
        """What FBGEMM and oneDNN are known to dispatch (see the table of instruction sets in the documentation)."""
        isa = machine.isa
        if machine.architecture not in X86:
            return "int8 by QNNPACK, without dot-product instructions"
        fbgemm = ("avx512_vnni", "avx512bw", "avx2")
        x86 = next((isa_word(name) for name in fbgemm if isa[name]), "nothing, for it needs AVX2")
        sets = ("amx_int8", "avx512_vnni", "avx_vnni_int8", "avx_vnni", "avx512bw", "avx2")
        onednn = next((isa_word(name) for name in sets if isa[name]), "SSE4.1")
        return f"int8: FBGEMM on {x86} (engine x86), oneDNN on {onednn} (engine onednn)"

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """Quantized linear layers of each engine, and plain integer products."""
        from bigfast_backends.pytorch_products import int8_products

        engines = dict.fromkeys(variant["engine"] for variant in self.variants(machine))
        return int8_products(list(engines), threads=threads)

    def _convert(self, options: Options) -> Convert:
        from bigfast_backends.pytorch_session import dynamically_quantized

        return dynamically_quantized(engine=options["engine"], channels=options.get("weights") == "channel")
