"""For authors of backends: the suite that a backend must pass, and a clock that stands still.

A backend's tests are a class of three lines, collected by pytest::

    from bigfast.testing import BackendSuite

    class TestMine(BackendSuite):
        backend = MyBackend()
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bigfast.backend import (
    Backend,
    IntArray,
    MultipliesMatrices,
    Session,
    Weights,
    disagreement,
    reference_logits,
)
from bigfast.cpu import Machine, detect
from bigfast.errors import BigfastError
from bigfast.measure.peaks_worker import check
from bigfast.space import BertShape

VOCAB = 300

SHAPES = (
    BertShape(layers=1, hidden=120, ffn=128, heads=12, vocab=VOCAB, positions=64),
    BertShape(layers=3, hidden=132, ffn=344, heads=12, vocab=VOCAB, positions=64),
    BertShape(layers=2, hidden=192, ffn=256, heads=6, vocab=VOCAB, positions=64, labels=5),
)

__all__ = ["SHAPES", "BackendSuite", "FakeClock"]


class FakeClock:
    """Seconds that pass only when work is done."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        """Reads the clock, and writes that down."""
        self.log.append("read")
        return self.now_s

    def work(self, seconds: float = 1.0) -> None:
        """Takes some time, and writes that down."""
        self.log.append("work")
        self.now_s += seconds


def texts(batch: int, length: int, *, seed: int) -> tuple[IntArray, IntArray]:
    """Random ids and a full mask, each (batch, length), int64."""
    ids = np.random.default_rng(seed).integers(0, VOCAB, (batch, length), dtype=np.int64)
    return ids, np.ones_like(ids)


class BackendSuite:
    """What every backend promises; a subclass names its ``backend``."""

    backend: ClassVar[Backend]
    machine: ClassVar[Machine] = detect()

    def prepared(self, weights: Weights, *, variant: int = 0, threads: int = 1) -> Session:
        """A session of one of the backend's variants."""
        options = self.backend.variants(self.machine)[variant]
        return self.backend.prepare(weights, machine=self.machine, threads=threads, options=options)

    def test_it_follows_the_protocol(self) -> None:
        """It has everything that a backend has."""
        assert isinstance(self.backend, Backend)

    def test_it_can_be_used_here(self) -> None:
        """Its runtime is installed; otherwise the reason says how to get it."""
        state = self.backend.available()

        assert state.usable, state.reason

    def test_it_says_which_kernels_it_expects(self) -> None:
        """In a few words, for this machine."""
        assert self.backend.kernels(self.machine)

    def test_every_variant_agrees_with_float32(self) -> None:
        """Within its own bound, over shapes, batch sizes and lengths, padding included."""
        found = {}
        for variant in range(len(self.backend.variants(self.machine))):
            for number, shape in enumerate(SHAPES):
                weights = Weights.random(shape, seed=number)
                session = self.prepared(weights, variant=variant)
                ids, mask = texts(4, 16 + 15 * number, seed=number)
                mask[1, 9:] = 0
                reference = reference_logits(weights, ids, mask)
                found[variant, number] = disagreement(session.run(ids, mask), reference)
                session.close()

        assert {key: value for key, value in found.items() if not value <= self.backend.bound} == {}

    def test_padding_never_changes_an_answer_beyond_the_bound(self) -> None:
        """The same texts, alone and with padding behind them."""
        weights = Weights.random(SHAPES[1], seed=1)
        session = self.prepared(weights)
        ids, mask = texts(4, 12, seed=1)
        padded_ids = np.pad(ids, ((0, 0), (0, 20)), constant_values=7)
        padded_mask = np.pad(mask, ((0, 0), (0, 20)))

        assert disagreement(session.run(padded_ids, padded_mask), session.run(ids, mask)) <= self.backend.bound

    def test_token_types_count(self) -> None:
        """Another segment gives another answer, and none means the first."""
        session = self.prepared(Weights.random(SHAPES[0], seed=2))
        ids, mask = texts(2, 10, seed=2)

        plain = session.run(ids, mask)

        assert np.array_equal(plain, session.run(ids, mask, np.zeros_like(ids)))
        assert not np.array_equal(plain, session.run(ids, mask, np.ones_like(ids)))

    def test_the_same_question_has_the_same_answer(self) -> None:
        """Bit for bit, in one session."""
        session = self.prepared(Weights.random(SHAPES[2], seed=3))
        ids, mask = texts(3, 20, seed=3)

        assert np.array_equal(session.run(ids, mask), session.run(ids, mask))

    def test_it_gives_evidence_of_what_ran(self) -> None:
        """As the runtime tells it."""
        assert self.prepared(Weights.random(SHAPES[0], seed=4)).evidence()

    def test_its_plain_products_are_right_if_it_offers_any(self) -> None:
        """As the probe checks them, before it counts them."""
        wrong = {}
        offered = self.backend.products(self.machine, threads=1) if isinstance(self.backend, MultipliesMatrices) else ()
        for kernel in offered:
            try:
                check(kernel)
            except Exception as error:  # whatever the runtime raises
                wrong[kernel.name] = str(error)

        assert wrong == {}

    def test_an_unknown_option_is_refused(self) -> None:
        """In one sentence of ours."""
        weights = Weights.random(SHAPES[0], seed=5)
        refusal = ""
        try:
            self.backend.prepare(weights, machine=self.machine, threads=1, options={"no-such-option": "1"})
        except BigfastError as error:
            refusal = str(error)

        assert "no-such-option" in refusal
