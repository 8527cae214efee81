from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bigfast.errors import BackendError
from bigfast.workers import Child

MODULE = """
import json, os, signal, subprocess, sys, time
from bigfast.workers import answer_requests

def answer(request):
    match request["do"]:
        case "echo":
            return {"back": request["value"], "variable": os.environ.get("BIGFAST_TEST"), "pid": os.getpid()}
        case "fail":
            raise ValueError("seven is not even")
        case "fail silently":
            raise KeyError
        case "print":
            print('{"back": "wrong"}')
            os.write(1, b'{"back": "wrong"}\\n')
            subprocess.run([sys.executable, "-c", "print('{}')"], check=True)
            return {"back": "right"}
        case "nan":
            return {"back": float("nan")}
        case "exit":
            print("the disk is on fire", file=sys.stderr)
            os._exit(3)
        case "system exit":
            sys.exit(4)
        case "signal":
            os.kill(os.getpid(), getattr(signal, request["name"]))
            time.sleep(60)
        case "hang":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            print(child.pid, file=sys.stderr)
            time.sleep(60)
        case "orphan":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            print(child.pid, file=sys.stderr)
            os._exit(5)
        case "list":
            return [1]

answer_requests(answer)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a child that runs a module's text."""
    children = []

    def started(text: str = MODULE) -> Child:
        (tmp_path / "helper_of_test_child.py").write_text(textwrap.dedent(text))
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        environment = {"PYTHONPATH": path, "BIGFAST_TEST": "set before the start"}
        children.append(Child("helper_of_test_child", environment=environment, name="The helper"))
        return children[-1]

    yield started
    for child in children:
        child.close()


def ended(pid: int) -> bool:
    """Whether a process is gone, or will be within two seconds."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for _ in range(100):
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            time.sleep(0.02)
        return False
    return True


def test_a_child_answers_each_question_in_the_environment_it_was_given(start: Callable[..., Child]) -> None:
    child = start()

    answers = [child.ask({"do": "echo", "value": value}, deadline_s=30) for value in (1, "ä\n", [None, 0.1])]

    assert [a["back"] for a in answers] == [1, "ä\n", [None, 0.1]]
    assert {a["variable"] for a in answers} == {"set before the start"}
    assert len({a["pid"] for a in answers}) == 1


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"do": "fail"}, "^seven is not even$"),
        ({"do": "fail silently"}, "^KeyError$"),
        ({"do": "nan"}, "not JSON compliant"),
    ],
)
def test_an_exception_in_the_child_is_told_and_the_child_lives_on(
    start: Callable[..., Child], request_: dict[str, str], words: str
) -> None:
    child = start()

    with pytest.raises(BackendError, match=words):
        child.ask(request_, deadline_s=30)

    assert child.alive
    assert child.ask({"do": "echo", "value": 1}, deadline_s=30)["back"] == 1


def test_what_the_child_prints_is_not_taken_for_an_answer(start: Callable[..., Child]) -> None:
    child = start()

    assert child.ask({"do": "print"}, deadline_s=30) == {"back": "right"}
    assert child.ask({"do": "echo", "value": 2}, deadline_s=30)["back"] == 2


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"do": "exit"}, "The helper has ended: exit code 3; its last words: the disk is on fire"),
        ({"do": "system exit"}, "exit code 4"),
        ({"do": "signal", "name": "SIGKILL"}, r"signal SIGKILL \(perhaps out of memory\)"),
        ({"do": "signal", "name": "SIGSEGV"}, "signal SIGSEGV"),
    ],
)
def test_the_death_of_a_child_is_told_with_its_cause(
    start: Callable[..., Child], request_: dict[str, str], words: str
) -> None:
    child = start()

    with pytest.raises(BackendError, match=words):
        child.ask(request_, deadline_s=30)

    assert not child.alive
    with pytest.raises(BackendError, match="has ended"):
        child.ask({"do": "echo", "value": 1}, deadline_s=30)


def test_a_child_that_hangs_is_ended_with_its_descendants(start: Callable[..., Child]) -> None:
    child = start()
    mine = child.ask({"do": "echo", "value": 1}, deadline_s=30)["pid"]

    with pytest.raises(BackendError, match="did not answer within 2 s and was ended"):
        child.ask({"do": "hang"}, deadline_s=2)

    child._stderr.seek(0)
    assert ended(mine)
    assert ended(int(child._stderr.read().split()[-1]))


def test_the_descendants_of_a_child_that_died_are_ended(start: Callable[..., Child]) -> None:
    child = start()

    with pytest.raises(BackendError, match=r"exit code 5; its last words: \d+") as caught:
        child.ask({"do": "orphan"}, deadline_s=30)

    assert ended(int(str(caught.value).split()[-1]))


def test_closing_ends_the_child(start: Callable[..., Child]) -> None:
    with start() as child:
        pid = child.ask({"do": "echo", "value": 1}, deadline_s=30)["pid"]

    assert ended(pid)


def test_a_child_that_prints_while_it_is_imported_fails_with_its_words(start: Callable[..., Child]) -> None:
    child = start("print('welcome to this library', flush=True)\n" + MODULE)

    with pytest.raises(BackendError, match="something else than JSON: b'welcome to this library'"):
        child.ask({"do": "echo", "value": 1}, deadline_s=30)


def test_an_answer_that_is_no_object_is_refused(start: Callable[..., Child]) -> None:
    with pytest.raises(BackendError, match="something else than an object"):
        start().ask({"do": "list"}, deadline_s=30)


def test_a_module_that_does_not_exist_is_told_with_pythons_words(start: Callable[..., Child]) -> None:
    child = start("import a_module_that_does_not_exist")

    with pytest.raises(BackendError, match="No module named 'a_module_that_does_not_exist'"):
        child.ask({"do": "echo", "value": 1}, deadline_s=30)
