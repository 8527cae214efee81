"""A BERT sequence classifier in an ONNX Runtime session on the CPU."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from bigfast.backend import FloatArray, IntArray, Weights, check_inputs
from bigfast.errors import BackendError
from bigfast_backends.graphs import INPUTS, OUTPUT
from bigfast_backends.onnx_graph import OpenModel, Recipe, write_model

FATAL_ONLY = 4  # onnxruntime's log severity: what fails is raised, not printed


class OnnxSession:
    """One model on a fixed number of threads.

    Matrices that stay float32, the word table above all, stay where the caller has them: the runtime reads them from
    there, so that the sessions of one process may share them. Only ``save`` copies them.
    """

    def __init__(self, weights: Weights, recipe: Recipe, *, threads: int) -> None:
        self._shape = weights.shape
        self._threads = threads
        self._written: OpenModel | None = write_model(weights, recipe)
        self._session: onnxruntime.InferenceSession | None = self._load(self._settings())

    def _settings(self) -> onnxruntime.SessionOptions:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        settings.log_severity_level = FATAL_ONLY
        # The runtime's own default, and what a deployed session does: threads that sleep between operations instead
        # made two threads 1.3 to 1.5 times as slow on a virtual machine.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "1")
        settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
        return settings

    def _load(self, settings: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
        names, values = [], []
        for name, array in self._open().outside.items():
            names.append(name)
            values.append(onnxruntime.OrtValue.ortvalue_from_numpy(array))  # on the CPU this is a view
            settings.add_initializer(name, values[-1])  # makes the session read our memory instead of keeping a copy
        settings.add_external_initializers(names, values)  # the file that they are declared to be in does not exist
        model = self._open().model.SerializeToString()
        try:
            return onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own exceptions have no common base class but this
            raise BackendError(f"onnxruntime {onnxruntime.__version__} refuses the model: {error}") from error

    def _open(self) -> OpenModel:
        if self._written is None:
            raise BackendError("This session is closed: prepare another one")
        return self._written

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """Logits, shape (batch, labels), float32, for int64 arrays of shape (batch, length); types None means 0.

        Raises:
            InputError: the arrays differ in shape, are empty, or longer than the model's positions.
            BackendError: the runtime failed, an id is outside the vocabulary, say; or the session is closed.
        """
        if self._session is None:
            raise BackendError("This session is closed: prepare another one")
        check_inputs(ids, mask, types, positions=self._shape.positions)
        types = np.zeros_like(ids) if types is None else types
        feeds = dict(zip(INPUTS, (ids, mask, types), strict=True))
        try:
            logits: FloatArray = self._session.run([OUTPUT], feeds)[0]
        except Exception as error:  # as above
            raise BackendError(f"onnxruntime failed: {error}") from error
        return logits

    def evidence(self) -> Mapping[str, str]:
        """How often each operator ran in one call of a second session of this model, as the runtime's own profile says.

        Raises:
            BackendError: the session is closed.
        """
        ids = np.zeros((1, min(8, self._shape.positions)), dtype=np.int64)
        with tempfile.TemporaryDirectory(prefix="bigfast-") as directory:
            settings = self._settings()
            settings.enable_profiling = True
            settings.profile_file_prefix = str(Path(directory) / "profile")
            watched = self._load(settings)
            watched.run([OUTPUT], dict.fromkeys(INPUTS, ids))
            events = json.loads(Path(watched.end_profiling()).read_text())
        ran = [event["args"] for event in events if event["name"].endswith("_kernel_time")]
        counts = Counter(args["op_name"] for args in ran)
        return {name: str(count) for name, count in sorted(counts.items())}

    def save(self, directory: Path) -> tuple[str, ...]:
        """Writes ``model.onnx``, one complete file: exactly the graph that runs here."""
        (directory / "model.onnx").write_bytes(self._open().complete().SerializeToString())
        return ("model.onnx",)

    def close(self) -> None:
        """Frees the runtime's session and the model."""
        self._session = None
        self._written = None
