from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bigfast.cpu import ISA, Machine, detect
from bigfast.errors import InputError
from bigfast.measure import Peak, Peaks, ThreadPeaks, contradictions
from bigfast.measure.peaks import one_line

MACHINE = detect()


def with_flags(*flags: str) -> Machine:
    return replace(MACHINE, architecture="x86_64", isa={name: name in flags for name in ISA})


def at(threads: int = 1, *, shapes: int = 5, **giga: float) -> ThreadPeaks:
    """Peaks of some precisions in billions of operations per second; the others are missing."""
    return ThreadPeaks(
        threads=threads,
        peaks={
            name: Peak(operations_per_s=rate * 1e9, kernel="a kernel", shape=(8, 9, 10)) for name, rate in giga.items()
        },
        memory_bytes_per_s=3e10,
        missing={name: "nobody has it" for name in ("fp32", "bf16", "int8") if name not in giga},
        shapes=shapes,
    )


PEAKS = Peaks(
    at=(at(1, fp32=100, int8=400), at(2, fp32=200, bf16=400, int8=700, shapes=0)),
    skipped={"torch-int8: _int_mm": "it multiplies wrongly"},
    steal_share=0.01,
)


def test_peaks_are_read_as_they_were_written() -> None:
    document = json.loads(json.dumps({**PEAKS.to_json(), "a field of later": 1}))

    assert Peaks.from_json(document) == PEAKS


@pytest.mark.parametrize("share", [None, 0.0])
def test_a_host_that_takes_nothing_or_does_not_tell_is_read_back(share: float | None) -> None:
    assert Peaks.from_json(replace(PEAKS, steal_share=share).to_json()).steal_share == share


def changed(path: tuple[str | int, ...], value: object) -> Mapping[str, Any]:
    document: Any = json.loads(json.dumps(PEAKS.to_json()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document  # type: ignore[no-any-return]  # whatever JSON holds


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("at",), "1 thread"),
        (("at",), []),
        (("at",), [1]),
        (("at", 0, "threads"), 0),
        (("at", 0, "threads"), 2),
        (("at", 0, "shapes"), -1),
        (("at", 0, "shapes"), False),
        (("at", 0, "peaks"), {}),
        (("at", 0, "peaks", "fp64"), {"operations_per_s": 1.0, "kernel": "k", "shape": [1, 2, 3]}),
        (("at", 0, "peaks", "int8", "operations_per_s"), float("nan")),
        (("at", 0, "peaks", "int8", "operations_per_s"), float("inf")),
        (("at", 0, "peaks", "int8", "operations_per_s"), "fast"),
        (("at", 0, "peaks", "int8", "kernel"), "\x1b[2J"),
        (("at", 0, "peaks", "int8", "shape"), [1, 2]),
        (("at", 0, "peaks", "int8", "shape"), [1, 2, -3]),
        (("at", 0, "memory_bytes_per_s"), None),
        (("at", 0, "memory_bytes_per_s"), -1),
        (("at", 0, "missing"), {"bf16": ["no"]}),
        (("at", 0, "missing"), {"int8": "none", "bf16": "none"}),
        (("skipped",), None),
        (("skipped",), {"a\nb": "c"}),
        (("steal_share",), "much"),
        (("steal_share",), 1.5),
    ],
)
def test_json_that_describes_no_peaks_is_refused(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(InputError):
        Peaks.from_json(changed(path, value))


@pytest.mark.parametrize("key", ["at", "skipped"])
def test_a_missing_field_is_named(key: str) -> None:
    document = {name: value for name, value in PEAKS.to_json().items() if name != key}

    with pytest.raises(InputError, match=f"'{key}', which is missing"):
        Peaks.from_json(document)


@pytest.mark.parametrize("text", ["", "a\x1b[2Jb\n\tc", "long " * 100])
def test_any_text_becomes_one_that_can_be_saved(text: str) -> None:
    peaks = replace(PEAKS, skipped={"a kernel": one_line(text)})

    assert Peaks.from_json(peaks.to_json()) == peaks


def test_the_peak_of_a_precision_is_found_by_the_thread_count() -> None:
    found = PEAKS.peak("int8", threads=2)

    assert found is not None
    assert found.operations_per_s == 700e9
    assert (PEAKS.peak("bf16", threads=1), PEAKS.peak("int8", threads=3)) == (None, None)


@pytest.mark.parametrize(
    ("flags", "peaks", "expected"),
    [
        (("avx512_vnni",), at(fp32=100, int8=390), None),
        (("avx512_vnni",), at(fp32=100, int8=140), r"promise int8 instructions \(AVX512-VNNI\), but .* 1.4 times"),
        (("avx2",), at(fp32=100, int8=140), None),
        (("avx2",), at(fp32=100, int8=390), "tell of no int8 instructions, but int8 reached 3.9 times"),
        (("avx512_bf16",), at(fp32=100, bf16=200), None),
        (("avx512_bf16",), at(fp32=100, bf16=90), r"promise bf16 instructions \(AVX512-BF16\)"),
        (("avx2",), at(fp32=100, bf16=90), None),
        (("avx2",), at(fp32=100, bf16=200), "tell of no bf16 instructions"),
        (("avx512_vnni",), at(int8=100), None),
        (("avx512_vnni",), at(fp32=100, int8=400, shapes=4), "4 of at least 5 shapes at 1 thread"),
    ],
)
def test_flags_and_peaks_that_contradict_each_other_are_told(
    flags: tuple[str, ...], peaks: ThreadPeaks, expected: str | None
) -> None:
    found = contradictions(with_flags(*flags), Peaks(at=(peaks,)))

    assert len(found) == (0 if expected is None else 1)
    assert expected is None or re.search(expected, found[0])


def test_more_threads_that_are_no_faster_are_told() -> None:
    peaks = Peaks(at=(at(1, fp32=100, int8=400), at(2, fp32=190, int8=390)))

    assert contradictions(with_flags("avx512_vnni"), peaks) == (
        "int8 was not faster at 2 threads than at 1 thread: these cores may be shared with others, or limited by a "
        "quota",
    )


def test_a_host_that_took_much_time_is_told() -> None:
    found = contradictions(with_flags("avx512_vnni"), Peaks(at=(at(fp32=100, int8=400),), steal_share=0.3))

    assert ["took 30%" in sentence for sentence in found] == [True]
