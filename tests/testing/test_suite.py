"""The suite lets pass what keeps its promises, and names each that is broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigfast.backend import Backend
from bigfast.errors import BackendError
from bigfast.testing import BackendSuite

# Found by the processes of the suite too, which look where this one looks.
sys.path.append(str(Path(__file__).with_name("fake")))
import misbehaving


class TestWell(BackendSuite):
    backend = misbehaving.Well()


def suite_of(tested: Backend) -> BackendSuite:
    class Suite(BackendSuite):
        backend = tested

    return Suite()


@pytest.fixture
def suite(request: pytest.FixtureRequest) -> Iterator[BackendSuite]:
    made = suite_of(request.param())
    made.setup_class()
    yield made
    made.teardown_class()


@pytest.mark.parametrize(
    ("suite", "promise", "words"),
    [
        (misbehaving.Wrong, "every_variant_agrees_with_float32", "further from float32 than the bound"),
        (misbehaving.Wrong, "padding_never_changes_an_answer_beyond_the_bound", "tokens of padding change answers"),
        (misbehaving.Doubles, "every_variant_agrees_with_float32", "logits are float64, not float32"),
        (misbehaving.Forgetful, "token_types_count", "types change nothing"),
        (misbehaving.Random, "the_same_question_has_the_same_answer", "answer the same question differently"),
        (misbehaving.Random, "two_sessions_do_not_disturb_each_other", "changes this one's answer"),
        (misbehaving.Spoils, "weights_stay_as_they_were", "changed .*classifier.bias"),
        (misbehaving.Unclosed, "a_closed_session_refuses_to_answer", "must raise a BigfastError"),
        (misbehaving.Leaks, "two_hundred_sessions_leave_no_memory_behind", r"160 sessions left \d+ MiB behind"),
        (misbehaving.Pickles, "what_it_saves_exists_and_is_no_pickle", "wrote pickles: .*model"),
        (misbehaving.Imagines, "what_it_saves_exists_and_is_no_pickle", r"names \['model.bin'\], but wrote \[\]"),
        (misbehaving.Silent, "it_gives_evidence_of_what_ran", "no evidence of what ran"),
        (misbehaving.Lenient, "an_unknown_option_is_refused_by_name", "accept does this"),
        (misbehaving.Lenient, "an_unknown_value_of_an_option_is_refused_by_name", r"any value of \['speed'\] is taken"),
        (misbehaving.Lenient, "no_threads_at_all_are_refused", "0 threads must be refused"),
        (misbehaving.Lenient, "more_threads_than_cores_are_refused", r"threads on \d+ cores are taken"),
        (misbehaving.Unchecked, "what_cannot_be_answered_is_refused_and_the_next_question_answered", "too long"),
    ],
    indirect=["suite"],
)
def test_a_broken_promise_is_named(suite: BackendSuite, promise: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        getattr(suite, f"test_{promise}")()


@pytest.mark.hardware  # where others keep the cores busy, a thread too many finds none
@pytest.mark.parametrize("suite", [misbehaving.Greedy], indirect=True)
def test_a_thread_too_many_is_named(suite: BackendSuite) -> None:
    with pytest.raises(AssertionError, match=r"more cores were busy than threads were allowed: \{1: 1\.[3-9]"):
        suite.test_it_keeps_no_more_cores_busy_than_it_has_threads()


class NotImportable(misbehaving.Well):
    def __init__(self, needed: int) -> None:
        self.needed = needed


def test_a_backend_that_cannot_be_made_as_its_entry_point_would_is_told_so() -> None:
    suite = suite_of(NotImportable(1))
    suite.setup_class()

    with pytest.raises(BackendError, match=r"cannot make the backend .*NotImportable\(\), as its entry point would"):
        suite.test_it_keeps_no_more_cores_busy_than_it_has_threads()
    suite.teardown_class()
