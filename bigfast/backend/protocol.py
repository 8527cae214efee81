"""What a backend is: the two protocols that anybody may implement, and a third that a backend may leave out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bigfast.backend.weights import FloatArray, IntArray, Weights
from bigfast.cpu import Machine

Options = Mapping[str, str]

DEFAULT_VARIANT = "default"


def variant_name(options: Options) -> str:
    """One variant's options in one word: ``engine=onednn``; ``default`` where there are none."""
    return ",".join(f"{name}={value}" for name, value in sorted(options.items())) or DEFAULT_VARIANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a backend can be used here, and if not, what to do."""

    usable: bool
    version: str | None
    reason: str


class Session(Protocol):
    """One model, ready to answer, on a fixed number of threads."""

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """Logits, shape (batch, labels), float32, for arrays of shape (batch, length), int64; types None means 0.

        Raises:
            InputError: the arrays differ in shape, are empty, or longer than the model's positions.
            BackendError: the runtime failed, or the session is closed.
        """
        ...

    def evidence(self) -> Mapping[str, str]:
        """Which kernels this session runs, as the runtime itself tells; never as the CPU's flags promise."""
        ...

    def save(self, directory: Path) -> tuple[str, ...]:
        """Writes what is needed to deploy exactly this model into a directory, and returns the files' names.

        Empty where the runtime needs nothing but the stock float32 directory. Never a pickle.
        """
        ...

    def close(self) -> None:
        """Frees what the session holds; the session is not used afterwards."""
        ...


@runtime_checkable
class Backend(Protocol):
    """One runtime at one precision. Making one must not import the runtime."""

    @property
    def name(self) -> str:
        """Its name as on the command line: ``torch-int8``."""
        ...

    @property
    def precision(self) -> str:
        """``fp32``, ``bf16`` or ``int8``."""
        ...

    @property
    def bound(self) -> float:
        """How far logits may lie from the float32 reference, as a share of its largest magnitude."""
        ...

    def available(self) -> Availability:
        """Whether the runtime is installed and recent enough, found without importing it."""
        ...

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """Its engines and recipes that exist on this machine, the default first.

        They name rows of saved profiles: an option that is added later is left out where it has its default.
        """
        ...

    def kernels(self, machine: Machine) -> str:
        """Which matrix kernels it is expected to use on this machine, in a few words."""
        ...

    def environment(self, threads: int) -> Mapping[str, str]:
        """Environment variables to set before the process starts, so that it obeys the thread count."""
        ...

    def prepare(
        self,
        weights: Weights,
        *,
        machine: Machine,
        threads: int,
        options: Options,
        calibration: tuple[IntArray, IntArray] | None = None,
    ) -> Session:
        """A session for these weights, quantized where the precision says so.

        Args:
            weights: The model in float32.
            machine: Where it will run; a recipe may depend on it.
            threads: How many threads ``run`` may use.
            options: One of ``variants``; what it leaves out has its default.
            calibration: Real ids and masks, each (batch, length), for recipes with static activation scales.

        Raises:
            InputError: there is no such variant, or no such number of threads; ``accept`` raises it.
            BackendError: the runtime refuses the model, with the way out.
            BackendMissing: the runtime is not installed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One matrix product, ready to be computed again and again.

    ``multiply`` computes it and is what is timed; ``values`` computes it and gives its numbers, (m, n) float32.
    """

    multiply: Callable[[], object]
    values: Callable[[], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixKernel:
    """One way in which a runtime multiplies matrices.

    ``precision`` is ``fp32``, ``bf16`` or ``int8``: that of what is multiplied. ``prepare`` takes the left matrix,
    (m, k), and the right one, (k, n), both float32, and converts and packs them, so that ``multiply`` need not. A
    kernel of int8 is given whole numbers alone, 0 to 63 on the left and -31 to 31 on the right, and may round on the
    way what it would round in a model. The right matrix is constant, as a weight is.
    """

    name: str
    precision: str
    prepare: Callable[[FloatArray, FloatArray], Product]


@runtime_checkable
class MultipliesMatrices(Protocol):
    """What a backend may offer besides: its runtime's plain matrix products, which show what a machine can reach."""

    def products(self, machine: Machine, *, threads: int) -> tuple[MatrixKernel, ...]:
        """The kernels that may be the fastest of their precision here; the runtime may be imported.

        They run on the given number of threads, in a process started with ``environment(threads)``.
        """
        ...
