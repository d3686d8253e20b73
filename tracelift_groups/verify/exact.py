r"""Reads one number, exactly, out of an answer such as `$1,234.50`, `\frac{3}{4}` or `12 cm`.

Left out on purpose: everything that is more than one number, or a number with words that change
its value ("5 million", "not 7", "3 of 4"). Those are no number, not a guess.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

MAX_LENGTH = 200


class Number(NamedTuple):
    """An exact number as it was written.

    Attributes:
        value: Its value; of a percentage the figure before the sign.
        percent: Whether it was written as a percentage.
        currency: "$", "€", "£", "¥", "¢" or "".
        unit: The unit in one canonical spelling, or "".
    """

    value: int | Fraction
    percent: bool = False
    currency: str = ""
    unit: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLAIN = re.compile(r"(-?)(\\?\$)?(-?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]*))?")
_DECIMAL = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+")
_BRACED = r"(?:\{\s*(-?[0-9]+)\s*\}|([0-9]))"
_FRACTION = re.compile(rf"\\[dt]?frac\s*{_BRACED}\s*{_BRACED}|([0-9]+)\s*/\s*([0-9]+)")
_MIXED = re.compile(
    rf"([0-9]+)(?:\s+([0-9]+)\s*/\s*([0-9]+)|\s*\\[dt]?frac\s*{_BRACED}\s*{_BRACED})"
)
_POWER = re.compile(
    r"(?:\s*(?:\\times|\\cdot|[*x×·])\s*10\s*\^\s*|[eE])"
    r"(?:\{\s*([-+]?[0-9]{1,3})\s*\}|([-+]?[0-9]{1,3}))"
)
_TEN_TO_THE = re.compile(r"10\s*\^\s*(?:\{\s*([-+]?[0-9]{1,3})\s*\}|([-+]?[0-9]{1,3}))")
_WRAPPED = re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf|textrm|rm)\s*\{([^{}]*)\}")
_GROUP_SPACE = re.compile(r"(?<=[0-9])(?:\\[,;: ]|[\u00a0\u2009\u202f])(?=[0-9]{3}(?![0-9]))")
_SPACES = re.compile(r"\\[,;: ]|[~\u00a0\u2009\u202f]|\\q?quad\b")
_CURRENCY = re.compile(r"(?:US\s?)?\\?\$|[€£¥¢]")
_PERCENT = re.compile(r"\s*(?:\\?%|per\s?cent\b)")
_DEGREE = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|°)")
_UNIT_WORD = re.compile(r"([A-Za-z]+)\.?(?:\s*\^\s*\{?([23])\}?|([²³]))?")
_SINGLE_LETTER_UNITS = frozenset("mgshlL")
_MAX_UNIT_WORDS = 4
# Words after a number that make it another number, or no claim at all.
_NOT_UNITS = _words(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty
    ninety hundred hundreds thousand thousands million millions billion billions trillion
    trillions dozen dozens gross score half halves third thirds quarter quarters fourth fourths
    fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths twelfth
    twelfths hundredth hundredths thousandth thousandths pi tau percent percentage cent-percent
    and or nor not no minus plus times over divided multiplied squared cubed factorial more less
    than fewer least most about approximately approx around nearly roughly almost to from out if
    but is isn was are equals equal negative positive power root mod modulo sqrt log ln sin cos
    tan exp wrong incorrect false true unless maybe perhaps either neither instead except without
    double twice thrice triple inverse reciprocal opposite below above under between within only
    mil mn bn tn thou lakh lakhs crore crores kilo mega giga milli micro nano choose base
    exclusive inclusive off short remainder probably possibly unknown"""
)
_CURRENCY_WORDS = {
    **dict.fromkeys(("dollar", "dollars", "usd", "buck", "bucks"), "$"),
    **dict.fromkeys(("euro", "euros", "eur"), "€"),
    **dict.fromkeys(("cent", "cents", "penny", "pennies"), "¢"),
    **dict.fromkeys(("yen",), "¥"),
}
_UNIT_NAMES = {
    **dict.fromkeys(("hr", "hrs", "h"), "hour"),
    **dict.fromkeys(("min", "mins"), "minute"),
    **dict.fromkeys(("sec", "secs", "s"), "second"),
    **dict.fromkeys(("inches", "in"), "inch"),
    **dict.fromkeys(("feet", "ft"), "foot"),
    **dict.fromkeys(("m", "metre", "metres", "meters"), "meter"),
    **dict.fromkeys(("cm", "centimetre", "centimetres"), "centimeter"),
    **dict.fromkeys(("mm", "millimetre", "millimetres"), "millimeter"),
    **dict.fromkeys(("km", "kilometre", "kilometres"), "kilometer"),
    **dict.fromkeys(("g", "gram"), "gram"),
    **dict.fromkeys(("kg", "kgs", "kilo"), "kilogram"),
    **dict.fromkeys(("lb", "lbs"), "pound"),
    **dict.fromkeys(("oz",), "ounce"),
    **dict.fromkeys(("mph",), "mile/hour"),
    **dict.fromkeys(("people", "persons"), "person"),
}


def _fraction(top: str, bottom: str) -> Fraction | None:
    denominator = int(bottom)
    return Fraction(int(top), denominator) if denominator else None


def _decimal(text: str) -> int | Fraction:
    whole, _, part = text.replace(",", "").partition(".")
    if not part.strip("0"):
        return int(whole or "0")
    return Fraction(int((whole or "0") + part), 10 ** len(part))


class _Magnitude(NamedTuple):
    value: int | Fraction
    end: int


