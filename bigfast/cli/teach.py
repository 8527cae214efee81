"""``bigfast teach``: fine-tunes a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigfast.cli.options import Data, Json, LabelColumn, Out, Seed, TextColumns


def teach(
    data: Data,
    checkpoint: Annotated[str, typer.Option("--from", help="A BERT checkpoint: a directory or hub id.")],
    out: Out = Path("teacher"),
    epochs: Annotated[float, typer.Option(min=0.001, help="How often each training row is seen.")] = 2.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a step.")] = 32,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="At its peak.")] = 5e-5,
    text_columns: TextColumns = None,
    label_column: LabelColumn = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Fine-tunes a BERT checkpoint on a task: the teacher that supermodels imitate.

    Examples: `bigfast teach --data my-data --from bert-base-uncased --out my-teacher` and
    `bigfast teach --data hf:nyu-mll/glue:mnli --from my-bert --epochs 3`
    """
    from bigfast.cli.options import columns
    from bigfast.cli.showing import Shown, show_json
    from bigfast.cpu import detect
    from bigfast.data import read_data
    from bigfast.errors import InputError

    if out.exists():
        raise InputError(f"{out} exists already: choose another directory with --out")
    task = read_data(data, text_columns=columns(text_columns), label_column=label_column, seed=seed)

    from bigfast.pipeline.teaching import teach as fine_tune
    from bigfast.supermodel.loop import Recipe

    steps = max(1, round(epochs * len(task.train) / batch_size))
    recipe = Recipe(steps=steps, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    share = fine_tune(task, checkpoint, out, recipe, machine=detect(), teller=Shown())
    if json:
        show_json({"teacher": str(out), "accuracy": share, "validation_rows": len(task.validation)})
    else:
        print(f"{out}: {share:.2%} on {len(task.validation):,} validation rows")
