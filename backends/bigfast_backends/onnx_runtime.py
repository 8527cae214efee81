"""ONNX Runtime on the CPU, float32 and int8, with the graph written directly from the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from bigfast.backend import Availability, IntArray, MatrixKernel, Options, Session, Weights, accept, installed_runtime
from bigfast.cpu import Machine

if TYPE_CHECKING:
    from bigfast_backends.onnx_graph import Recipe

# The same module comes in several distributions.
DISTRIBUTIONS = ("onnxruntime", "onnxruntime-openvino", "onnxruntime-gpu")

# Strongest first, in the order in which MLAS chooses (onnxruntime/core/mlas/lib/platform.cpp): it has kernels for
# AVX-VNNI-INT8, but none of U8S8; AMX and i8mm are not built in on macOS.
INT8_SETS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512bw": "AVX-512 without VNNI, weights of 7 bits",
    "avx2": "AVX2 without VNNI, weights of 7 bits",
    "i8mm": "i8mm",
    "asimddp": "ARM dot product",
}
NOT_ON_MACOS = {"amx_int8", "i8mm"}
FLOAT_SETS = {"avx512f": "AVX-512", "avx2": "AVX2"}
WITHOUT_INT8 = {"x86_64": "SSE without VNNI, weights of 7 bits", "aarch64": "NEON without dot product"}
WITHOUT_WIDE_FLOAT = {"x86_64": "AVX or SSE", "aarch64": "NEON"}


def _best(sets: Mapping[str, str], machine: Machine, otherwise: str) -> str:
    missing = NOT_ON_MACOS if machine.system == "darwin" else set()
    return next((text for name, text in sets.items() if machine.isa[name] and name not in missing), otherwise)


class _OnnxRuntime:
    """What both precisions share."""

    name: ClassVar[str]
    precision: ClassVar[str]
    bound: ClassVar[float]

    def available(self) -> Availability:
        """Whether onnxruntime and onnx are installed and recent enough, found without importing them."""
        runtime = installed_runtime(
            "onnxruntime", least=(1, 22), get="pip install 'onnxruntime>=1.22'", distributions=DISTRIBUTIONS
        )
        writer = installed_runtime("onnx", least=(1, 18), get="pip install 'onnx>=1.18'")
        return runtime if writer.usable or not runtime.usable else writer

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """One without options."""
        return ({},)

    def environment(self, threads: int) -> Mapping[str, str]:
        """Its own threads are counted in the session; these hold back what NumPy brings along."""
        return {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}

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

        The session reads matrices that stay float32 from where the weights have them: they must not be changed.

        Raises:
            InputError: there is no such option, or no such number of threads.
            BackendMissing: onnxruntime or onnx is not installed, or too old.
            BackendError: the runtime refuses the model.
        """
        chosen = accept(self, options, machine=machine, threads=threads)
        from bigfast_backends.onnx_runtime_session import OnnxSession

        return OnnxSession(weights, self._recipe(chosen, machine), threads=threads)

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """Graphs of one operator, which multiplies by a constant."""
        from bigfast_backends.onnx_products import float_products, int8_products

        return float_products(threads=threads) if self.precision == "fp32" else int8_products(threads=threads)

    def kernels(self, machine: Machine) -> str:
        raise NotImplementedError

    def _recipe(self, options: Options, machine: Machine) -> Recipe:
        raise NotImplementedError


class OnnxRuntimeFp32(_OnnxRuntime):
    """Everything in float32: the yardstick of what int8 gains on the same runtime."""

    name = "onnxruntime-fp32"
    precision = "fp32"
    bound = 1e-3

    def kernels(self, machine: Machine) -> str:
        """The widest float32 vectors that the CPU has."""
        otherwise = WITHOUT_WIDE_FLOAT.get(machine.architecture, "whatever the CPU has")
        return f"MLAS float32: {_best(FLOAT_SETS, machine, otherwise)}"

    def _recipe(self, options: Options, machine: Machine) -> Recipe:
        from bigfast_backends.onnx_graph import Recipe

        return Recipe()


class OnnxRuntimeInt8(_OnnxRuntime):
    """Dynamic U8S8 quantization, one scale for each output of a linear layer.

    Recipe ``linear`` quantizes the linear layers (the classifier's few rows stay float32), ``full`` also the word
    embeddings, with one scale for each word. Where the CPU has no VNNI, weights have 7 bits, for its sums saturate.
    """

    name = "onnxruntime-int8"
    precision = "int8"
    # Measured on 412 random models of the paper's space, 824 batches of 1 to 4 texts: median 0.02, at most 0.24 (0.14
    # for 3 or 4 texts: a lone one may have small logits). Weights of 7 bits: median 0.04, and 2 batches above 0.35.
    bound = 0.35

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """Its two recipes."""
        return ({"recipe": "linear"}, {"recipe": "full"})

    def kernels(self, machine: Machine) -> str:
        """What MLAS is known to dispatch U8S8 to."""
        return f"MLAS U8S8: {_best(INT8_SETS, machine, WITHOUT_INT8.get(machine.architecture, 'no int8 instructions'))}"

    def _recipe(self, options: Options, machine: Machine) -> Recipe:
        from bigfast_backends.graphs import FULL_RANGE, REDUCED_RANGE
        from bigfast_backends.onnx_graph import Recipe

        reduced = machine.int8.recipe == "u8s8-reduce-range"
        return Recipe(weight_range=REDUCED_RANGE if reduced else FULL_RANGE, quantize_words=options["recipe"] == "full")
