"""The model that is imitated: finding it, checking it, and asking it once for every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from bigfast.backend import FloatArray, StockModel, local_directory, read_stock
from bigfast.backend.stock import stock_model
from bigfast.data import Encoded, TaskData, collate, equal_length_batches, load_tokenizer
from bigfast.errors import ModelError

ROWS_AT_ONCE = 64
TOKENIZERS = ("tokenizer.json", "vocab.txt")


@dataclass(frozen=True, slots=True)
class Teacher:
    """A fine-tuned classifier with its tokenizer."""

    name: str
    model: StockModel
    tokenizer: PreTrainedTokenizerFast


def tokenizer_in(directory: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a model's directory.

    Raises:
        ModelError: there is none.
    """
    # transformers makes an empty one, to which every word is unknown, where there is a config.json alone.
    if not any((directory / name).is_file() for name in TOKENIZERS):
        raise ModelError(f"{directory} has no tokenizer: copy the model's {' or '.join(TOKENIZERS)} there")
    return load_tokenizer(str(directory))


def load_teacher(source: str) -> Teacher:
    """A teacher from a local directory or by its hub id.

    Raises:
        ModelError: it is missing, of another type, pickled, damaged, or its tokenizer does not fit.
    """
    directory = local_directory(source)
    model = read_stock(directory)
    tokenizer = tokenizer_in(directory)
    if len(tokenizer) > model.weights.shape.vocab:
        raise ModelError(
            f"The tokenizer in {directory} knows {len(tokenizer)} words and the model only "
            f"{model.weights.shape.vocab}: they do not belong together"
        )
    name = directory.resolve().name if Path(source).is_dir() else source  # a path is nobody else's business
    return Teacher(name, model, tokenizer)


def check_labels(teacher: Teacher, data: TaskData) -> None:
    """Makes sure that teacher and data mean the same by their classes.

    Raises:
        ModelError: they do not, in number, order or words.
    """
    mine, theirs = [w.lower() for w in teacher.model.labels], [w.lower() for w in data.labels]
    generic = all(word.startswith("label_") for word in mine)
    if len(mine) != len(theirs) or (not generic and mine != theirs):
        raise ModelError(
            f"The teacher knows the classes {', '.join(teacher.model.labels)}, and the data has "
            f"{', '.join(data.labels)}: they must be the same"
        )


def teacher_logits(
    teacher: StockModel,
    encoded: Encoded,
    *,
    bf16: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FloatArray:
    """What the teacher says of every row, shape (rows, labels), float32.

    Args:
        teacher: Whom to ask.
        encoded: The rows.
        bf16: Whether to compute in bfloat16.
        progress: Told the rows done and their number.
    """
    model = stock_model(teacher.weights)
    answers = np.zeros((len(encoded), teacher.weights.shape.labels), dtype=np.float32)
    done = 0
    batches: Sequence[np.ndarray] = equal_length_batches(encoded.lengths, batch_size=ROWS_AT_ONCE)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for rows in batches:
            batch = collate(encoded, rows)
            logits = model(input_ids=torch.from_numpy(batch.ids), token_type_ids=torch.from_numpy(batch.types)).logits
            answers[rows] = logits.float().numpy()
            done += len(rows)
            progress(done, len(encoded))
    return answers
