from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigfast.backend import array_shapes
from bigfast.errors import InputError, UnknownName
from bigfast.space import (
    SPACE_NAMES,
    Arch,
    BertShape,
    BertSpace,
    Choice,
    Space,
    aligned_space,
    linear_operations,
    linear_weights,
    paper_space,
    parameters,
    space_named,
    teacher_space,
)

MINILM = BertShape(layers=6, hidden=384, ffn=1536, heads=12, vocab=30522, positions=512)
SPACES = [paper_space(), aligned_space(), teacher_space(MINILM)]


@pytest.mark.parametrize(("space", "sizes"), list(zip(SPACES, [(5, 38, 75), (5, 15, 15), (6, 23, 23)], strict=True)))
def test_a_space_has_the_size_that_is_documented(space: BertSpace, sizes: tuple[int, ...]) -> None:
    assert tuple(len(choice.values) for choice in space.space.choices) == sizes
    assert space.space.size == np.prod(sizes)
    assert len(np.unique(space.space.enumerate(), axis=0)) == np.prod(sizes)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.space.name)
def test_rows_and_architectures_are_the_same_thing(space: BertSpace) -> None:
    rows = space.space.enumerate()[::97]

    archs = [space.space.arch(row) for row in rows]

    assert np.array_equal([space.space.row(arch) for arch in archs], rows)
    assert all(arch in space.space for arch in archs)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.space.name)
def test_the_first_row_is_the_smallest_and_the_last_the_largest(space: BertSpace) -> None:
    rows = space.space.enumerate()

    assert space.space.arch(rows[0]) == space.space.smallest
    assert space.space.arch(rows[-1]) == space.space.largest


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.space.name)
def test_every_architecture_is_a_bert_that_can_be_built(space: BertSpace) -> None:
    for row in space.space.enumerate()[::53]:
        shape = space.shape(space.space.arch(row), vocab=100, positions=32, labels=3)

        assert shape.head_size * shape.heads == shape.hidden


@given(st.dictionaries(st.from_regex(r"[A-Za-z_]\w{0,5}", fullmatch=True), st.integers(), min_size=1, max_size=5))
def test_an_architecture_is_read_as_it_is_written(values: dict[str, int]) -> None:
    arch = Arch(tuple(values.items()))

    assert Arch.parse(str(arch)) == arch
    assert Arch.parse(str(arch).replace(" ", ", ")) == arch


@pytest.mark.parametrize("text", ["", "e", "e=", "e=4.0", "e=4 h", "4=e", "e=4;h=3", "e = 4"])
def test_a_text_that_is_no_architecture_is_shown_how_one_is_written(text: str) -> None:
    with pytest.raises(InputError, match="written like 'e=4 h=312 f=512'"):
        Arch.parse(text)


@pytest.mark.parametrize(
    "arch",
    [Arch.of(e=6, h=120, f=128), Arch.of(e=1, h=121, f=128), Arch.of(e=1, h=120), Arch.of(h=120, e=1, f=128)],
)
def test_an_architecture_outside_the_space_is_refused_with_the_ranges(arch: Arch) -> None:
    space = paper_space()

    with pytest.raises(InputError, match=r"'paper', which has e of 1\.\.5, h of 120\.\.564, f of 128\.\.1016"):
        space.shape(arch, vocab=10, positions=10, labels=2)

    assert arch not in space.space


def test_nothing_but_an_architecture_is_in_a_space() -> None:
    assert "e=1 h=120 f=128" not in paper_space().space


def test_a_sample_is_in_the_space_and_follows_from_the_seed() -> None:
    space = paper_space().space

    first, again = ([space.sample(rng) for _ in range(50)] for rng in map(np.random.default_rng, (1, 1)))

    assert first == again
    assert len(set(first)) > 40
    assert all(space.require(arch) is arch for arch in first)


@pytest.mark.parametrize(("end", "count"), [("smallest", 3), ("largest", 3)])
def test_an_end_of_the_space_has_one_neighbour_a_choice(end: str, count: int) -> None:
    space = paper_space().space

    assert len(list(space.neighbours(getattr(space, end)))) == count


def test_neighbours_differ_by_one_step_in_one_choice() -> None:
    found = {str(arch) for arch in paper_space().space.neighbours(Arch.of(e=2, h=132, f=140))}

    assert found == {
        "e=1 h=132 f=140",
        "e=3 h=132 f=140",
        "e=2 h=120 f=140",
        "e=2 h=144 f=140",
        "e=2 h=132 f=128",
        "e=2 h=132 f=152",
    }


def test_a_space_of_more_than_a_million_is_not_listed() -> None:
    space = Space("wide", (Choice("a", tuple(range(1001))), Choice("b", tuple(range(1000)))))

    with pytest.raises(InputError, match="1,001,000 architectures, too many"):
        space.enumerate()


