"""What a student is trained on: the labels, and what its teacher says."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import Tensor


def distillation_loss(
    logits: Tensor, labels: Tensor, teacher: Tensor | None, *, hard_share: float, temperature: float
) -> Tensor:
    """Cross-entropy with the labels mixed with that of the teacher's softened answer (Hinton et al. 2015).

    Args:
        logits: Of the student, shape (batch, labels).
        labels: Class of each row, shape (batch,), int64; -1 where it has none: it counts for the soft part only.
        teacher: Its logits, shape (batch, labels); None for the labels alone.
        hard_share: Weight of the labels, between 0 and 1; the teacher has the rest.
        temperature: Divides both sides' logits in the soft part, whose gradient is scaled back by its square.

    Returns:
        A scalar, float32.
    """
    logits = logits.float()
    known = int((labels >= 0).sum())
    hard = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum") / max(known, 1)
    if teacher is None:
        return hard
    soft = F.kl_div(
        torch.log_softmax(logits / temperature, dim=-1),
        torch.log_softmax(teacher.float() / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return hard_share * hard + (1 - hard_share) * temperature**2 * soft
