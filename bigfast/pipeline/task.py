"""What must be learned and from whom: data, tokenizer, teacher, and everything as token ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bigfast.backend import Weights
from bigfast.backend.stock import save_stock
from bigfast.cpu import Machine
from bigfast.data import (
    Encoded,
    Rows,
    TaskData,
    accuracy,
    encode,
    read_data,
    train_tokenizer,
)
from bigfast.pipeline.telling import Teller
from bigfast.space import BertShape
from bigfast.store import published_directory
from bigfast.supermodel.loop import Progress, Recipe
from bigfast.supermodel.start import from_scratch
from bigfast.supermodel.teacher import Teacher, check_labels, teacher_logits
from bigfast.supermodel.train import steps_of_one_in, train_one, training_identity

LONGEST = 128  # tokens of a text that is trained or evaluated on: the paper's

# The embedded teacher: of the sizes and recipes that were tried, the most accurate after two minutes on two cores.
SYNTHETIC_VOCAB = 400
SYNTHETIC_LAYERS, SYNTHETIC_HIDDEN, SYNTHETIC_HEADS, SYNTHETIC_FFN = 4, 128, 4, 512
SYNTHETIC_DEVIATION = 0.06
SYNTHETIC_RECIPE = Recipe(steps=3750, batch_size=32, learning_rate=7e-4, warmup_share=0.1, beta2=0.98, hard_share=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Data and teacher, ready for training.

    Attributes:
        data: The rows as text.
        teacher: Whom to imitate; its tokenizer serves all.
        train: Encoded, labelled.
        validation: Encoded, labelled: what a search may look at.
        unlabelled: Encoded; None where there are none.
    """

    data: TaskData
    teacher: Teacher
    train: Encoded
    validation: Encoded
    unlabelled: Encoded | None

    def encoded(self, rows: Rows) -> Encoded:
        """Further rows, encoded as the others are."""
        return _encoded(self.teacher, rows)

    @property
    def length(self) -> int:
        """The 95th percentile of the training rows' tokens."""
        return self.train.length_percentile(95)


def read_task(
    source: str,
    teacher: Teacher,
    *,
    text_columns: tuple[str, ...] | None,
    label_column: str | None,
    seed: int,
) -> Task:
    """A task from its source, in the words and with the classes of a teacher.

    Raises:
        DataError: the data cannot be used.
        ModelError: the teacher knows other classes.
    """
    data = read_data(
        source,
        text_columns=text_columns,
        label_column=label_column,
        label_order=_label_order(teacher),
        seed=seed,
    )
    check_labels(teacher, data)
    return Task(
        data=data,
        teacher=teacher,
        train=_encoded(teacher, data.train),
        validation=_encoded(teacher, data.validation),
        unlabelled=None if data.unlabelled is None else _encoded(teacher, data.unlabelled),
    )


def _encoded(teacher: Teacher, rows: Rows) -> Encoded:
    return encode(teacher.tokenizer, rows, max_length=min(LONGEST, teacher.model.weights.shape.positions))


def _label_order(teacher: Teacher) -> tuple[str, ...] | None:
    labels = teacher.model.labels
    return None if all(word.upper().startswith("LABEL_") for word in labels) else labels


def progress_of(teller: Teller, text: str) -> Callable[[Progress], None]:
    """Tells a training's progress."""

    def told(progress: Progress) -> None:
        state = f"{text}: loss {progress.loss:.3f}, {progress.rows_per_s:.0f} examples/s"
        teller.progress(progress.step, progress.steps, state)

    return told


def teach_synthetic(
    source: str,
    directory: Path,
    *,
    work: Path,
    seed: int,
    machine: Machine,
    decided: Callable[[Callable[[], int]], int],
    budget_s: float,
    teller: Teller,
) -> None:
    """Trains the embedded task's tokenizer and teacher from nothing, and writes them as a stock directory.

    Args:
        source: ``synthetic`` or ``synthetic:SEED``.
        directory: Where the teacher is written.
        work: Where its checkpoint is kept meanwhile.
        seed: Of the data, where the source names none, and of the training.
        machine: Decides the precision.
        decided: Keeps the number of steps, once it was found.
        budget_s: Seconds that it may take; a slow machine trains for fewer steps than the recipe has.
        teller: Told of the progress.

    Raises:
        DataError: the source is no synthetic task.
    """
    data = read_data(source, seed=seed)
    texts = [*data.train.first, *(data.train.second or ())]
    tokenizer = train_tokenizer(texts, SYNTHETIC_VOCAB)
    encoded = encode(tokenizer, data.train, max_length=LONGEST)
    shape = BertShape(
        layers=SYNTHETIC_LAYERS,
        hidden=SYNTHETIC_HIDDEN,
        ffn=SYNTHETIC_FFN,
        heads=SYNTHETIC_HEADS,
        vocab=len(tokenizer),
        positions=LONGEST,
        labels=len(data.labels),
    )
    start = from_scratch(shape, rng=np.random.default_rng([seed, 10]), deviation=SYNTHETIC_DEVIATION)
    recipe = replace(SYNTHETIC_RECIPE, bf16=machine.has_bf16, seed=seed)
    steps = decided(lambda: min(recipe.steps, steps_of_one_in(budget_s, start, encoded, None, recipe)))
    recipe = replace(recipe, steps=steps)
    weights: Weights = train_one(
        start,
        encoded,
        None,
        recipe,
        identity=training_identity(recipe, shape, data.fingerprint),
        checkpoint=work / "teacher.safetensors",
        told=progress_of(teller, "teacher"),
    )
    with published_directory(directory) as place:
        save_stock(weights, data.labels, place)
        tokenizer.save_pretrained(place)


def teacher_accuracy(task: Task, *, machine: Machine) -> float:
    """Share of the validation rows that the teacher answers correctly."""
    logits = teacher_logits(task.teacher.model, task.validation, bf16=machine.has_bf16)
    return accuracy(logits, task.validation.labels).share
