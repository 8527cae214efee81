"""Running a stock BERT in PyTorch: as it is, in bfloat16, or with dynamically quantized linear layers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import BertForSequenceClassification

from bigfast.backend import FloatArray, IntArray, Weights, check_inputs
from bigfast.backend.stock import stock_model
from bigfast.errors import BackendError
from bigfast_backends.pytorch_evidence import evidence_of

Convert = Callable[[BertForSequenceClassification], nn.Module]

WATCHED_TOKENS = 8  # of the text whose call is watched for evidence: enough for every kernel, and a few milliseconds


class TorchSession:
    """A stock model, converted to its precision, in inference mode on a fixed number of threads.

    The thread count is the process's, as torch has it; it is set again before every call, so that
    sessions of different counts may take turns.

    Args:
        weights: The model, whose arrays must not be changed: what is not converted is read where it lies.
        convert: Makes of the stock float32 model what will run; in place, since a copy of the model would copy the
            word table that all resident sessions share.
        threads: Of one call.

    Raises:
        BackendError: torch refuses the model, as where an operator or an engine is missing from this build.
    """

    def __init__(self, weights: Weights, convert: Convert, *, threads: int) -> None:
        self._positions = weights.shape.positions
        self._threads = threads
        torch.set_num_threads(threads)
        try:
            self._model: nn.Module | None = convert(stock_model(weights))
        except (RuntimeError, NotImplementedError) as error:
            if isinstance(error, BackendError):
                raise
            raise BackendError(
                f"torch {torch.__version__} refuses this model ({_first_line(error)}): try another variant or backend"
            ) from error

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        """See ``bigfast.backend.Session``.

        Raises:
            InputError: the arrays differ in shape, are empty, or longer than the model's positions.
            BackendError: torch failed, since an id is outside the vocabulary, say; or the session is closed.
        """
        if self._model is None:
            raise BackendError("This session is closed: prepare another")
        check_inputs(ids, mask, types, positions=self._positions)
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        # A batch without padding needs no mask, and is faster without one.
        attention_mask = None if mask.all() else torch.from_numpy(mask)
        try:
            with torch.inference_mode():
                logits = self._model(
                    input_ids=torch.from_numpy(ids),
                    attention_mask=attention_mask,
                    token_type_ids=None if types is None else torch.from_numpy(types),
                ).logits
        except (RuntimeError, IndexError, NotImplementedError) as error:
            raise BackendError(f"torch {torch.__version__} failed: {_first_line(error)}") from error
        return np.asarray(logits.numpy(), dtype=np.float32)

    def evidence(self) -> Mapping[str, str]:
        """Which operators multiplied in one call on a short text, how often, and by which kernels of oneDNN."""
        ids = np.zeros((1, min(WATCHED_TOKENS, self._positions)), dtype=np.int64)
        return evidence_of(lambda: self.run(ids, np.ones_like(ids)))

    def save(self, directory: Path) -> tuple[str, ...]:
        """Nothing: the stock float32 directory is converted when it is loaded."""
        return ()

    def close(self) -> None:
        """See ``bigfast.backend.Session``."""
        self._model = None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def as_it_is(model: BertForSequenceClassification) -> nn.Module:
    """Float32."""
    return model


def in_bf16(model: BertForSequenceClassification) -> nn.Module:
    """Encoder and pooler in bfloat16; embeddings and their normalisation before them, and the classifier, in float32.

    The table of words stays where it is, shared: a copy of it in bfloat16 for every resident session would fill the
    memory, while the rows of one text are converted in no time. The classifier's few rows cost nothing, and logits
    of 8 bits would tie.
    """
    pooler = model.bert.get_submodule("pooler")
    model.bert.encoder.to(torch.bfloat16)
    pooler.to(torch.bfloat16)
    model.bert.embeddings.register_forward_hook(_to_bf16)
    pooler.register_forward_hook(_to_float32)
    return model


def _to_bf16(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
    return output.to(torch.bfloat16)


def _to_float32(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
    return output.to(torch.float32)


def dynamically_quantized(*, engine: str, channels: bool) -> Convert:
    """Every ``nn.Linear`` replaced by its dynamically quantized kind.

    Args:
        engine: Of torch's quantized operators.
        channels: One scale for each output of a layer, instead of one for the layer.

    Raises:
        BackendError: this torch has no ``quantize_dynamic``, or not this engine.
    """
    quantization: Any = getattr(torch.ao, "quantization", None)  # a module, if this torch still has it
    quantize_dynamic = getattr(quantization, "quantize_dynamic", None)
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

    def quantized(model: BertForSequenceClassification) -> nn.Module:
        torch.backends.quantized.engine = engine
        with warnings.catch_warnings():
            # Deprecated since torch 2.10 and still the paper's method.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", UserWarning)
            config = quantization.per_channel_dynamic_qconfig if channels else quantization.default_dynamic_qconfig
            found: nn.Module = quantize_dynamic(model, {nn.Linear: config}, inplace=True)
        return found

    return quantized
