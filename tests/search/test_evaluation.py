from __future__ import annotations

import numpy as np
import pytest

from bigfast.backend import FloatArray, IntArray, Weights, reference_logits
from bigfast.cpu import detect
from bigfast.data import Encoded, collate
from bigfast.errors import BackendError, DataError
from bigfast.search.evaluation import Evaluator, session_logits
from bigfast.space import BertSpace, Choice, Space
from bigfast.supermodel.elastic import Supermodel
from bigfast_backends.pytorch import TorchFp32

TINY = BertSpace(space=Space("tiny", (Choice("e", (1, 2)), Choice("h", (12, 24)), Choice("f", (16, 32)))), heads=2)
SHAPE = TINY.shape(TINY.space.largest, vocab=60, positions=16, labels=3)
MACHINE = detect()


def encoded(count: int) -> Encoded:
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 13, count)
    return Encoded(
        ids=tuple(rng.integers(1, 60, length) for length in lengths),
        types=tuple(np.sort(rng.integers(0, 2, length)) for length in lengths),
        labels=rng.integers(0, 3, count),
        lengths=lengths,
        pad_id=0,
    )


def one_by_one(weights: Weights, rows: Encoded) -> FloatArray:
    batches = [collate(rows, [row]) for row in range(len(rows))]
    return np.concatenate([reference_logits(weights, b.ids, b.mask, b.types) for b in batches])


def test_logits_in_batches_are_those_of_each_row_alone() -> None:
    rows, weights = encoded(400), Weights.random(SHAPE, seed=0)
    session = TorchFp32().prepare(weights, machine=MACHINE, threads=1, options={})

    found = session_logits(session, rows)

    assert np.abs(found - one_by_one(weights, rows)).max() < 1e-5


class Spy:
    """A session that notes what it is given, and may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.masks: list[IntArray] = []
        self.closed = False
        self._fails = fails

    def run(self, ids: IntArray, mask: IntArray, types: IntArray | None = None) -> FloatArray:
        if self._fails:
            raise BackendError("out of memory")
        self.masks.append(mask)
        return np.zeros((len(ids), 3), dtype=np.float32)

    def close(self) -> None:
        self.closed = True


def test_no_batch_is_padded() -> None:
    """Dynamic activation scales see the whole batch."""
    spy = Spy()

    session_logits(spy, encoded(100))  # type: ignore[arg-type]  # what is used of a session

    assert all(mask.all() for mask in spy.masks)
    assert sum(len(mask) for mask in spy.masks) == 100


def test_nothing_to_evaluate_on_is_a_data_error() -> None:
    with pytest.raises(DataError, match="validation set is empty"):
        session_logits(Spy(), encoded(0))  # type: ignore[arg-type]


class SpyBackend(TorchFp32):
    def __init__(self, spy: Spy) -> None:
        self._spy = spy

    def prepare(self, *_: object, **__: object) -> Spy:  # type: ignore[override]
        return self._spy


@pytest.mark.parametrize("fails", [False, True])
def test_a_session_is_closed_whatever_happens(fails: bool) -> None:
    spy = Spy(fails=fails)
    evaluator = Evaluator(SpyBackend(spy), {}, encoded(10), machine=MACHINE, threads=1)
    model = Supermodel(TINY, Weights.random(SHAPE, seed=0))

    evaluator.candidate(model, TINY.space.smallest)

    assert spy.closed


def test_a_candidate_on_which_the_backend_fails_is_a_failed_evaluation() -> None:
    evaluator = Evaluator(SpyBackend(Spy(fails=True)), {}, encoded(10), machine=MACHINE, threads=1)

    found = evaluator.candidate(Supermodel(TINY, Weights.random(SHAPE, seed=0)), TINY.space.smallest)

    assert (found.failed, found.reason, found.arch) == (True, "out of memory", TINY.space.smallest)


def test_a_candidate_is_worth_its_share_of_right_answers() -> None:
    rows = encoded(200)
    model = Supermodel(TINY, Weights.random(SHAPE, seed=0))
    evaluator = Evaluator(TorchFp32(), {}, rows, machine=MACHINE, threads=1)

    for arch in (TINY.space.smallest, TINY.space.largest):
        right = one_by_one(model.extract(arch), rows).argmax(axis=1) == rows.labels
        assert evaluator.candidate(model, arch).score == pytest.approx(right.mean())