@pytest.mark.parametrize("values", [(), (2, 1), (1, 1)])
def test_a_choice_needs_ascending_values(values: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="ascending values without repeats"):
        Choice("e", values)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.space.name)
def test_a_space_is_read_as_it_was_written(space: BertSpace) -> None:
    assert BertSpace.from_json(space.to_json()) == space


CHOICES = {"e": [1, 2], "h": [12, 24], "f": [16]}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": "x", "choices": [], "heads": 2},
        {"name": "x", "choices": {}, "heads": 2},
        {"name": "x", "choices": {"e": [1], "f": [1], "h": [2]}, "heads": 2},
        {"name": "x", "choices": {**CHOICES, "e": [2, 1]}, "heads": 2},
        {"name": "x", "choices": {**CHOICES, "e": ["two"]}, "heads": 2},
        {"name": "x", "choices": {**CHOICES, "e": 3}, "heads": 2},
        {"name": "x", "choices": CHOICES},
        {"name": "x", "choices": CHOICES, "heads": 2, "head_size": 12},
        {"name": "x", "choices": CHOICES, "heads": "2"},
        {"name": "x", "choices": CHOICES, "heads": 0},
        {"name": "x", "choices": CHOICES, "head_size": -12},
        {"name": "x", "choices": CHOICES, "heads": 2.0},
        {"name": "x", "choices": CHOICES, "heads": True},
        {"choices": CHOICES, "heads": 2},
    ],
)
def test_json_that_describes_no_space_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        BertSpace.from_json(value)


def test_the_teacher_itself_is_the_largest_of_its_space() -> None:
    space = teacher_space(MINILM)

    shape = space.shape(space.space.largest, vocab=30522, positions=512, labels=3)

    assert shape == MINILM


def test_a_teacher_of_odd_feed_forward_size_is_in_its_space_too() -> None:
    teacher = BertShape(layers=1, hidden=24, ffn=200, heads=2, vocab=10, positions=8)

    assert teacher_space(teacher).space.choices[2].values == (128, 192, 200)


@pytest.mark.parametrize("sizes", [{"hidden": 18, "heads": 2, "ffn": 128}, {"hidden": 24, "heads": 2, "ffn": 127}])
def test_a_teacher_that_is_too_small_is_refused_with_a_way_out(sizes: dict[str, int]) -> None:
    with pytest.raises(InputError, match="use --space paper"):
        teacher_space(BertShape(layers=2, vocab=10, positions=8, **sizes))


def test_spaces_are_found_by_name() -> None:
    assert [space_named(name, teacher=MINILM).space.name for name in SPACE_NAMES] == list(SPACE_NAMES)


def test_an_unknown_space_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'paper'"):
        space_named("papers")


def test_a_teacher_space_needs_a_teacher() -> None:
    with pytest.raises(InputError, match="--teacher"):
        space_named("teacher")


@pytest.mark.parametrize("sizes", [{"hidden": 25}, {"layers": 0}, {"labels": 0}, {"vocab": -1}])
def test_a_shape_that_is_no_bert_is_refused(sizes: dict[str, int]) -> None:
    whole = {"layers": 1, "hidden": 24, "ffn": 16, "heads": 2, "vocab": 10, "positions": 8, **sizes}

    with pytest.raises(InputError, match="A BERT needs"):
        BertShape(**whole)


SHAPES = [
    MINILM,
    BertShape(layers=1, hidden=24, ffn=20, heads=3, vocab=11, positions=7, types=1, labels=2),
    paper_space().shape(paper_space().space.largest, vocab=1000, positions=128, labels=5),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_counted_as_the_arrays_have_them(shape: BertShape) -> None:
    assert parameters(shape) == sum(int(np.prod(size)) for size in array_shapes(shape).values())


@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_counted_as_the_stock_model_has_them(shape: BertShape) -> None:
    import torch
    from transformers import BertForSequenceClassification

    from bigfast.backend.stock import stock_config

    with torch.device("meta"):
        model = BertForSequenceClassification(stock_config(shape))

    assert parameters(shape) == sum(p.numel() for p in model.parameters())


def test_linear_weights_are_those_of_the_encoders_matrices() -> None:
    shape = SHAPES[1]

    encoder = [size for name, size in array_shapes(shape).items() if "encoder" in name and len(size) == 2]

    assert linear_weights(shape) == sum(out * into for out, into in encoder)


def test_the_largest_of_the_paper_has_as_many_operations_as_documented() -> None:
    assert linear_operations(SHAPES[2], length=128) == pytest.approx(3.1e9, rel=0.01)
