"""A supermodel from its teacher: where it starts, how long it may train, and its directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from bigfast.backend import FloatArray, Weights
from bigfast.cpu import Machine
from bigfast.data import Encoded, collate
from bigfast.pipeline.task import Task, progress_of
from bigfast.pipeline.telling import Teller
from bigfast.space import BertSpace
from bigfast.store import write_bytes
from bigfast.supermodel.elastic import Supermodel
from bigfast.supermodel.loop import Recipe
from bigfast.supermodel.saved import load_supermodel, save_supermodel
from bigfast.supermodel.start import cut_to, from_scratch, importance_ordered
from bigfast.supermodel.teacher import teacher_logits
from bigfast.supermodel.train import supermodel_steps_in, train_supermodel, training_identity

IMPORTANCE_BATCHES, IMPORTANCE_ROWS = 32, 8
RATE_ROWS = 256
LEAST_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """The rows that a training uses, and what the teacher says of each.

    Attributes:
        encoded: Labelled rows, and unlabelled ones (label -1) where the labelled do not suffice.
        logits: Shape (rows, labels), float32.
    """

    encoded: Encoded
    logits: FloatArray


def joined(first: Encoded, second: Encoded) -> Encoded:
    """The rows of both, the first's before the second's."""
    return Encoded(
        ids=first.ids + second.ids,
        types=first.types + second.types,
        labels=np.concatenate([first.labels, second.labels]),
        lengths=np.concatenate([first.lengths, second.lengths]),
        pad_id=first.pad_id,
    )


def lesson_of(task: Task, rows: int, *, file: Path, machine: Machine, seed: int, teller: Teller) -> Lesson:
    """As many rows as are wanted, with the teacher's answers, which are computed once and kept in a file.

    Args:
        task: Where the rows are.
        rows: How many are wanted; fewer are used where the task has fewer.
        file: Keeps the answers.
        machine: Decides the precision.
        seed: Chooses the rows.
        teller: Told of the progress.
    """
    chosen = np.sort(np.random.default_rng([seed, 20]).permutation(len(task.train))[:rows])
    encoded = task.train.take(chosen)
    if task.unlabelled is not None and rows > len(encoded):
        encoded = joined(encoded, task.unlabelled.take(range(min(rows - len(encoded), len(task.unlabelled)))))
    if file.exists():
        logits = load_file(file)["logits"]
        if len(logits) == len(encoded):
            return Lesson(encoded=encoded, logits=logits)
    logits = teacher_logits(
        task.teacher.model,
        encoded,
        bf16=machine.has_bf16,
        progress=lambda done, total: teller.progress(done, total, "the teacher answers each row once"),
    )
    write_bytes(file, save({"logits": logits}))
    return Lesson(encoded=encoded, logits=logits)


def start_of(task: Task, space: BertSpace, *, start: str, seed: int) -> Supermodel:
    """An untrained supermodel: the teacher's corner with important units first, or random weights.

    Args:
        task: Whose teacher, and whose rows tell what is important.
        space: What it will serve.
        start: ``teacher`` or ``scratch``.
        seed: Of the rows, or of the weights.

    Raises:
        ModelError: the space is larger than the teacher.
    """
    teacher = task.teacher.model.weights
    if start == "scratch":
        shape = teacher.shape
        largest = space.shape(
            space.space.largest, vocab=shape.vocab, positions=shape.positions, labels=shape.labels, types=shape.types
        )
        return Supermodel(space, from_scratch(largest, rng=np.random.default_rng([seed, 30])))
    cut_to(teacher, space)  # refuses before the importance is measured
    order = np.random.default_rng([seed, 31]).permutation(len(task.train))[: IMPORTANCE_BATCHES * IMPORTANCE_ROWS]
    batches = [collate(task.train, rows) for rows in np.array_split(order, max(1, len(order) // IMPORTANCE_ROWS))]
    ordered: Weights = importance_ordered(teacher, batches)
    return Supermodel(space, cut_to(ordered, space))


def steps_within(
    budget_s: float,
    model: Supermodel,
    task: Task,
    recipe: Recipe,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """About how many steps fit, the teacher's answers to their rows included."""
    rows = np.random.default_rng([recipe.seed, 21]).permutation(len(task.train))[:RATE_ROWS]
    sample = task.train.take(rows)
    start = clock()
    teacher_logits(task.teacher.model, sample, bf16=recipe.bf16)
    answer_s = (clock() - start) / len(sample)
    steps = supermodel_steps_in(budget_s, model, task.train, None, recipe)
    each_s = budget_s / steps
    available = len(task.train) + (len(task.unlabelled) if task.unlabelled is not None else 0)
    with_answers = budget_s / (each_s + answer_s * recipe.batch_size)
    if with_answers * recipe.batch_size > available:
        with_answers = (budget_s - answer_s * available) / each_s
    return max(LEAST_STEPS, int(with_answers))


def trained_supermodel(
    task: Task,
    space: BertSpace,
    recipe: Recipe,
    directory: Path,
    *,
    start: str,
    work: Path,
    machine: Machine,
    teller: Teller,
) -> Supermodel:
    """Trains a supermodel, or what is left of its training, and writes its directory; loads one that is there."""
    if directory.exists():
        return load_supermodel(directory)[0]
    model = start_of(task, space, start=start, seed=recipe.seed)
    rows = recipe.steps * recipe.batch_size
    lesson = lesson_of(
        task, rows, file=work / "teacher-logits.safetensors", machine=machine, seed=recipe.seed, teller=teller
    )
    identity = training_identity(recipe, space.to_json(), start, task.data.fingerprint, task.teacher.model.directory)
    losses = train_supermodel(
        model,
        lesson.encoded,
        lesson.logits,
        recipe,
        identity=identity,
        checkpoint=work / "supermodel.safetensors",
        told=progress_of(teller, "supermodel"),
    )
    about: dict[str, Any] = {
        "data": task.data.name,
        "data_fingerprint": task.data.fingerprint,
        "rows": len(lesson.encoded),
        "start": start,
        "recipe": recipe.to_json(),
        "last_loss": float(np.mean(losses[-50:])) if losses else None,
        "largest": asdict(model.shape),
    }
    save_supermodel(model, directory, labels=task.data.labels, tokenizer=task.teacher.tokenizer, about=about)
    return model


def supermodel_recipe(*, machine: Machine, seed: int, start: str) -> Recipe:
    """How a supermodel is trained unless told otherwise; the number of steps is for the caller to fill in.

    One that starts from its teacher has little to unlearn: it needs a lower rate, and its largest model less often.
    """
    from_teacher = start == "teacher"
    return Recipe(
        steps=LEAST_STEPS,
        batch_size=32,
        learning_rate=2e-4 if from_teacher else 5e-4,
        hard_share=0.3,
        sampling="ends" if from_teacher else "sandwich",
        bf16=machine.has_bf16,
        seed=seed,
    )
