"""The stock way from a Hugging Face model to int8 in ONNX Runtime, as a backend: what ours is measured against.

Export through TorchScript, the offline optimizer for BERT or not, ``quantize_dynamic``, and a session whose threads
spin or not. The torch side needs nothing here: ``torch-int8`` is the stock model under ``quantize_dynamic`` already.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bigfast.backend import Availability, FloatArray, IntArray, Options, Session, Weights, accept
from bigfast.cpu import Machine

NAMES = ("input_ids", "attention_mask", "token_type_ids")
EXAMPLE = (1, 128)  # batch and length of the exporter's example


class StockOnnxRuntime:
    """Exported, quantized by ``quantize_dynamic``, with every setting that users turn."""

    name = "stock-onnxruntime-int8"
    precision = "int8"
    bound = 0.5

    def available(self) -> Availability:
        """Wherever bigfast is installed."""
        return Availability(usable=True, version="1.0", reason="")

    def variants(self, machine: Machine) -> tuple[Options, ...]:
        """Its settings."""
        return tuple({"optimizer": optimizer, "spin": spin} for optimizer in ("no", "yes") for spin in ("yes", "no"))

    def kernels(self, machine: Machine) -> str:
        """Those of ONNX Runtime."""
        return "MLAS U8S8"

    def environment(self, threads: int) -> Mapping[str, str]:
        """The exporter's own threads."""
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
        """Writes the model to files and back, as every tutorial does."""
        chosen = accept(self, options, machine=machine, threads=threads)
        return _Session(weights, optimize=chosen["optimizer"] == "yes", spin=chosen["spin"] == "yes", threads=threads)


class _Session:
    def __init__(self, weights: Weights, *, optimize: bool, spin: bool, threads: int) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
        settings.log_severity_level = 4
        settings.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
        with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's and the quantizer's own deprecations
            logging.disable(logging.WARNING)
            path = _quantized(weights, Path(place), optimize=optimize)
            logging.disable(logging.NOTSET)
            self._session: Any = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """See ``bigfast.backend.Session``."""
        feeds = dict(zip(NAMES, (ids, mask, np.zeros_like(ids) if types is None else types), strict=True))
        logits: FloatArray = self._session.run(["logits"], feeds)[0]
        return logits

    def evidence(self) -> Mapping[str, str]:
        """Nothing that a benchmark needs."""
        return {}

    def save(self, directory: Path) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def close(self) -> None:
        """Frees the session."""
        self._session = None


def _quantized(weights: Weights, directory: Path, *, optimize: bool) -> Path:
    """The files of the stock route, the last of them int8."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from torch import nn

    from bigfast.backend.stock import stock_model

    class Logits(nn.Module):
        """Three tensors in and one out, as the exporter wants it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = stock_model(weights)
            self.model.config._attn_implementation = "eager" if optimize else "sdpa"

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
            return logits

    exported, optimized, quantized = (directory / f"{name}.onnx" for name in ("exported", "optimized", "quantized"))
    torch.onnx.export(
        Logits(),
        tuple(torch.ones(EXAMPLE, dtype=torch.int64) for _ in NAMES),
        exported,
        input_names=list(NAMES),
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in NAMES},
        dynamo=False,
        opset_version=17,
    )
    if optimize:
        from onnxruntime.transformers.optimizer import optimize_model

        shape = weights.shape
        found = optimize_model(
            str(exported), model_type="bert", num_heads=shape.heads, hidden_size=shape.hidden, opt_level=0
        )
        found.save_model_to_file(str(optimized))
    # The optimizer's own operators have no shape inference: without a default type the quantizer refuses them.
    default = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(optimized if optimize else exported, quantized, weight_type=QuantType.QInt8, extra_options=default)
    return quantized
