"""A step of a trace as tokens: numbers, signs, brackets, words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from tracelift_groups.perturb.math.numbers import Number, read_numbers

Operator = Literal["+", "-", "*", "/"]
TokenKind = Literal["number", "op", "(", ")", "=", "word", "other"]

_OPERATORS: dict[str, Operator] = {
    "+": "+", "plus": "+", "-": "-", "–": "-", "−": "-", "minus": "-", "*": "*", "×": "*",
    "·": "*", "times": "*", "multiplied by": "*", "/": "/", "÷": "/", "divided by": "/",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<op>(?:multiplied|divided) by\b|\b(?:plus|minus|times)\b|[-+*/×·÷–−])"
    r"|(?P<eq>=|\bequals\b)|(?P<open>[(\[])|(?P<close>[)\]])"
    r"|(?P<word>[A-Za-z][A-Za-z'’]*)|(?P<other>\S)"
)
_KINDS: dict[str, TokenKind] = {
    "op": "op", "eq": "=", "open": "(", "close": ")", "word": "word", "other": "other",
}  # fmt: skip
EQUALITY_VERBS = frozenset({"is", "makes", "gives", "leaves"})
_ABBREVIATIONS = frozenset("sq ft in oz lb lbs hr hrs min mins sec yd yds gal pt qt mi".split())


class Token(NamedTuple):
    """A piece of a step. ``text`` of an operator is its canonical sign."""

    kind: TokenKind
    start: int
    end: int
    text: str
    number: Number | None = None


@lru_cache(maxsize=4096)
def tokenize(step: str) -> tuple[Token, ...]:
    """Split a step into tokens; offsets count within the step."""
    tokens: list[Token] = []
    position = 0
    for number in [*read_numbers(step), None]:
        stop = number.start if number else len(step)
        for match in _TOKEN.finditer(step, position, stop):
            tokens.append(_token(match))
        if number:
            text = step[number.start : number.end]
            tokens.append(Token("number", number.start, number.end, text, number))
            position = number.end
    return tuple(_lists([_joined(tokens, index, step) for index in range(len(tokens))]))


def _token(match: re.Match[str]) -> Token:
    start, end = match.span()
    text = match[0]
    kind = _KINDS[match.lastgroup or "other"]
    return Token(kind, start, end, _OPERATORS[text] if kind == "op" else text)


def _joined(tokens: Sequence[Token], index: int, step: str) -> Token:
    """Settle what depends on the neighbours: 6-minute, sq. ft., M&M, and x as a sign."""
    token = tokens[index]
    if index == 0 or token.kind not in ("op", "word", "other"):
        return token
    before = tokens[index - 1]
    touches_before = before.end == token.start and before.kind in ("word", "number")
    if token.text == "." and touches_before and before.text in _ABBREVIATIONS:
        return token._replace(kind="word")
    if token.text in ("²", "³", "°") and touches_before:
        return token._replace(kind="word")
    if index == len(tokens) - 1:
        return token
    after = tokens[index + 1]
    if token.text == "*" and after.kind in ("op", "=") and before.kind == "number":
        return token._replace(kind="word")  # "6 times * 4"
    touches_after = after.start == token.end and after.kind == "word" and len(after.text) > 1
    if token.text in ("-", "&") and touches_before and touches_after:
        return token._replace(kind="word")
    if token.text not in ("x", "X"):
        return token
    of_word = before.kind == "word" and before.end < token.start and len(before.text) > 1
    if after.kind not in ("number", "(") or not (before.kind in ("number", ")") or of_word):
        return token
    spaced = step[token.start - 1].isspace() == step[token.end].isspace()
    return token._replace(kind="op", text="*") if spaced or before.kind == "number" else token


def _lists(tokens: list[Token]) -> list[Token]:
    """Turn "the sum of 5, 6 and 7" into 5 + 6 + 7, with signs of no width."""
    for index, token in enumerate(tokens[:-3]):
        if token.text not in ("sum", "product") or tokens[index + 1].text != "of":
            continue
        end = index + 2
        while end < len(tokens) and (
            tokens[end].kind in ("number", "word") or tokens[end].text == ","
        ):
            if tokens[end].text in EQUALITY_VERBS:
                break
            end += 1
        if end == len(tokens) or not any(one.text == "and" for one in tokens[index:end]):
            continue
        op = "+" if token.text == "sum" else "*"
        listed: list[Token] = []
        for one in tokens[index + 2 : end]:
            joins = one.text in (",", "and")
            if joins and not (listed and listed[-1].kind == "op"):
                listed.append(Token("op", one.start, one.start, op))
            elif not joins:
                listed.append(one)
        return [*tokens[: index + 2], *listed, *_lists(tokens[end:])]
    return tokens
