"""Advantages: how much better a completion is than the others of its problem.

Axis suffixes: ``_P`` problems, ``_G`` completions of a problem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Way = Literal["centred", "standardised"]
_EPS = 1e-4


def advantages_G(values_G: Sequence[float | None], way: Way = "centred") -> list[float] | None:
    """Centre the rewards of one problem's completions.

    ``centred``: ``r - mean``. ``standardised``: the same over ``std + 1e-4``, the standard
    deviation being that of a sample, as in GRPO (arXiv 2402.03300).

    Args:
        values_G: Rewards; None where there is none, which is left out of the mean.
        way: What to do.

    Returns:
        An advantage for each completion, 0 where there is no reward; None where there is nothing
        to learn: fewer than two rewards, or all of them equal.
    """
    known = [value for value in values_G if value is not None]
    if len(known) < 2 or min(known) == max(known):
        return None
    mean = math.fsum(known) / len(known)
    scale = 1.0
    if way == "standardised":
        variance = math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1)
        scale = math.sqrt(variance) + _EPS
    return [0.0 if value is None else (value - mean) / scale for value in values_G]
