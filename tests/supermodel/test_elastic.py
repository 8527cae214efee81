from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from bigfast.backend import Weights
from bigfast.backend.stock import stock_model
from bigfast.data import Batch, collate
from bigfast.errors import InputError
from bigfast.space import Arch, BertShape, BertSpace, aligned_space, paper_space, teacher_space
from bigfast.supermodel.elastic import Supermodel

VOCAB, POSITIONS = 60, 16
TEACHER = BertShape(layers=3, hidden=96, ffn=250, heads=4, vocab=VOCAB, positions=POSITIONS)
SPACES = {"paper": paper_space(), "aligned": aligned_space(), "teacher": teacher_space(TEACHER)}


def largest_shape(space: BertSpace) -> BertShape:
    return space.shape(space.space.largest, vocab=VOCAB, positions=POSITIONS, labels=3)


@pytest.fixture(scope="module", params=SPACES)
def model(request: pytest.FixtureRequest) -> Supermodel:
    space = SPACES[request.param]
    return Supermodel(space, Weights.random(largest_shape(space), seed=9))


@pytest.fixture
def batch() -> Batch:
    """Four texts, of which three are padded."""
    rng = np.random.default_rng(8)
    mask = (np.arange(11) < np.array([[11], [3], [7], [1]])).astype(np.int64)
    return Batch(
        ids=rng.integers(0, VOCAB, (4, 11)),
        mask=mask,
        types=rng.integers(0, 2, (4, 11)),
        labels=np.array([0, 1, 2, 0]),
        rows=np.arange(4),
    )


def answer(model: Supermodel, batch: Batch, arch: Arch) -> torch.Tensor:
    with torch.inference_mode():
        return model.forward(batch, arch)


def stock_answer(weights: Weights, batch: Batch) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = stock_model(weights)(
            input_ids=torch.from_numpy(batch.ids),
            attention_mask=torch.from_numpy(batch.mask),
            token_type_ids=torch.from_numpy(batch.types),
        ).logits
    return logits


def corners(space: BertSpace) -> list[Arch]:
    return [space.space.arch(ends) for ends in product(*((c.values[0], c.values[-1]) for c in space.space.choices))]


def test_a_corner_equals_the_stock_model_that_is_extracted(model: Supermodel, batch: Batch) -> None:
    """All eight corners, the all-minimum one among them."""
    for arch in corners(model.space):
        difference = (answer(model, batch, arch) - stock_answer(model.extract(arch), batch)).abs().max()

        assert difference < 1e-5, str(arch)


def test_a_random_architecture_equals_the_stock_model_that_is_extracted(model: Supermodel, batch: Batch) -> None:
    rng = np.random.default_rng(1)
    for _ in range(6):
        arch = model.space.space.sample(rng)

        difference = (answer(model, batch, arch) - stock_answer(model.extract(arch), batch)).abs().max()

        assert difference < 1e-5, str(arch)


def test_different_architectures_give_different_answers(model: Supermodel, batch: Batch) -> None:
    answers = [answer(model, batch, arch) for arch in corners(model.space)]

    assert all((a - b).abs().max() > 1e-3 for n, a in enumerate(answers) for b in answers[:n])


def test_padding_does_not_change_what_a_text_is_answered(model: Supermodel, batch: Batch) -> None:
    for arch in (model.space.space.smallest, model.space.space.largest):
        together = answer(model, batch, arch)

        for row, length in enumerate(batch.mask.sum(axis=1)):
            alone = Batch(
                ids=batch.ids[row : row + 1, :length],
                mask=batch.mask[row : row + 1, :length],
                types=batch.types[row : row + 1, :length],
                labels=batch.labels[row : row + 1],
                rows=batch.rows[row : row + 1],
            )
            assert (answer(model, alone, arch) - together[row]).abs().max() < 1e-5


def test_what_padding_holds_does_not_matter(model: Supermodel, batch: Batch) -> None:
    arch = model.space.space.largest
    other = Batch(
        ids=np.where(batch.mask == 1, batch.ids, 7),
        mask=batch.mask,
        types=np.where(batch.mask == 1, batch.types, 1),
        labels=batch.labels,
        rows=batch.rows,
    )

    assert (answer(model, other, arch) - answer(model, batch, arch)).abs().max() < 1e-5


