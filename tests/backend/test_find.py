from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from bigfast.backend import (
    Backend,
    backend_names,
    choose_variant,
    find_backend,
    parse_backend,
    usable_backend,
    variant_name,
)
from bigfast.backend import find as finding
from bigfast.backend.protocol import Availability
from bigfast.cpu import detect
from bigfast.errors import BackendError, BackendMissing, InputError, UnknownName
from bigfast_backends.pytorch import TorchFp32

OURS = ("onnxruntime-fp32", "onnxruntime-int8", "torch-fp32", "torch-int8")


class Unusable(TorchFp32):
    name = "unusable"

    def available(self) -> Availability:
        return Availability(usable=False, version=None, reason="pip install it")


class Raises:
    def __init__(self) -> None:
        raise ZeroDivisionError("oh no")


class NotABackend:
    pass


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers the classes above as entry points of another package."""
    points = {
        name: EntryPoint(name, f"{__name__}:{kind}", finding.GROUP)
        for name, kind in {
            "unusable": "Unusable", "raises": "Raises", "not": "NotABackend", "gone": "Gone",
        }.items()
    }  # fmt: skip
    monkeypatch.setattr(finding, "_points", lambda: points)


def test_our_backends_are_found_by_their_entry_points() -> None:
    assert set(OURS) <= set(backend_names())


@pytest.mark.parametrize("name", OURS)
def test_a_backend_follows_the_protocol_under_its_own_name(name: str) -> None:
    backend = find_backend(name)

    assert isinstance(backend, Backend)
    assert backend.name == name
    assert backend.variants(detect())


def test_an_unknown_backend_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Unknown backend 'torch-in8': did you mean 'torch-int8'"):
        find_backend("torch-in8")


@pytest.mark.usefixtures("offer")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "'raises' .*cannot be loaded: oh no"),
        ("gone", "'gone' .*cannot be loaded"),
        ("not", "offered as backend 'not' but does not follow the protocol"),
    ],
)
def test_a_backend_that_is_broken_is_a_backend_error_that_names_it(name: str, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        find_backend(name)


@pytest.mark.usefixtures("offer")
def test_a_missing_runtime_is_told_with_the_way_to_get_it() -> None:
    with pytest.raises(BackendMissing, match="'unusable' cannot be used here: pip install it"):
        usable_backend("unusable")


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("torch-int8", "torch-int8", {}),
        ("torch-int8:engine=onednn", "torch-int8", {"engine": "onednn"}),
        (" torch-int8 : engine = onednn , a=b,", "torch-int8", {"engine": "onednn", "a": "b"}),
        ("a:b=c=d", "a", {"b": "c=d"}),
    ],
)
def test_a_name_and_its_options_are_split(text: str, name: str, options: dict[str, str]) -> None:
    assert parse_backend(text) == (name, options)


def test_options_without_a_value_are_refused() -> None:
    with pytest.raises(InputError, match="written like torch-int8:engine=onednn, not 'torch-int8:onednn'"):
        parse_backend("torch-int8:onednn")


def test_a_variant_is_named_by_its_sorted_options() -> None:
    assert variant_name({"b": "2", "a": "1"}) == "a=1,b=2"
    assert variant_name({}) == "default"


def test_a_variant_is_chosen_by_its_options_and_the_first_without() -> None:
    backend, machine = find_backend("torch-int8"), detect()

    variants = backend.variants(machine)

    assert choose_variant(backend, {}, machine) == variants[0]
    assert all(choose_variant(backend, variant, machine) == variant for variant in variants)


def test_a_variant_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(InputError, match="has no variant 'engine=warp' here: choose from engine="):
        choose_variant(find_backend("torch-int8"), {"engine": "warp"}, detect())
