"""Text rules for answers that are not plain numbers: one spelling, and what may be compared."""

from __future__ import annotations

import re

MAX_LENGTH = 300
_WRAPPED = re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf|textrm|textit|rm)\s*\{([^{}]*)\}")
_SIZED = re.compile(r"\\(?:left|right|bigl|bigr|big|Big)(?![a-zA-Z])|\\[!,;: ]|\\q?quad(?![a-z])")
_DEGREES = re.compile(r"\^\{?\\circ\}?|°")
_SHORT_FRACTION = re.compile(r"\\frac(\d)(\d)")
_HALF_BRACED = re.compile(r"\\frac(?:(\d)(\{[^{}]*\})|(\{[^{}]*\})(\d))")
_SHORT_ROOT = re.compile(r"\\sqrt(\d)")
_SUBSCRIPT = re.compile(r"_\{(\w+)\}")
_SUBSCRIPTS = re.compile(r"_(?:\{[^{}]*\}|.)")
_CHOICE = re.compile(r"\(?([A-Z])\)?")
_DECIMAL_LITERAL = re.compile(r"\d*\.\d")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_WORD = re.compile(r"[A-Za-z]{2,}")


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FUNCTIONS = _split("sin cos tan cot sec csc log ln exp sqrt frac pi")
_UNITS = _split(
    """cm mm km inch inches feet foot ft units unit square cubic meters meter miles hours minutes
    seconds degrees degree radians radian dollars"""
)
# What makes an answer say several things, or something weaker than an equality.
_WEAKENING = _split(
    r"""= < > % ; | ? ! : \le \ge \ne \lt \gt \to \mid \approx \sim \simeq \equiv \cong \propto
    \rightarrow \Rightarrow \implies \iff \lor \vee \or \land \wedge \cdots \ldots \dots \cup \cap
    \in \subset \supset \neg \lnot \forall \exists"""
)


def normalise(answer: str) -> str:
    """One spelling for what is typeset alike: no spaces, sizes, text wrappers or short forms."""
    text = answer.strip().strip("$").replace("\u2212", "-")
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("{,}", ",")
    text = _SIZED.sub("", text).replace("\\$", "").replace("\\%", "%")
    text = _WRAPPED.sub(r"\1", text)
    text = re.sub(r"\s+", "", _DEGREES.sub("", text))
    text = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text)
    text = _HALF_BRACED.sub(_brace, text)
    text = _SHORT_ROOT.sub(r"\\sqrt{\1}", text).removesuffix(".")
    text = _SUBSCRIPT.sub(r"_\1", text)
    choice = _CHOICE.fullmatch(text)
    return choice[1] if choice else text


def _brace(match: re.Match[str]) -> str:
    if match[1]:
        return f"\\frac{{{match[1]}}}{match[2]}"
    return f"\\frac{match[3]}{{{match[4]}}}"


def top_level_commas(text: str) -> int:
    """Commas outside of any bracket, after one pair around the whole is taken off."""
    depth, count = 0, 0
    body = text[1:-1] if text[:1] in "([{" and text[-1:] in ")]}" else text
    for character in body:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth <= 0:
            count += 1
    return count


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMAND.sub(" ", _WRAPPED.sub(r" \1 ", text))))


def objection(gold: str, answer: str) -> str | None:
    """Why an answer must not be handed to the symbolic comparison, which would be too lenient.

    Args:
        gold: The gold answer as given.
        answer: The reply's answer as given.

    Returns:
        The reason, or None when comparing is safe.
    """
    if max(len(gold), len(answer)) > MAX_LENGTH:
        return "too long to compare"
    plain_gold, plain = normalise(gold), normalise(answer)
    for sign in sorted(_WEAKENING):
        pattern = re.escape(sign) + ("(?![a-zA-Z])" if sign[-1].isalpha() else "")
        if re.search(pattern, plain) and not re.search(pattern, plain_gold):
            return f"the answer has {sign} and the gold has not"
    if sorted(_SUBSCRIPTS.findall(plain)) != sorted(_SUBSCRIPTS.findall(plain_gold)):
        return "other subscripts, such as a number's base"
    if _DECIMAL_LITERAL.search(plain) and not _DECIMAL_LITERAL.search(plain_gold):
        return "a decimal approximation of an exact gold"
    unknown = _words(answer) - _words(gold) - _FUNCTIONS - _UNITS
    if unknown:
        return f"words that the gold has not: {', '.join(sorted(unknown))[:60]}"
    if top_level_commas(plain_gold) != top_level_commas(plain):
        return "another number of parts"
    tuple_like = plain_gold[:1] in "([" and plain_gold[-1:] in ")]"
    if tuple_like and (plain[:1], plain[-1:]) != (plain_gold[:1], plain_gold[-1:]):
        return "other brackets"
    return None