@pytest.mark.parametrize("name", SPACES)
def test_the_largest_architecture_is_what_the_supermodel_was_made_of(name: str) -> None:
    space = SPACES[name]
    weights = Weights.random(largest_shape(space), seed=2)

    found = Supermodel(space, weights).extract(space.space.largest)

    assert all(np.array_equal(found.arrays[array], weights.arrays[array]) for array in weights.arrays)


def test_where_heads_stay_a_smaller_architecture_has_the_first_dimensions_of_each() -> None:
    space = SPACES["teacher"]
    weights = Weights.random(TEACHER, seed=2)
    kept = [head * 24 + dimension for head in range(4) for dimension in range(11)]  # of 24 each

    found = Supermodel(space, weights).extract(Arch.of(e=2, h=44, f=192)).arrays

    prefix = "bert.encoder.layer.1."
    for name in ("query", "key", "value"):
        whole = weights.arrays[f"{prefix}attention.self.{name}.weight"]
        assert np.array_equal(found[f"{prefix}attention.self.{name}.weight"], whole[kept][:, :44])
        assert np.array_equal(
            found[f"{prefix}attention.self.{name}.bias"], weights.arrays[f"{prefix}attention.self.{name}.bias"][kept]
        )
    whole = weights.arrays[f"{prefix}attention.output.dense.weight"]
    assert np.array_equal(found[f"{prefix}attention.output.dense.weight"], whole[:44][:, kept])
    whole = weights.arrays[f"{prefix}output.dense.weight"]
    assert np.array_equal(found[f"{prefix}output.dense.weight"], whole[:44, :192])


def test_where_head_size_stays_a_smaller_architecture_has_the_first_heads_whole() -> None:
    space = SPACES["aligned"]
    weights = Weights.random(largest_shape(space), seed=2)

    found = Supermodel(space, weights).extract(Arch.of(e=1, h=160, f=128)).arrays

    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert np.array_equal(found[name], weights.arrays[name][:160, :160])


def test_an_extracted_model_shares_no_memory_with_the_supermodel(model: Supermodel) -> None:
    arch = model.space.space.largest
    before = model.parameters["classifier.bias"].detach().clone()

    found = model.extract(arch)
    for array in found.arrays.values():
        array[...] = 0

    assert torch.equal(model.parameters["classifier.bias"].detach(), before)


def test_no_architecture_is_remembered_between_calls(model: Supermodel, batch: Batch) -> None:
    small, large = model.space.space.smallest, model.space.space.largest
    first = answer(model, batch, small)

    answer(model, batch, large)
    model.extract(large)

    assert torch.equal(answer(model, batch, small), first)


def test_an_architecture_outside_the_space_is_refused(model: Supermodel, batch: Batch) -> None:
    outside = Arch.of(e=9, h=120, f=128)

    with pytest.raises(InputError, match="is not in space"):
        model.extract(outside)
    with pytest.raises(InputError, match="is not in space"):
        model.forward(batch, outside)


def test_weights_of_another_shape_than_the_largest_are_refused() -> None:
    with pytest.raises(InputError, match="A supermodel of space 'paper' needs weights of"):
        Supermodel(SPACES["paper"], Weights.random(TEACHER, seed=0))


def test_training_an_architecture_moves_its_own_corner_alone(model: Supermodel, batch: Batch) -> None:
    arch = model.space.space.smallest
    model.forward(batch, arch).sum().backward()

    sizes = {name: array.shape for name, array in model.extract(arch).arrays.items()}
    for name, parameter in model.parameters.items():
        gradient, parameter.grad = parameter.grad, None
        if name not in sizes:
            assert gradient is None
        elif "word_embeddings" not in name:
            outside = gradient.clone()
            outside[tuple(slice(0, n) for n in sizes[name])] = 0
            assert not outside.any(), name


def test_loaded_tensors_are_the_new_weights(model: Supermodel, batch: Batch) -> None:
    other = Supermodel(model.space, Weights.random(model.shape, seed=3))
    arch = model.space.space.smallest

    other.load({name: parameter.detach() for name, parameter in model.parameters.items()})

    assert torch.equal(answer(other, batch, arch), answer(model, batch, arch))


def test_a_batch_of_the_data_room_is_what_a_supermodel_reads(model: Supermodel, rows) -> None:  # type: ignore[no-untyped-def]
    batch = collate(rows(5), range(5))

    assert answer(model, batch, model.space.space.smallest).shape == (5, 3)
