"""OpenVINO on the CPU, float32, bfloat16 and int8, with the graph written directly from the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from bigfast.backend import Availability, IntArray, MatrixKernel, Options, Session, Weights, accept, installed_runtime
from bigfast.cpu import Machine
from bigfast.errors import BackendError

if TYPE_CHECKING:
    from bigfast_backends.openvino_graph import Recipe

# 2025.0 gives wrong numbers where dynamic quantization meets a width that is no multiple of its groups.
LEAST_VERSION = (2025, 2)

# Strongest first, in the order in which oneDNN chooses.
INT8_SETS = {
    "amx_int8": "AMX",
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512bw": "AVX-512 without VNNI, weights of 7 bits",
    "avx2": "AVX2 without VNNI, weights of 7 bits",
    "i8mm": "i8mm",
    "asimddp": "ARM dot product",
}
BFLOAT16_SETS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}
FLOAT_SETS = {"avx512f": "AVX-512", "avx2": "AVX2"}
WITHOUT_WIDE_FLOAT = {"x86_64": "SSE", "aarch64": "NEON"}


def _best(sets: Mapping[str, str], machine: Machine, otherwise: str) -> str:
    return next((text for name, text in sets.items() if machine.isa[name]), otherwise)


class _OpenVino:
    """What all precisions share."""

    name: ClassVar[str]
    precision: ClassVar[str]
    bound: ClassVar[float]

    def available(self) -> Availability:
        """Whether openvino is installed and recent enough, found without importing it."""
        return installed_runtime("openvino", least=LEAST_VERSION, get="pip install 'bigfast[openvino]'")

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """One without options."""
        return ({},)

    def environment(self, threads: int) -> Mapping[str, str]:
        """Its own threads are counted in the session; these hold back what NumPy brings along, and a cache."""
        numpy = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        # oneDNN keeps the last 1024 kernels that it generated, closed models' too, and with static scales every layer
        # has its own: half a megabyte for the smallest model of the paper, without end over a search.
        return {**numpy, "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        """See ``bigfast.backend.Backend``; int8's recipe ``static`` alone looks at the calibration.

        The session reads the word table, and matrices that stay float32, from where the weights have them: they must
        not be changed.

        Raises:
            InputError: there is no such option, or no such number of threads.
            BackendMissing: openvino is not installed, or too old.
            BackendError: the runtime refuses the model, or the CPU lacks what the precision needs.
        """
        chosen = accept(self, options, machine=machine, threads=threads)
        self._check(machine)
        from bigfast_backends.openvino_session import OpenVinoSession

        recipe = self._recipe(weights, chosen, machine, calibration)
        floats = chosen.get("rest", "bf16" if self.precision == "bf16" else "fp32")
        fixed = chosen.get("shapes") == "fixed"
        return OpenVinoSession(weights, recipe, floats=floats, threads=threads, fixed=fixed)

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """Graphs of one product, whose right matrix is a constant; none where the CPU lacks the precision."""
        from bigfast_backends.openvino_products import products

        return products(self.precision, threads=threads)

    def kernels(self, machine: Machine) -> str:
        raise NotImplementedError

    def _check(self, machine: Machine) -> None:
        """Raises BackendError where the CPU lacks what the precision needs."""

    def _recipe(
        self,
        weights: Weights,
        options: Options,
        machine: Machine,
        calibration: tuple[IntArray, IntArray] | None,
    ) -> Recipe:
        from bigfast_backends.openvino_graph import Recipe

        return Recipe()


class OpenVinoFp32(_OpenVino):
    """Everything in float32, also where the runtime would rather take bfloat16."""

    name = "openvino-fp32"
    precision = "fp32"
    bound = 1e-3  # measured on 40 random models of the paper's space, 80 batches of 1 and 4 texts: at most 3e-6

    def kernels(self, machine: Machine) -> str:
        """The widest float32 vectors that the CPU has."""
        otherwise = WITHOUT_WIDE_FLOAT.get(machine.architecture, "whatever the CPU has")
        return f"oneDNN and MLAS float32: {_best(FLOAT_SETS, machine, otherwise)}"


class OpenVinoBf16(_OpenVino):
    """Everything in bfloat16 but the word table: nothing is calibrated, and the weights take half the room.

    Only for CPUs that multiply bfloat16: elsewhere the runtime would imitate it, slower than float32.
    """

    name = "openvino-bf16"
    precision = "bf16"
    # Measured on the same models: median 0.009, at most 0.025; the bound leaves room for texts with small logits.
    bound = 0.1

    def kernels(self, machine: Machine) -> str:
        """The bfloat16 instructions that the CPU has, if any."""
        return f"oneDNN bf16: {_best(BFLOAT16_SETS, machine, 'none, the CPU does not multiply bfloat16')}"

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """See above."""
        return super().products(machine, threads=threads) if _has_bfloat16(machine) else ()

    def _check(self, machine: Machine) -> None:
        if not _has_bfloat16(machine):
            raise BackendError(
                f"openvino-bf16 needs a CPU that multiplies bfloat16 ({' or '.join(BFLOAT16_SETS)}), and this one, "
                f"{machine.model}, does not: use openvino-int8 or openvino-fp32"
            )


class OpenVinoInt8(_OpenVino):
    """Linear layers in int8, one scale for each output; the classifier's few rows and attention stay float32.

    Recipe ``static`` fixes the scales of activations beforehand, from the smallest and the largest number that enters
    each layer when the model reads the calibration texts, or random ids where there are none. Recipe ``dynamic`` finds
    them anew for groups of numbers in every call: nearer to float32, needs no texts, and is slower.
    Where the CPU has no VNNI, weights of the static recipe have 7 bits, for its sums saturate.

    With ``shapes=fixed`` each size of inputs gets a model compiled for it, for those who pad all texts to one length:
    5 to 30 % faster, at the price of a tenth of a second and the memory of another model for each of the first four
    sizes; those that come later share one of any size. With ``rest=bf16`` what is not int8, attention above all, is
    bfloat16 instead of float32, where the CPU multiplies that.
    """

    name = "openvino-int8"
    precision = "int8"
    # Measured on the same models. Static: median 0.03, at most 0.12; dynamic: median 0.015, at most 0.03. A lone text
    # may have small logits, and weights of 7 bits double the distance.
    bound = 0.35

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """Its recipes: the dynamic one only where the runtime has kernels for it, AVX512-VNNI and AVX-VNNI."""
        found: list[Options] = [{"recipe": "static"}]
        if machine.isa["avx512_vnni"] or machine.isa["avx_vnni"]:
            found.append({"recipe": "dynamic"})
        found.append({"recipe": "static", "shapes": "fixed"})
        if _has_bfloat16(machine):
            found.append({"recipe": "static", "rest": "bf16", "shapes": "fixed"})
        return tuple(found)

    def kernels(self, machine: Machine) -> str:
        """What oneDNN is known to dispatch int8 to."""
        signs = "s8s8" if machine.int8.recipe == "s8s8" else "u8s8"
        return f"oneDNN {signs}: {_best(INT8_SETS, machine, 'no int8 instructions')}"

    def _recipe(
        self,
        weights: Weights,
        options: Options,
        machine: Machine,
        calibration: tuple[IntArray, IntArray] | None,
    ) -> Recipe:
        from bigfast_backends.graphs import FULL_RANGE, REDUCED_RANGE
        from bigfast_backends.openvino_graph import Recipe
        from bigfast_backends.openvino_ranges import input_ranges

        if options["recipe"] == "dynamic":
            return Recipe(weight_range=FULL_RANGE)
        return Recipe(
            weight_range=REDUCED_RANGE if machine.int8.recipe == "u8s8-reduce-range" else FULL_RANGE,
            input_ranges=input_ranges(weights, calibration),
            signed=machine.int8.recipe == "s8s8",
        )


def _has_bfloat16(machine: Machine) -> bool:
    return any(machine.isa[name] for name in BFLOAT16_SETS)
