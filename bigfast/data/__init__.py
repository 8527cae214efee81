"""WHAT IT MUST BE GOOD AT: data sets, tokenising, batches, metrics; the embedded synthetic task.

``read_data`` gives a ``TaskData``, ``encode`` turns its rows into token ids, ``collate`` into batches::

    data = read_data("synthetic:1")
    tokenizer = train_tokenizer(data.train.first + data.train.second, vocab_size=1000)
    encoded = encode(tokenizer, data.train, max_length=64)
    for rows in epoch_batches(encoded.lengths, batch_size=64, seed=1, epoch=0):
        batch = collate(encoded, rows)
"""

from __future__ import annotations

from bigfast.data.batches import Batch, collate, epoch_batches, equal_length_batches
from bigfast.data.dataset import Rows, TaskData
from bigfast.data.directory import read_directory
from bigfast.data.encode import Encoded, encode
from bigfast.data.hub import read_hub
from bigfast.data.metrics import Accuracy, accuracy
from bigfast.data.source import read_data
from bigfast.data.synthetic import synthetic_task
from bigfast.data.tokenizer import load_tokenizer, train_tokenizer

__all__ = [
    "Accuracy",
    "Batch",
    "Encoded",
    "Rows",
    "TaskData",
    "accuracy",
    "collate",
    "encode",
    "epoch_batches",
    "equal_length_batches",
    "load_tokenizer",
    "read_data",
    "read_directory",
    "read_hub",
    "synthetic_task",
    "train_tokenizer",
]
