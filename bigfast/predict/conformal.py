"""How far above a prediction the truth may lie, from errors on rows that were held out.

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018, arXiv 1604.04173, section 2.2), with the errors of
cross-validation in place of those of a second table.
"""

from __future__ import annotations

import math

import numpy as np

from bigfast.errors import InputError
from bigfast.predict.table import FloatArray


def upper_factor(residuals: FloatArray, level: float) -> float:
    """What to multiply a prediction with, so that a share ``level`` of unseen rows lies below; never under 1.

    The share is met on average over tables, by rows drawn like the fitted ones: not by those of another machine,
    nor by the rows of a search, which prefers the ones that were predicted too low. n residuals support no level
    above n / (n + 1) (40: 0.975); beyond, the largest of them is used, and the true level is lower than asked.

    Args:
        residuals: actual / predicted - 1 of rows that the model had not seen, shape (rows,), not empty.
        level: Between 0 and 1.

    Raises:
        InputError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, such as 0.9, not {level}")
    count = len(residuals)
    rank = min(math.ceil((count + 1) * level - 1e-9), count)
    return 1.0 + max(0.0, float(np.sort(residuals)[rank - 1]))
