"""Training the winner on: its corner of the supermodel becomes a model of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bigfast.backend import FloatArray, Weights
from bigfast.data import Accuracy, Encoded
from bigfast.search.evaluation import Evaluator
from bigfast.supermodel.loop import Recipe, Told, nobody
from bigfast.supermodel.train import train_one


@dataclass(frozen=True, slots=True, kw_only=True)
class PostTrained:
    """A winner after post-training.

    Attributes:
        weights: The better of before and after, on the deployment backend.
        before: Accuracy with the supermodel's weights.
        after: Accuracy of what training gave, whether it was better or not.
    """

    weights: Weights
    before: Accuracy
    after: Accuracy

    @property
    def kept(self) -> Accuracy:
        """Accuracy of ``weights``."""
        return self.after if self.after.share >= self.before.share else self.before


def posttrain(
    weights: Weights,
    encoded: Encoded,
    teacher: FloatArray | None,
    recipe: Recipe,
    *,
    evaluator: Evaluator,
    identity: str,
    checkpoint: Path | None = None,
    told: Told = nobody,
) -> PostTrained:
    """Continues training an extracted model with distillation, and keeps it only where that helped.

    Args:
        weights: The winner's, as extracted.
        encoded: Rows to train on.
        teacher: Its logits for them, shape (rows, labels), float32; None to train on labels alone.
        recipe: How.
        evaluator: Judges before and after, quantized, on validation rows.
        identity: See ``bigfast.supermodel.loop.run_training``.
        checkpoint: See there.
        told: Told of the progress.
    """
    before = evaluator.accuracy(weights)
    trained = train_one(weights, encoded, teacher, recipe, identity=identity, checkpoint=checkpoint, told=told)
    after = evaluator.accuracy(trained)
    return PostTrained(weights=trained if after.share >= before.share else weights, before=before, after=after)
