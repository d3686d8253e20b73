"""Numbers as they stand in prose: found, valued exactly, and written back in the same style.

Values are ``Fraction``. A mention's span takes in its currency sign and percent sign, so that
replacing the span replaces the whole number.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[$€£]\s?)?(?P<body>{_DIGITS}(?:\.\d+)?|\.\d+)(?P<unit>\s?%|(?<=\d)[$€£¢])?"
)
# "Day 2:56/2 = 28" is a label and a number, not a time.
_CLOCK = re.compile(r"\b\d{1,2}:[0-5]\d\b(?!\s*[-+*/(=.%]|\s+[x×]\s)")
# Longer runs of digits are no quantities of a word problem.
_LONGEST = 30
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)

_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90, "hundred": 100, "thousand": 1000, "dozen": 12, "couple": 2, "pair": 2,
    "once": 1, "twice": 2, "double": 2, "doubled": 2, "doubles": 2, "both": 2, "thrice": 3,
    "triple": 3, "tripled": 3, "triples": 3, "quadruple": 4, "single": 1,
}  # fmt: skip
_PARTS = {
    "half": Fraction(1, 2), "halves": Fraction(1, 2), "halved": Fraction(1, 2),
    "third": Fraction(1, 3), "thirds": Fraction(1, 3), "quarter": Fraction(1, 4),
    "quarters": Fraction(1, 4), "fourth": Fraction(1, 4), "fourths": Fraction(1, 4),
    "fifth": Fraction(1, 5), "fifths": Fraction(1, 5), "sixth": Fraction(1, 6),
    "sixths": Fraction(1, 6), "seventh": Fraction(1, 7), "eighth": Fraction(1, 8),
    "eighths": Fraction(1, 8), "ninth": Fraction(1, 9), "tenth": Fraction(1, 10),
    "tenths": Fraction(1, 10),
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]+")


class Style(NamedTuple):
    """How a number is written: what surrounds it and how many decimals it shows."""

    prefix: str = ""
    suffix: str = ""
    thousands: bool = False
    decimals: int = 0
    leading_zero: bool = True


class Number(NamedTuple):
    """A number in a text. ``value`` is as written: 20 for "20%"; see :attr:`percent`."""

    start: int
    end: int
    value: Fraction
    style: Style

    @property
    def percent(self) -> bool:
        """Whether a percent sign follows."""
        return self.style.suffix.strip() == "%"

    @property
    def money(self) -> bool:
        """Whether a currency sign stands before or behind."""
        return any(sign in self.style.prefix + self.style.suffix for sign in "$€£")


class Quantity(NamedTuple):
    """A quantity of a problem: its value, and the words that state it."""

    value: Fraction
    text: str
    start: int
    end: int


@lru_cache(maxsize=4096)  # the traces of a group share most of their steps
def read_numbers(text: str) -> tuple[Number, ...]:
    """Return the numbers written with digits, left to right.

    Ordinals (3rd), clock times (17:00) and digits inside words (B2) are no quantities and are
    left out. "2x" is kept: whether it is a product or a coefficient is the parser's question.
    """
    found = []
    clocks = [match.span() for match in _CLOCK.finditer(text)] if ":" in text else []
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        before = text[start - 1 : start]
        if before.isalpha() and before not in "xX" and not match["sign"]:
            continue
        if any(a <= start < b for a, b in clocks) or _ORDINAL.match(text, end):
            continue
        body = match["body"]
        if len(body) > _LONGEST or (body[0] == "." and before.isdigit()):
            continue
        whole, _, decimals = body.partition(".")
        style = Style(
            prefix=match["sign"] or "",
            suffix=match["unit"] or "",
            thousands="," in whole,
            decimals=len(decimals),
            leading_zero=bool(whole),
        )
        digits = body.replace(",", "")
        value = Fraction(digits) if decimals else Fraction(int(digits))
        found.append(Number(start, end, value, style))
    return tuple(found)


def decimals_of(value: Fraction, most: int = 6) -> int | None:
    """Return how many decimals write ``value`` exactly, or None when more than ``most`` would."""
    for places in range(most + 1):
        if (value * 10**places).denominator == 1:
            return places
    return None


def render(value: Fraction, style: Style) -> str | None:
    """Write ``value`` in the style of another number.

    Returns:
        The text, or None where the value is negative or has more than two decimals more than
        people write (four in all).
    """
    places = decimals_of(value, 4)
    if places is None or value < 0:
        return None
    money = any(sign in style.prefix + style.suffix for sign in "$€£")
    if places and money:
        places = max(places, 2)
    if style.decimals and places <= style.decimals and (money or places):
        places = style.decimals
    whole, dot, decimals = _decimal(value, places).partition(".")
    if style.thousands and len(whole) > 3:
        whole = f"{int(whole):,}"
    if not style.leading_zero and whole == "0" and dot:
        whole = ""
    return f"{style.prefix}{whole}{dot}{decimals}{style.suffix}"


def plain(value: Fraction) -> str:
    """Write a value for certificates: ``12``, ``0.5`` or, where no decimals end, ``1/3``."""
    places = decimals_of(value)
    return str(value) if places is None else _decimal(value, places)


def _decimal(value: Fraction, places: int) -> str:
    scaled = int(value * 10**places)
    digits = str(abs(scaled)).zfill(places + 1)
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    return f"{'-' if scaled < 0 else ''}{whole}{'.' if places else ''}{decimals}"


@lru_cache(maxsize=4096)
def read_quantities(problem: str) -> tuple[Quantity, ...]:
    """Return the quantities that a problem states, in digits or in words.

    "20%" counts as 20 and as 0.2; "1/2" as 1, 2 and 0.5; "three quarters" as 3, 0.25 and 0.75;
    "half as many" as 0.5 and, since people halve by dividing, as 2.
    """
    found = []
    numbers = read_numbers(problem)
    for number in numbers:
        text = problem[number.start : number.end].strip()
        found.append(Quantity(number.value, text, number.start, number.end))
        if number.percent:
            found.append(Quantity(number.value / 100, text, number.start, number.end))
    for one, two in pairwise(numbers):
        if problem[one.end : two.start] == "/" and two.value:
            text = problem[one.start : two.end]
            found.append(Quantity(one.value / two.value, text, one.start, two.end))
    found += _in_words(problem)
    return tuple(sorted(found, key=lambda q: (q.start, q.end, q.value)))


def _in_words(problem: str) -> list[Quantity]:
    found: list[Quantity] = []
    tens: Quantity | None = None  # the 20 of "twenty-five"
    for match in _WORD.finditer(problem):
        word = match[0].lower()
        start, end = match.span()
        if word in _PARTS:
            part = _PARTS[word]
            found += [
                Quantity(part, match[0], start, end),
                Quantity(1 / part, match[0], start, end),
            ]
            previous = found[-3] if len(found) > 2 else None
            if previous and 0 < start - previous.end <= 1 and previous.value.denominator == 1:
                text = problem[previous.start : end]
                found.append(Quantity(previous.value * part, text, previous.start, end))
        elif word in _WORDS:
            value = Fraction(_WORDS[word])
            found.append(Quantity(value, match[0], start, end))
            if tens and start - tens.end == 1 and value < 10:
                text = problem[tens.start : end]
                found.append(Quantity(tens.value + value, text, tens.start, end))
            elif tens and start - tens.end == 1 and value in (100, 1000):
                text = problem[tens.start : end]
                found.append(Quantity(tens.value * value, text, tens.start, end))
        else:
            tens = None
            continue
        tens = found[-1]
    return found
