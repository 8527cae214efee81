"""What a session is asked, checked in one place and in a microsecond."""

from __future__ import annotations

from bigfast.backend.weights import IntArray
from bigfast.errors import InputError


def check_inputs(ids: IntArray, mask: IntArray, types: IntArray | None, *, positions: int) -> None:
    """Refuses what no session can answer, in the same words whatever the runtime.

    Args:
        ids: Of shape (batch, length), as mask and types are.
        mask: 1 for a real token, 0 for padding.
        types: Segments, or None.
        positions: How many tokens the model's texts may have.

    Raises:
        InputError: the arrays differ in shape, are empty, or are longer than the model's positions.
    """
    kinds = ids.shape if types is None else types.shape
    if ids.ndim != 2 or not ids.size or ids.shape != mask.shape or ids.shape != kinds:
        raise InputError(
            f"Ids, mask and types must have the same shape (batch, length), not {ids.shape}, {mask.shape} and {kinds}"
        )
    if ids.shape[1] > positions:
        raise InputError(
            f"This model has {positions} positions, but the texts have {ids.shape[1]} tokens: cut them to {positions}"
        )
