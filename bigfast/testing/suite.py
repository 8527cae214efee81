"""What every backend promises, as tests."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bigfast.backend import (
    Backend,
    FloatArray,
    IntArray,
    MultipliesMatrices,
    Options,
    Session,
    Weights,
    disagreement,
    reference_logits,
    variant_name,
)
from bigfast.cpu import Machine, detect
from bigfast.errors import BigfastError
from bigfast.measure.peaks_worker import check
from bigfast.testing.texts import SHAPES, asked, texts
from bigfast.workers import Child

PRECISIONS = ("fp32", "bf16", "int8")
PICKLED = (".pickle", ".pkl", ".pt", ".pth")  # as their authors name them

BUSY_S = 1.0
# Time on a core beyond that of its threads: the interpreter's own, and clocks that are read one after the other. A
# busy machine only takes time away.
SPARE_CORES = 0.25
SESSIONS, SETTLED = 200, 40
MOST_GROWN_BYTES = 30 * 2**20
CHILD_DEADLINE_S = 120.0


class BackendSuite:
    """What every backend promises; a subclass names its ``backend``.

    Attributes:
        backend: What is tested. Threads and memory are counted in processes of their own, which make
            ``type(backend)()`` as an entry point does.
        machine: This machine.
        too_slow: Names of variants that are left out, since each new model or size of input takes them seconds. A
            second class, marked slow, may test them.
    """

    backend: ClassVar[Backend]
    machine: ClassVar[Machine] = detect()
    too_slow: ClassVar[tuple[str, ...]] = ()

    _children: ClassVar[dict[int, Child]]
    _opened: ClassVar[set[int]]  # those that have answered once

    @classmethod
    def setup_class(cls) -> None:
        """Before the first test; pytest calls it."""
        cls._children, cls._opened = {}, set()

    @classmethod
    def teardown_class(cls) -> None:
        """Ends the processes that the tests started; pytest calls it."""
        for child in cls._children.values():
            child.kill()  # it has nothing to put away, and a runtime takes its time
            child.close()

    def variants(self) -> tuple[Options, ...]:
        """Those that are tested, the default first."""
        return tuple(v for v in self.backend.variants(self.machine) if variant_name(v) not in self.too_slow)

    def prepared(self, weights: Weights, *, options: Options | None = None, threads: int = 1) -> Session:
        """A session of one of the backend's variants; of the default one unless another is named."""
        chosen = self.variants()[0] if options is None else options
        return self.backend.prepare(weights, machine=self.machine, threads=threads, options=chosen)

    @property
    def threads(self) -> tuple[int, ...]:
        """The thread counts that are tested: 1, and 2 where there are two cores."""
        return (1,) if self.machine.usable_cores == 1 else (1, 2)

    def ask_child(self, request: Mapping[str, Any], *, threads: int) -> dict[str, Any]:
        """An answer of the process that was started with the environment for so many threads."""
        for count in self.threads:  # all at once, for importing a runtime is what takes longest
            if count not in self._children:
                self._children[count] = self._child(count)
        child = self._children[threads]
        if threads not in self._opened:
            self._opened.add(threads)
            child.receive(deadline_s=CHILD_DEADLINE_S)
        return child.ask(request, deadline_s=CHILD_DEADLINE_S)

    def _child(self, threads: int) -> Child:
        """A process that is opening the default variant."""
        environment = {
            **self.backend.environment(threads),
            "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        }
        child = Child("bigfast.testing.worker", environment=environment, name="The testing process")
        kind = type(self.backend)
        opening = {
            "do": "open",
            "backend": f"{kind.__module__}:{kind.__qualname__}",
            "options": dict(self.variants()[0]),
            "threads": threads,
        }
        child.send(opening)
        return child

    # What it says about itself

    def test_it_follows_the_protocol(self) -> None:
        """It has everything that a backend has."""
        assert isinstance(self.backend, Backend), "a member of bigfast.backend.Backend is missing"
        assert self.backend.precision in PRECISIONS, f"precision {self.backend.precision!r} is none of {PRECISIONS}"
        assert self.backend.bound > 0, "a bound of 0 leaves no room for rounding"

    def test_it_can_be_used_here(self) -> None:
        """Its runtime is installed; otherwise the reason says how to get it."""
        state = self.backend.available()

        assert state.usable, state.reason

    def test_it_says_which_kernels_it_expects(self) -> None:
        """In a few words, for this machine."""
        assert self.backend.kernels(self.machine), "kernels() says nothing"

    def test_its_variants_can_be_told_apart(self) -> None:
        """There is at least one, and no two have the same name."""
        names = [variant_name(options) for options in self.backend.variants(self.machine)]

        assert names and len(names) == len(set(names)), names

    # What it answers

    def test_every_variant_agrees_with_float32(self) -> None:
        """Within its own bound, over head sizes, widths, batch sizes, lengths and padding."""
        off = {}
        for number, shape in enumerate(SHAPES):
            weights = Weights.random(shape, seed=number)
            questions = list(asked(shape, seed=number))
            expected = np.concatenate([reference_logits(weights, *question) for question in questions])
            for options in self.variants():
                session = self.prepared(weights, options=options)
                # Together, since a share of the logits of one text alone means nothing where they are all near zero.
                found = np.concatenate([self.answered(session, *question) for question in questions])
                session.close()
                off[variant_name(options), str(shape)] = disagreement(found, expected)
        worst = {key: value for key, value in off.items() if not value <= self.backend.bound}  # NaN fails too

        assert worst == {}, f"further from float32 than the bound of {self.backend.bound}: {worst}"

    def answered(self, session: Session, ids: IntArray, mask: IntArray) -> FloatArray:
        """The logits, once their shape and type are known to be right."""
        logits = session.run(ids, mask)
        assert logits.ndim == 2 and len(logits) == len(ids), f"logits of {len(ids)} texts have shape {logits.shape}"
        assert logits.dtype == np.float32, f"logits are {logits.dtype}, not float32"
        return logits

    def test_padding_never_changes_an_answer_beyond_the_bound(self) -> None:
        """The same texts, alone and with padding behind them, whatever the ids of the padding are."""
        weights = Weights.random(SHAPES[1], seed=1)
        ids, mask = texts(4, 12, seed=1)
        off = {}
        for options in self.variants():
            session = self.prepared(weights, options=options)
            alone = session.run(ids, mask)
            for more, word in ((1, 0), (20, 7), (SHAPES[1].positions - 12, 299)):
                padded_ids = np.pad(ids, ((0, 0), (0, more)), constant_values=word)
                padded = session.run(padded_ids, np.pad(mask, ((0, 0), (0, more))))
                off[variant_name(options), more] = disagreement(padded, alone)
            session.close()
        worst = {key: value for key, value in off.items() if not value <= self.backend.bound}

        assert worst == {}, f"so many tokens of padding change answers beyond {self.backend.bound}: {worst}"

    def test_token_types_count(self) -> None:
        """Another segment gives another answer, and none means the first."""
        session = self.prepared(Weights.random(SHAPES[0], seed=2))
        ids, mask = texts(2, 10, seed=2)

        plain = session.run(ids, mask)

        assert np.array_equal(plain, session.run(ids, mask, np.zeros_like(ids))), "types None must mean 0"
        assert not np.array_equal(plain, session.run(ids, mask, np.ones_like(ids))), "types change nothing"

    def test_the_same_question_has_the_same_answer(self) -> None:
        """Bit for bit, in one session, whatever it was asked in between."""
        ids, mask = texts(3, 20, seed=3)
        differing = []
        for options in self.variants():
            session = self.prepared(Weights.random(SHAPES[2], seed=3), options=options)
            first = session.run(ids, mask).copy()
            session.run(*texts(1, 33, seed=4))
            if not np.array_equal(session.run(ids, mask), first):
                differing.append(variant_name(options))
            session.close()

        assert differing == [], f"these variants answer the same question differently: {differing}"

    def test_two_sessions_do_not_disturb_each_other(self) -> None:
        """Side by side, of different models and thread counts, and after one of them is closed."""
        ids, mask = texts(2, 14, seed=5)
        one = self.prepared(Weights.random(SHAPES[0], seed=5))
        alone = one.run(ids, mask).copy()
        weights = Weights.random(SHAPES[1], seed=6)
        other = self.prepared(weights, threads=self.threads[-1], options=self.variants()[-1])

        others = other.run(ids, mask)
        between = one.run(ids, mask).copy()
        other.close()
        after = one.run(ids, mask)

        assert np.array_equal(between, alone), "another session that answers changes this one's answer"
        assert np.array_equal(after, alone), "another session that is closed changes this one's answer"
        assert disagreement(others, reference_logits(weights, ids, mask)) <= self.backend.bound, "the second is wrong"

    def test_weights_stay_as_they_were(self) -> None:
        """Sessions of one process share them."""
        weights = Weights.random(SHAPES[0], seed=7)
        before = {name: array.copy() for name, array in weights.arrays.items()}
        session = self.prepared(weights)
        session.run(*texts(1, 9, seed=7))
        session.close()

        changed = [name for name, array in weights.arrays.items() if not np.array_equal(array, before[name])]

        assert changed == [], f"preparing or running a session changed {changed}"

    # What it shows and leaves behind

    def test_it_gives_evidence_of_what_ran(self) -> None:
        """As the runtime tells it, and the session answers as before."""
        ids, mask = texts(2, 9, seed=8)
        for options in self.variants():
            session = self.prepared(Weights.random(SHAPES[0], seed=8), options=options)
            before = session.run(ids, mask).copy()
            evidence = session.evidence()
            assert evidence, f"{variant_name(options)} gives no evidence of what ran"
            assert all(isinstance(text, str) for pair in evidence.items() for text in pair), f"not words: {evidence}"
            assert np.array_equal(session.run(ids, mask), before), "asking for evidence changes the answers"
            session.close()

    def test_what_it_saves_exists_and_is_no_pickle(self) -> None:
        """Nothing else is written, and nothing that would execute when it is loaded."""
        for options in self.variants():
            session = self.prepared(Weights.random(SHAPES[0], seed=9), options=options)
            with tempfile.TemporaryDirectory() as place:
                directory = Path(place)
                named = set(session.save(directory))
                files = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
                pickled = [name for name, path in files.items() if _is_pickle(path)]
            session.close()
            assert named == set(files), f"save() names {sorted(named)}, but wrote {sorted(files)}"
            assert pickled == [], f"save() wrote pickles: {pickled}"

    def test_a_closed_session_refuses_to_answer(self) -> None:
        """With an error of ours, and closing it again does no harm."""
        session = self.prepared(Weights.random(SHAPES[0], seed=10))
        ids, mask = texts(1, 5, seed=10)
        session.run(ids, mask)
        session.close()
        session.close()

        assert refusal(lambda: session.run(ids, mask)), "a closed session must raise a BigfastError"

    def test_two_hundred_sessions_leave_no_memory_behind(self) -> None:
        """Opened, asked and closed, one after the other, in a process of their own."""
        request = {"do": "leak", "sessions": SESSIONS, "settled": SETTLED}
        grown = self.ask_child(request, threads=1)["grown_bytes"]

        assert grown <= MOST_GROWN_BYTES, f"{SESSIONS - SETTLED} sessions left {grown / 2**20:.0f} MiB behind"

    # What it may use

    def test_it_keeps_no_more_cores_busy_than_it_has_threads(self) -> None:
        """By the time that the process of a session, started for so many threads, spends on cores."""
        busy = {}
        for threads in self.threads:
            spent = self.ask_child({"do": "busy", "seconds": BUSY_S}, threads=threads)
            busy[threads] = spent["cpu_s"] / spent["wall_s"]
        too_busy = {threads: cores for threads, cores in busy.items() if cores > threads + SPARE_CORES}

        assert too_busy == {}, f"more cores were busy than threads were allowed: {too_busy}"

    def test_its_plain_products_are_right_if_it_offers_any(self) -> None:
        """As the probe checks them, before it counts them."""
        wrong = {}
        offered = self.backend.products(self.machine, threads=1) if isinstance(self.backend, MultipliesMatrices) else ()
        for kernel in offered:
            try:
                check(kernel)
            except Exception as error:  # whatever the runtime raises
                wrong[kernel.name] = str(error)

        assert wrong == {}, f"these products are wrong: {wrong}"

    # What it refuses

    def refused(self, *, options: Options | None = None, threads: int = 1) -> str:
        """The words in which preparing a session was refused; empty where it was not, or not by us."""
        chosen = self.variants()[0] if options is None else options
        weights = Weights.random(SHAPES[0], seed=11)
        return refusal(lambda: self.backend.prepare(weights, machine=self.machine, threads=threads, options=chosen))

    def test_an_unknown_option_is_refused_by_name(self) -> None:
        """In one sentence of ours."""
        assert "no-such-option" in self.refused(options={"no-such-option": "1"}), "bigfast.backend.accept does this"

    def test_an_unknown_value_of_an_option_is_refused_by_name(self) -> None:
        """For each option that there is."""
        names = {name for options in self.backend.variants(self.machine) for name in options}
        let_in = [
            name for name in sorted(names) if "no-such-value" not in self.refused(options={name: "no-such-value"})
        ]

        assert let_in == [], f"any value of {let_in} is taken"

    def test_no_threads_at_all_are_refused(self) -> None:
        """In one sentence that has the number."""
        assert "0" in self.refused(threads=0), "0 threads must be refused; bigfast.backend.accept does this"

    def test_more_threads_than_cores_are_refused(self) -> None:
        """In one sentence that has the number."""
        if self.machine.usable_cores is not None:
            threads = self.machine.usable_cores + 1

            assert str(threads) in self.refused(threads=threads), f"{threads} threads on {threads - 1} cores are taken"

    def test_what_cannot_be_answered_is_refused_and_the_next_question_answered(self) -> None:
        """Texts longer than its positions, arrays of different shapes, and none at all."""
        shape = SHAPES[0]
        session = self.prepared(Weights.random(shape, seed=12))
        ids, mask = texts(2, 6, seed=12)
        before = session.run(ids, mask).copy()
        wrong: dict[str, Callable[[], object]] = {
            "too long": lambda: session.run(*texts(1, shape.positions + 1, seed=12)),
            "a shorter mask": lambda: session.run(ids, mask[:, :-1]),
            "fewer masks": lambda: session.run(ids, mask[:1]),
            "types of one text": lambda: session.run(ids, mask, np.zeros_like(ids[:1])),
            "one text without a batch": lambda: session.run(ids[0], mask[0]),
            "no text": lambda: session.run(ids[:0], mask[:0]),
        }

        let_in = [name for name, ask in wrong.items() if not refusal(ask)]

        assert let_in == [], f"no BigfastError for {let_in}; bigfast.backend.check_inputs raises them"
        assert np.array_equal(session.run(ids, mask), before), "it answers differently after a refusal"


def refusal(act: Callable[[], object]) -> str:
    """The words of the BigfastError that it raises; empty where it raises another error or none."""
    try:
        act()
    except BigfastError as error:
        return str(error)
    except Exception:  # whatever it was, it is no refusal of ours
        return ""
    return ""


def _is_pickle(path: Path) -> bool:
    """By its name, by a pickle's first byte and its end, or by what a zip of torch's has inside."""
    content = path.read_bytes()
    plain = content[:1] == b"\x80" and content[-1:] == b"."
    return path.suffix in PICKLED or plain or (content[:2] == b"PK" and b"data.pkl" in content)
