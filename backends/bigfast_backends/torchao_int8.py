"""torchao on the CPU, experimental: int8 weights and int8 activations with a scale for each token."""

from __future__ import annotations

from collections.abc import Mapping

from bigfast.backend import Availability, IntArray, Options, Session, Weights, accept, installed_runtime
from bigfast.cpu import Machine

LEAST = (0, 14)  # 0.12 cannot be imported beside torch 2.13; 0.14.1 and all since were right there
INSTALL = "pip install 'bigfast[torchao]'"


class TorchaoInt8:
    """Experimental: linear layers by torchao's ``Int8DynamicActivationInt8WeightConfig``, everything else in float32.

    Its scales, one for each token and one for each output, keep it nearer to float32 than one scale for a whole batch
    does, and padding does not enter them. But each layer quantizes its input by a dozen operators that are not fused,
    so that models take two to three times as long as in ``torch-int8``.

    There is no variant for torch.compile, which fuses them: measured beside ``torch-int8`` on one thread, a small model
    was as fast (1.9 ms) and the largest 1.3 times as slow (13.8 against 10.8 ms), for about half a minute of compiling
    for each architecture, 10 to 25 s more for most further sizes of input, and a C++ compiler.
    """

    name = "torchao-int8"
    precision = "int8"
    # Measured on 30 random models of the paper's space, 90 batches of 2 to 4 texts: median 0.02, at most 0.06; 30 lone
    # texts, whose logits may all be small: at most 0.27.
    bound = 0.35

    def available(self) -> Availability:
        """Whether torchao is installed and recent enough, found without importing it."""
        return installed_runtime("torchao", least=LEAST, get=INSTALL)

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """One: it has no options."""
        return ({},)

    def kernels(self, machine: Machine) -> str:
        """How torch multiplies two int8 matrices."""
        return "experimental: int8 by torch._int_mm, activations quantized outside of it"

    def environment(self, threads: int) -> Mapping[str, str]:
        """Those of torch, which it runs on."""
        return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}

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

        Raises:
            InputError: there is no such option, or no such number of threads.
            BackendMissing: torchao is not installed, or too old.
            BackendError: torchao refuses the model.
        """
        accept(self, options, machine=machine, threads=threads)
        from bigfast_backends.pytorch_session import TorchSession
        from bigfast_backends.torchao_session import quantized

        return TorchSession(weights, quantized, threads=threads)
