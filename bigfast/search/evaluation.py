"""How good a really quantized candidate is, on the backend that will be deployed (the paper's section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bigfast.backend import Backend, FloatArray, Options, Session, Weights
from bigfast.cpu import Machine
from bigfast.data import Accuracy, Encoded, accuracy, collate, equal_length_batches
from bigfast.errors import BackendError, DataError
from bigfast.search.core import Evaluation
from bigfast.space import Arch
from bigfast.supermodel.elastic import Supermodel

ROWS_AT_ONCE = 32


def session_logits(session: Session, encoded: Encoded) -> FloatArray:
    """What a session answers to every row, shape (rows, labels), float32.

    Batches have rows of one length and no padding, since dynamic activation scales see the whole batch.

    Raises:
        DataError: there is no row.
    """
    if not len(encoded):
        raise DataError("There is no row to evaluate on: the validation set is empty")
    pieces: list[FloatArray] = []
    order: Sequence[np.ndarray] = equal_length_batches(encoded.lengths, batch_size=ROWS_AT_ONCE)
    for rows in order:
        batch = collate(encoded, rows)
        pieces.append(session.run(batch.ids, batch.mask, batch.types))
    logits = np.empty((len(encoded), pieces[0].shape[1]), dtype=np.float32)
    logits[np.concatenate(order)] = np.concatenate(pieces)
    return logits


class Evaluator:
    """Accuracy of weights on a backend, over fixed rows and with a fixed number of threads."""

    def __init__(self, backend: Backend, options: Options, encoded: Encoded, *, machine: Machine, threads: int) -> None:
        self._backend = backend
        self._options = options
        self._encoded = encoded
        self._machine = machine
        self._threads = threads

    def accuracy(self, weights: Weights) -> Accuracy:
        """Prepares the model on the backend, runs every row, and counts."""
        session = self._backend.prepare(weights, machine=self._machine, threads=self._threads, options=self._options)
        try:
            return accuracy(session_logits(session, self._encoded), self._encoded.labels)
        finally:
            session.close()

    def candidate(self, supermodel: Supermodel, arch: Arch) -> Evaluation:
        """One candidate of a supermodel; a backend that fails on it is a failed evaluation, not the end."""
        try:
            share = self.accuracy(supermodel.extract(arch)).share
        except BackendError as error:
            return Evaluation(arch=arch, score=math.nan, reason=str(error))
        return Evaluation(arch=arch, score=share)
