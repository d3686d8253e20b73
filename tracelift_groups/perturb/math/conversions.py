"""Conversion factors of everyday units, and what each gets confused with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

# A conversion factor counts only where its units are spoken of.
_FACTORS: Mapping[int, str] = {
    60: r"minutes?|seconds?|hours?|hrs?|mins?|mph",
    24: r"hours?|days?",
    7: r"weeks?|days?|weekly|daily",
    12: r"months?|years?|monthly|yearly|annual(?:ly)?|dozens?|inch(?:es)?|feet|foot",
    52: r"weeks?|years?|weekly|yearly|annual(?:ly)?",
    365: r"days?|years?|daily|yearly",
    30: r"days?|months?|daily|monthly",
    100: r"cents?|dollars?|cm|centimet(?:er|re)s?|met(?:er|re)s?|percent|percentage",
    1000: r"grams?|kg|kilograms?|kilomet(?:er|re)s?|km|met(?:er|re)s?|lit(?:er|re)s?|ml"
    r"|millilit(?:er|re)s?",
    16: r"ounces?|pounds?|oz|lbs?",
    3: r"yards?|feet|foot",
    36: r"yards?|inch(?:es)?",
    4: r"weeks?|months?|quarts?|gallons?|quarters?",
    2000: r"tons?|pounds?",
}
CONFUSED_FACTORS: Mapping[Fraction, tuple[int, ...]] = {
    Fraction(factor): confused
    for factor, confused in {
        60: (100, 24), 24: (12, 60), 7: (5,), 12: (10,), 52: (12, 50), 365: (30, 52), 30: (7,),
        100: (10, 1000), 1000: (100,), 16: (12, 10), 3: (12, 10), 36: (12,), 4: (12, 7),
        2000: (1000,),
    }.items()
}  # fmt: skip


@lru_cache(maxsize=1024)
def is_factor(value: Fraction, text: str) -> bool:
    """Whether a value is a conversion factor between units that a text speaks of."""
    words = _FACTORS.get(int(value)) if value.denominator == 1 else None
    return words is not None and re.search(rf"\b(?:{words})\b", text) is not None
