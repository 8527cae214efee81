from __future__ import annotations

import pytest

from bigfast.errors import InputError
from bigfast.measure import Deployment, Size


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("torch-fp32", "torch-fp32:default@1"),
        ("torch-fp32:default@1", "torch-fp32:default@1"),
        ("torch-int8:engine=x86", "torch-int8:engine=x86@1"),
        ("torch-int8:engine=x86@2", "torch-int8:engine=x86@2"),
        ("torch-int8:b=2,a=1@2x4", "torch-int8:a=1,b=2@2x4"),
        ("torch-int8@1x1", "torch-int8:default@1"),
    ],
)
def test_a_deployment_is_read_as_it_is_written(text: str, whole: str) -> None:
    found = Deployment.parse(text)

    assert str(found) == whole
    assert Deployment.parse(whole) == found


@pytest.mark.parametrize("text", ["torch@", "torch@x2", "torch@2x", "torch@0", "torch@1x0", "torch@-1", "torch@1.5"])
def test_a_text_that_names_no_threads_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Deployment.parse(text)


def test_cores_are_threads_times_workers() -> None:
    assert Deployment.parse("x@2x4").cores == 8


@pytest.mark.parametrize("values", [(0, 128), (1, 0), (-1, 1)])
def test_a_size_has_a_text_and_a_token_at_least(values: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="at least 1"):
        Size(*values)


def test_a_size_reads_as_words() -> None:
    assert [str(Size(1, 128)), str(Size(8, 32))] == ["128 tokens", "8 texts of 32 tokens"]