def _magnitude(text: str) -> _Magnitude | None:
    """The unsigned number that `text` starts with."""
    if mixed := _MIXED.match(text):
        whole, *parts = mixed.groups()
        top, bottom = (part for part in parts if part)
        rest = _fraction(top, bottom)
        if rest is None or not 0 < rest < 1:
            return None
        return _Magnitude(int(whole) + rest, mixed.end())
    if fraction := _FRACTION.match(text):
        top, bottom = (part for part in fraction.groups() if part)
        ratio = _fraction(top, bottom)
        return None if ratio is None else _Magnitude(ratio, fraction.end())
    if ten := _TEN_TO_THE.match(text):
        return _Magnitude(Fraction(10) ** int(ten[1] or ten[2]), ten.end())
    decimal = _DECIMAL.match(text)
    if decimal is None:
        return None
    value, end = _decimal(decimal[0]), decimal.end()
    if power := _POWER.match(text, end):
        return _Magnitude(Fraction(value) * Fraction(10) ** int(power[1] or power[2]), power.end())
    return _Magnitude(value, end)


def _unit(rest: str) -> tuple[str, str] | None:
    """Currency and unit that the words after a number name; None when they are something else."""
    words = re.split(r"\s+|\s*/\s*", rest.strip())
    if len(words) > _MAX_UNIT_WORDS:
        return None
    names = []
    for written in words:
        match = _UNIT_WORD.fullmatch(written)
        if match is None:
            return None
        word = match[1]
        if len(word) == 1 and word not in _SINGLE_LETTER_UNITS:
            return None
        word = word.lower()
        if word in _NOT_UNITS:
            return None
        names.append(_UNIT_NAMES.get(word, word.removesuffix("s")) + (match[2] or match[3] or ""))
        if word in _CURRENCY_WORDS and len(words) == 1:
            return _CURRENCY_WORDS[word], ""
    return "", " ".join(names)


def _clean(text: str) -> str:
    text = text.replace("\u2212", "-").replace("{,}", ",")
    text = re.sub(r"\\!\s*|\\left\b|\\right\b", "", text)
    text = _GROUP_SPACE.sub(",", text)
    text = _WRAPPED.sub(r" \1", text)
    text = _SPACES.sub(" ", text).strip()
    for opening, closing in (("**", "**"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and inner and opening not in inner:
            text = inner.strip()
    text = text.rstrip()
    return text[:-1].rstrip() if text.endswith(".") and not text.endswith("..") else text


def _parse(text: str) -> Number | None:
    if text.lstrip().startswith("~"):  # elsewhere a space, here "about"
        return None
    text = _clean(text)
    if text.startswith("\u2013"):  # an en dash in front of a number is meant as a minus
        text = "-" + text[1:]
    sign, currency = 0, ""
    for _ in range(2):  # "-$5" and "$-5"
        if text[:1] in ("+", "-") and not sign:
            sign = -1 if text[0] == "-" else 1
            text = text[1:].lstrip()
        elif (match := _CURRENCY.match(text)) and not currency:
            currency = match[0].removeprefix("US").strip().removeprefix("\\")
            text = text[match.end() :].lstrip()
    magnitude = _magnitude(text)
    if magnitude is None:
        return None
    value, rest = (sign or 1) * magnitude.value, text[magnitude.end :]
    if percent := _PERCENT.match(rest):
        if rest[percent.end() :].strip() or currency:
            return None
        return Number(value, percent=True)
    if degree := _DEGREE.match(rest):
        left = rest[degree.end() :].strip()
        return Number(value, unit="degree") if left in ("", "C", "F") else None
    if not currency and (match := _CURRENCY.fullmatch(rest.strip())):
        return Number(value, currency=match[0].removeprefix("\\"))
    if not rest.strip():
        return Number(value, currency=currency)
    named = _unit(rest)
    if named is None or (named[0] and currency and named[0] != currency):
        return None
    return Number(value, currency=currency or named[0], unit=named[1])


def parse_number(text: str) -> Number | None:
    r"""Reads the one number that `text` consists of.

    Understood: signs (also U+2212), thousands separators (`,`, `{,}`, `\,`, thin spaces), decimal
    points, `a/b` and `\frac{a}{b}`, mixed numbers, scientific notation, currency signs, per cent,
    degrees and plain unit words.

    Args:
        text: The answer alone, at most 200 characters.

    Returns:
        The number, or None when `text` is anything else, two numbers for instance.
    """
    if len(text) > MAX_LENGTH:
        return None
    plain = _PLAIN.fullmatch(text)
    if plain is not None and not (plain[1] and plain[3]):
        whole, part = plain[4], plain[5]
        if "," in whole:
            whole = whole.replace(",", "")
        value: int | Fraction = int(whole)
        if part and part.strip("0"):
            value = Fraction(int(whole + part), 10 ** len(part))
        return Number(-value if plain[1] or plain[3] else value, currency="$" if plain[2] else "")
    return _parse(text)


@lru_cache(maxsize=1 << 14)
def parse_gold(text: str) -> Number | None:
    """`parse_number` for gold answers, which recur."""
    return parse_number(text)


def same_number(gold: Number, answer: Number) -> bool:
    """Whether an answer is the gold number.

    Values must be equal exactly; per cent must be written in both or in neither; a currency or
    unit must not contradict the gold's.
    """
    return (
        gold.value == answer.value
        and gold.percent == answer.percent
        and (not gold.currency or not answer.currency or gold.currency == answer.currency)
        and not (answer.currency == "¢" and gold.currency != "¢")
        and (not gold.unit or not answer.unit or gold.unit == answer.unit)
    )
