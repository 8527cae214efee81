"""A BERT sequence classifier in an OpenVINO infer request on the CPU."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import openvino

from bigfast.backend import FloatArray, IntArray, Weights, check_inputs
from bigfast.errors import BackendError
from bigfast_backends.graphs import INPUTS
from bigfast_backends.openvino_graph import Recipe, write_model

DEVICE = "CPU"
# Of activations that share a scale in dynamic quantization. Of 32, 64 and 128, 32 is the fastest for a hidden size of
# 240 and 128 for 384 and more; 64 is at most 9 % behind in all.
DYNAMIC_GROUP = 64

ANY_SIZE = (-1, -1)
FIXED_SIZES = 4  # of inputs, that get a compiled model of their own

Settings = Mapping[str, str | int | bool]


@cache
def core() -> openvino.Core:
    """The process's one entry to the runtime, which loads its plugins once."""
    return openvino.Core()


def settings(floats: str, *, threads: int, dynamic: bool = False) -> Settings:
    """What the model is compiled with; its names are the runtime's own.

    ``floats`` is the precision of what is not int8, ``fp32`` or ``bf16``.
    The precision is always said: the runtime's default is bfloat16 wherever the CPU has it, for a float32 model too.
    """
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if floats == "bf16" else "f32",
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

    def __init__(self, weights: Weights, recipe: Recipe, *, floats: str, threads: int, fixed: bool = False) -> None:
        self._shape = weights.shape
        dynamic = bool(recipe.weight_range) and not recipe.input_ranges
        self._settings = settings(floats, threads=threads, dynamic=dynamic)
        self._fixed = fixed
        self._requests: dict[tuple[int, ...], openvino.InferRequest] = {}
        self._compiled: openvino.CompiledModel | None = None  # the latest
        with _refusals():
            self._model: openvino.Model | None = write_model(weights, recipe)
        if not fixed:
            self._compile(ANY_SIZE)

    def _compile(self, size: tuple[int, ...]) -> None:
        model = self._open()
        with _refusals():
            if size != ANY_SIZE:
                model = model.clone()  # which shares the weights
                model.reshape({name: list(size) for name in INPUTS})
            self._compiled = core().compile_model(model, DEVICE, dict(self._settings))
            self._requests[size] = self._compiled.create_infer_request()

    def _request(self, size: tuple[int, ...]) -> openvino.InferRequest:
        """Of the model that was compiled for a size, or for any: a size keeps that which answered it first."""
        if size not in self._requests:
            full = len(self._requests.keys() - {ANY_SIZE}) >= FIXED_SIZES
            size = size if self._fixed and not full else ANY_SIZE
        if size not in self._requests:
            self._compile(size)
        return self._requests[size]

    def _open(self) -> openvino.Model:
        if self._model is None:
            raise BackendError("This session is closed: prepare another one")
        return self._model

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """Logits, shape (batch, labels), float32, for int64 arrays of shape (batch, length); types None means 0.

        Raises:
            InputError: the arrays differ in shape, are empty, or longer than the model's positions.
            BackendError: an id or a type is outside its table; the runtime failed; or the session is closed.
        """
        self._open()
        check_inputs(ids, mask, types, positions=self._shape.positions)
        # The runtime would read zeros there and say nothing.
        _check_within(ids, self._shape.vocab, "id")
        if types is not None:
            _check_within(types, self._shape.types, "type")
        request = self._request(ids.shape)
        try:
            # The request reads them by their address and keeps none alive: that is what this list is for.
            inputs = [
                np.ascontiguousarray(array, dtype=np.int64)
                for array in (ids, mask, np.zeros_like(ids) if types is None else types)
            ]
            for place, array in enumerate(inputs):
                request.set_input_tensor(place, openvino.Tensor(array, shared_memory=True))
            request.infer()
            logits: FloatArray = request.get_output_tensor(0).data.copy()
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
        self._open()
        if self._compiled is None:
            self._compile(ANY_SIZE)
        assert self._compiled is not None  # by the line before
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

        ``compile_model("model.xml", "CPU", json.load(open("settings.json")))`` makes the same model of them; for a
        fixed size, ``reshape`` what ``read_model`` gives before.
        """
        openvino.save_model(self._open(), directory / "model.xml", compress_to_fp16=False)
        (directory / "settings.json").write_text(json.dumps(self._settings, indent=2) + "\n", encoding="utf-8")
        return ("model.xml", "model.bin", "settings.json")

    def close(self) -> None:
        """Frees the runtime's model and ours."""
        self._requests.clear()
        self._compiled = None
        self._model = None


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What the runtime says against a model, as an error of ours."""
    try:
        yield
    except RuntimeError as error:
        raise BackendError(f"openvino {openvino.__version__} refuses the model: {_last_line(error)}") from error


def _check_within(values: IntArray, count: int, what: str) -> None:
    if int(values.max()) >= count or int(values.min()) < 0:
        raise BackendError(f"openvino failed: each {what} must lie between 0 and {count - 1}, the rows of its table")


def _last_line(error: RuntimeError) -> str:
    """What the runtime says of an error ends with the reason; before it come places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
