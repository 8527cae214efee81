"""Running a stock BERT in PyTorch, as it is or with dynamically quantized linear layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bigfast.backend import FloatArray, IntArray, Weights
from bigfast.backend.stock import stock_model
from bigfast.errors import BackendError


class TorchSession:
    """A model in inference mode on a fixed number of threads.

    The thread count is the process's, as torch has it; it is set again before every call, so that
    sessions of different counts may take turns.
    """

    def __init__(self, model: nn.Module, *, threads: int, evidence: Mapping[str, str]) -> None:
        self._model: nn.Module | None = model
        self._threads = threads
        self._evidence = dict(evidence)

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """See ``bigfast.backend.Session``."""
        if self._model is None:
            raise BackendError("This session is closed: prepare another")
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        # A batch without padding needs no mask, and is faster without one.
        attention_mask = None if mask.all() else torch.from_numpy(mask)
        with torch.inference_mode():
            logits = self._model(
                input_ids=torch.from_numpy(ids),
                attention_mask=attention_mask,
                token_type_ids=None if types is None else torch.from_numpy(types),
            ).logits
        return np.asarray(logits.numpy(), dtype=np.float32)

    def evidence(self) -> Mapping[str, str]:
        """See ``bigfast.backend.Session``."""
        return self._evidence

    def save(self, directory: Path) -> tuple[str, ...]:
        """Nothing: the stock float32 directory is quantized when it is loaded."""
        return ()

    def close(self) -> None:
        """See ``bigfast.backend.Session``."""
        self._model = None


def float_session(weights: Weights, *, threads: int) -> TorchSession:
    """The stock model as it is."""
    return TorchSession(stock_model(weights), threads=threads, evidence={"linear": "torch.nn.Linear"})


def int8_session(weights: Weights, *, threads: int, engine: str) -> TorchSession:
    """The stock model with every ``nn.Linear`` replaced by its dynamically quantized kind.

    Raises:
        BackendError: this torch has no ``quantize_dynamic``, or not this engine.
    """
    quantize_dynamic = getattr(getattr(torch.ao, "quantization", None), "quantize_dynamic", None)
    if quantize_dynamic is None:
        raise BackendError(
            f"torch {torch.__version__} no longer has quantize_dynamic: use --backend onnxruntime-int8, "
            "or a torch below 2.14"
        )
    if engine not in torch.backends.quantized.supported_engines:
        raise BackendError(
            f"This torch has no quantization engine {engine!r}: "
            f"choose from {', '.join(e for e in torch.backends.quantized.supported_engines if e != 'none')}"
        )
    torch.backends.quantized.engine = engine
    with warnings.catch_warnings():
        # Deprecated since torch 2.10 and still the paper's method.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        # In place, since a copy of the model would copy the word table that all resident sessions share.
        model = quantize_dynamic(stock_model(weights), {nn.Linear}, dtype=torch.qint8, inplace=True)
    kinds = [type(module).__module__ for module in model.modules()]
    count = sum("quantized.dynamic" in kind for kind in kinds)
    return TorchSession(
        model,
        threads=threads,
        evidence={"engine": engine, "quantized linear layers": str(count), "torch": torch.__version__},
    )
