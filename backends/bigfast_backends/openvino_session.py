"""A BERT sequence classifier in an OpenVINO infer request on the CPU."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import openvino

from bigfast.backend import FloatArray, IntArray, Weights
from bigfast.errors import BackendError, InputError
from bigfast_backends.openvino_graph import Recipe, write_model

DEVICE = "CPU"
# Of activations that share a scale in dynamic quantization. Of 32, 64 and 128, 32 is the fastest for a hidden size of
# 240 and 128 for 384 and more; 64 is at most 9 % behind in all.
DYNAMIC_GROUP = 64

Settings = Mapping[str, str | int | bool]


@cache
def core() -> openvino.Core:
    """The process's one entry to the runtime, which loads its plugins once."""
    return openvino.Core()


def settings(precision: str, *, threads: int, dynamic: bool = False) -> Settings:
    """What the model is compiled with; its names are the runtime's own.

    The precision is always said: the runtime's default is bfloat16 wherever the CPU has it, for a float32 model too.
    """
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # or all processes of a machine would pin their first thread to the same core
        "ENABLE_HYPER_THREADING": True,  # or it would take fewer threads than it was told to
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": DYNAMIC_GROUP if dynamic else 0,
    }


class OpenVinoSession:
    """One model on a fixed number of threads.

    The word table stays where the caller has it, and the sessions of one process may share it. Of matrices that stay
    float32 the runtime makes a copy, packed for its kernels, and keeps the original alive.
    """

    def __init__(self, weights: Weights, recipe: Recipe, *, precision: str, threads: int) -> None:
        self._shape = weights.shape
        dynamic = bool(recipe.weight_range) and not recipe.input_ranges
        self._settings = settings(precision, threads=threads, dynamic=dynamic)
        try:
            self._model: openvino.Model | None = write_model(weights, recipe)
            self._compiled: openvino.CompiledModel | None = core().compile_model(
                self._model, DEVICE, dict(self._settings)
            )
            self._request: openvino.InferRequest | None = self._compiled.create_infer_request()
        except RuntimeError as error:
            raise BackendError(f"openvino {openvino.__version__} refuses the model: {_last_line(error)}") from error

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """Logits, shape (batch, labels), float32, for int64 arrays of shape (batch, length); types None means 0.

        Raises:
            InputError: the arrays differ in shape, are empty, or longer than the model's positions.
            BackendError: an id or a type is outside its table; the runtime failed; or the session is closed.
        """
        if self._request is None:
            raise BackendError("This session is closed: prepare another one")
        given = types
        types = np.zeros_like(ids) if types is None else types
        if ids.ndim != 2 or not ids.size or ids.shape != mask.shape or ids.shape != types.shape:
            raise InputError(
                f"Ids, mask and types must have the same shape (batch, length), "
                f"not {ids.shape}, {mask.shape} and {types.shape}"
            )
        if ids.shape[1] > self._shape.positions:
            raise InputError(
                f"This model has {self._shape.positions} positions, but the texts have {ids.shape[1]} tokens"
            )
        # The runtime would read zeros there and say nothing.
        _check_within(ids, self._shape.vocab, "id")
        if given is not None:
            _check_within(given, self._shape.types, "type")
        try:
            # The request reads them by their address and keeps none alive: that is what this list is for.
            inputs = [np.ascontiguousarray(array, dtype=np.int64) for array in (ids, mask, types)]
            for place, array in enumerate(inputs):
                self._request.set_input_tensor(place, openvino.Tensor(array, shared_memory=True))
            self._request.infer()
            logits: FloatArray = self._request.get_output_tensor(0).data.copy()
        except RuntimeError as error:
            raise BackendError(f"openvino failed: {_last_line(error)}") from error
        return logits

    def evidence(self) -> Mapping[str, str]:
        """How many operators of each kind the compiled graph has, with the kernel and the precision of its input.

        The kernel is the one that the runtime chose, ``FullyConnected brgemm_avx512_I8 u8``; operators that compute
        nothing are left out. Of dynamic quantization it tells ``i8``, the weights, and calls the kernel ``f32``.

        Raises:
            BackendError: the session is closed.
        """
        if self._compiled is None:
            raise BackendError("This session is closed: prepare another one")
        counts: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            told = node.get_rt_info()
            kind, kernel, precision = (
                told[name].astype(str) for name in ("layerType", "primitiveType", "runtimePrecision")
            )
            if not kernel.startswith("unknown"):
                counts[f"{kind} {kernel} {precision}"] += 1
        return {name: str(count) for name, count in sorted(counts.items())}

    def save(self, directory: Path) -> tuple[str, ...]:
        """Writes ``model.xml`` and ``model.bin``, exactly the graph that runs here, and the settings it runs with.

        ``compile_model("model.xml", "CPU", json.load(open("settings.json")))`` makes the same model of them.
        """
        if self._model is None:
            raise BackendError("This session is closed: prepare another one")
        openvino.save_model(self._model, directory / "model.xml", compress_to_fp16=False)
        (directory / "settings.json").write_text(json.dumps(self._settings, indent=2) + "\n", encoding="utf-8")
        return ("model.xml", "model.bin", "settings.json")

    def close(self) -> None:
        """Frees the runtime's model and ours."""
        self._request = None
        self._compiled = None
        self._model = None


def _check_within(values: IntArray, count: int, what: str) -> None:
    if int(values.max()) >= count or int(values.min()) < 0:
        raise BackendError(f"openvino failed: each {what} must lie between 0 and {count - 1}, the rows of its table")


def _last_line(error: RuntimeError) -> str:
    """What the runtime says of an error ends with the reason; before it come places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
