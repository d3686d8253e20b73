"""Arithmetic as it stands in prose: ``100 gold * 3 silver/gold = 300 silver``.

The grammar is the usual one for + - * / and brackets, with units allowed behind a number. Text
is ambiguous, so an equation may have several readings (is 20% a 20 or a 0.2? is ``2 / 1/6`` one
division or two?). :func:`read_equations` takes the first reading that is true; a statement that
is false in every reading is a false equation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
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
# A unit may be a phrase ("40 cups of coffee per lb. * 3"); without a sign behind it, a few words.
_MAX_UNIT_WORDS = 4
_MAX_UNIT_PHRASE = 9
_EQUALITY_VERBS = frozenset("is makes gives leaves".split())
_ABBREVIATIONS = frozenset("sq ft in oz lb lbs hr hrs min mins sec yd yds gal pt qt mi".split())
# No side of a word problem's equation is longer; bounds the work on hostile text.
_MAX_SIDE_TOKENS = 60
# One-letter units; any other letter that touches a number, or stands alone, is an unknown.
_LETTER_UNITS = frozenset("aIgmhLl")
# Words that begin a clause: a unit does not run on over them.
_CLAUSE = frozenset(
    "and so because since which that then is are was were has have had he she they it if but "
    "there thus therefore for to as by from with who when while where after before gives get "
    "gets means costs cost left remaining spent paid needs need or".split()
)


class Token(NamedTuple):
    """A piece of a step. ``text`` of an operator is its canonical sign."""

    kind: TokenKind
    start: int
    end: int
    text: str
    number: Number | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A number of an expression; ``unit_end`` is where its unit's words end."""

    number: Number
    unit_end: int

    @property
    def start(self) -> int:
        """Offset of the number's first character."""
        return self.number.start

    @property
    def end(self) -> int:
        """Offset behind the number, its sign included, its unit not."""
        return self.number.end


@dataclass(frozen=True, slots=True)
class Binary:
    """An operation. ``op_start:op_end`` is the operator's text (empty for ``2(3)``)."""

    op: Operator
    left: Node
    right: Node
    op_start: int
    op_end: int


@dataclass(frozen=True, slots=True)
class Bracket:
    """A bracketed expression with the offsets of its brackets."""

    inner: Node
    start: int
    end: int
    unit_end: int


Node = Leaf | Binary | Bracket


class Reading(NamedTuple):
    """How an ambiguous text is valued."""

    percent: bool
    """20% is 0.2, not 20."""
    tight: bool
    """A fraction written without spaces (1/6) binds first."""


READINGS = (
    Reading(percent=True, tight=False),
    Reading(percent=False, tight=False),
    Reading(percent=True, tight=True),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """One side of an equation."""

    node: Node
    start: int
    end: int
    """End of the last number or bracket, units left out."""
    unit_end: int


@dataclass(frozen=True, slots=True)
class Equation:
    """``segments[0] = segments[1] (= …)`` in one step; offsets count within the step."""

    segments: tuple[Segment, ...]
    reading: Reading
    holds: bool

    @property
    def start(self) -> int:
        """Offset of the left-hand side."""
        return self.segments[0].start

    @property
    def end(self) -> int:
        """Offset behind the last number."""
        return self.segments[-1].end

    @property
    def lhs(self) -> Node:
        """The expression that is worked out."""
        return self.segments[0].node

    @property
    def result(self) -> Number | None:
        """The stated result, or None where the last segment is no single number."""
        node = self.segments[-1].node
        return node.number if isinstance(node, Leaf) else None

    @property
    def value(self) -> Fraction:
        """The stated result as it is written: 50 for "50%"."""
        result = self.result
        return result.value if result else evaluate(self.segments[-1].node, self.reading)

    @property
    def derives(self) -> bool:
        """Whether something is worked out, rather than a number repeated."""
        return isinstance(self.lhs, Binary) or (
            isinstance(self.lhs, Bracket) and isinstance(self.lhs.inner, Binary)
        )


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield the numbers of an expression, left to right."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Bracket):
        yield from leaves(node.inner)
    else:
        yield from leaves(node.left)
        yield from leaves(node.right)


def evaluate(
    node: Node, reading: Reading, override: Mapping[int, Fraction] | None = None
) -> Fraction:
    """Value an expression exactly.

    Args:
        node: The expression.
        reading: How percentages and fractions are valued.
        override: Values that replace those of leaves, by the leaf's start offset; as written,
            that is before a percent sign is applied.

    Raises:
        ZeroDivisionError: A divisor is zero.
    """
    if isinstance(node, Leaf):
        number = node.number
        value = (override or {}).get(number.start, number.value)
        return value / 100 if reading.percent and number.percent else value
    if isinstance(node, Bracket):
        return evaluate(node.inner, reading, override)
    left = evaluate(node.left, reading, override)
    right = evaluate(node.right, reading, override)
    if node.op == "+":
        return left + right
    if node.op == "-":
        return left - right
    return left * right if node.op == "*" else left / right


def agree(worked: Fraction, stated: Fraction, decimals: int) -> bool:
    """Whether a stated value is the worked one, or it rounded or cut to the decimals shown (1-4)."""
    if worked == stated:
        return True
    return 1 <= decimals <= 4 and abs(worked - stated) * 10**decimals < 1


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
            if tokens[end].text in _EQUALITY_VERBS:
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


def _equality_signs(tokens: Sequence[Token], step: str) -> list[int]:
    """Where something is said to equal something: =, and the verb of "6 times 14 is 84"."""
    found = []
    for index, token in enumerate(tokens):
        if token.kind == "=":
            found.append(index)
        elif token.text in _EQUALITY_VERBS and index + 1 < len(tokens):
            signs = [one for one in tokens[max(0, index - 12) : index] if one.kind in ("op", "=")]
            in_words = bool(signs) and signs[-1].kind == "op"
            in_words = in_words and len(step[signs[-1].start : signs[-1].end]) != 1
            if in_words and tokens[index + 1].kind == "number":
                found.append(index)
    return found


class _Parser:
    """Recursive descent over ``tokens[position:stop]``; None where the text is no expression."""

    def __init__(self, tokens: Sequence[Token], position: int, stop: int, tight: bool) -> None:
        self.tokens, self.position, self.stop, self.tight = tokens, position, stop, tight

    def peek(self, ahead: int = 0) -> Token | None:
        index = self.position + ahead
        return self.tokens[index] if index < self.stop else None

    def expression(self) -> Node | None:
        return self._chain(("+", "-"), self._term)

    def _term(self) -> Node | None:
        return self._chain(("*", "/"), self.factor)

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Node | None]) -> Node | None:
        left = operand()
        while left is not None and (sign := self._operator(operators)):
            self.position += sign.kind != "("
            right = operand()
            if right is None:
                return None
            op: Operator = sign.text if sign.kind == "op" else "*"  # type: ignore[assignment]
            end = sign.end if sign.kind == "op" else sign.start
            left = Binary(op, left, right, sign.start, end)
        return left

    def _operator(self, operators: tuple[str, ...]) -> Token | None:
        token = self.peek()
        if token is None:
            return None
        if token.kind == "op" and token.text in operators:
            return token
        if "*" not in operators:
            return None
        previous = self.tokens[self.position - 1]
        if token.kind == "(" and previous.kind in ("number", ")") and previous.end == token.start:
            return token  # 2(38)
        if token.kind == "number" and previous.kind == ")":
            return token._replace(kind="(")  # (1/2) 40
        if token.text == "of" and (following := self.peek(1)) and following.kind == "number":
            part = previous.kind == "number" and previous.number and previous.number.percent
            if part or (previous.kind == "number" and self._is_fraction(self.position - 3)):
                return token._replace(kind="op", text="*")
        return None

    def _is_fraction(self, index: int) -> bool:
        """Whether tokens[index:index+3] is 3/4, written without spaces."""
        if index < 0 or index + 2 >= len(self.tokens):
            return False
        one, slash, two = self.tokens[index : index + 3]
        touching = one.end == slash.start and slash.end == two.start
        return (one.kind, slash.text, two.kind) == ("number", "/", "number") and touching

    def factor(self) -> Node | None:
        token = self.peek()
        if token is None:
            return None
        if token.kind == "(":
            return self._bracket(token)
        if token.kind != "number" or token.number is None:
            return None
        if self.tight and self.position + 2 < self.stop and self._is_fraction(self.position):
            slash = self.tokens[self.position + 1]
            below = self.tokens[self.position + 2].number
            assert below is not None
            self.position += 3
            unit_end = self._unit(below.end)
            if unit_end is None:
                return None
            top = Leaf(token.number, token.end)
            return Binary("/", top, Leaf(below, unit_end), slash.start, slash.end)
        self.position += 1
        following = self.peek()
        if following and following.start == token.end + 1 and self._is_fraction(self.position):
            return self._mixed(token)
        unit_end = self._unit(token.end)
        return None if unit_end is None else Leaf(token.number, unit_end)

    def _mixed(self, whole: Token) -> Node | None:
        """``2 1/2``, read as 2 + 1/2."""
        top, slash, below = self.tokens[self.position : self.position + 3]
        self.position += 3
        unit_end = self._unit(below.end)
        if unit_end is None or None in (whole.number, top.number, below.number):
            return None
        assert whole.number and top.number and below.number
        part = Binary(
            "/", Leaf(top.number, top.end), Leaf(below.number, unit_end), slash.start, slash.end
        )
        return Binary("+", Leaf(whole.number, whole.end), part, top.start, top.start)

    def _bracket(self, token: Token) -> Node | None:
        self.position += 1
        inner = self.expression()
        closing = self.peek()
        if inner is None or closing is None or closing.kind != ")":
            return None
        self.position += 1
        unit_end = self._unit(closing.end)
        return None if unit_end is None else Bracket(inner, token.start, closing.end, unit_end)

    def _unit(self, end: int) -> int | None:
        """Step over the words of a unit; None where a letter makes the number a coefficient."""
        first = self.peek()
        if first and first.kind == "word" and first.text == "of" and self._operator(("*",)):
            return end
        words: list[tuple[int, int]] = []  # (position behind the word, its end)
        clause: int | None = None
        position = self.position
        while position < self.stop and len(words) < _MAX_UNIT_PHRASE:
            token = self.tokens[position]
            per = token.text == "/" and position + 1 < self.stop
            if per and self.tokens[position + 1].kind == "word":
                position += 1
                token = self.tokens[position]
            if token.kind != "word":
                break
            if len(token.text) == 1 and token.text.isalpha() and token.text not in _LETTER_UNITS:
                return None if not words else end
            if token.text in _CLAUSE and clause is None:
                clause = len(words)
            position += 1
            words.append((position, token.end))
        closes = position < self.stop and self.tokens[position].kind in ("op", "=", ")")
        if not closes and position < self.stop or len(words) == _MAX_UNIT_PHRASE:
            words = words[: _MAX_UNIT_WORDS if clause is None else min(clause, _MAX_UNIT_WORDS)]
        if words:
            self.position, end = words[-1]
        return end


@lru_cache(maxsize=4096)  # the traces of a group share most of their steps
def read_equations(step: str) -> tuple[Equation, ...]:
    """Return the equations of one step, left to right.

    Only arithmetic counts: where an unknown takes part (``2x = 10``) nothing is read. A label
    before the arithmetic (``Total = 3 + 4 = 7``) is left out.
    """
    tokens = tokenize(step)
    signs = _equality_signs(tokens, step)
    found: list[Equation] = []
    floor = 0
    while signs:
        first = signs[0]
        chain = [first]
        for one, two in zip(signs, signs[1:], strict=False):
            if one != chain[-1] or not _parses(tokens, one + 1, two):
                break
            chain.append(two)
        signs = signs[len(chain) :]
        stop = signs[0] if signs else len(tokens)
        equation = _equation(tokens, floor, chain, stop)
        if equation:
            found.append(equation)
            floor = next(
                (i for i, token in enumerate(tokens) if token.start >= equation.end), len(tokens)
            )
        else:
            floor = chain[-1] + 1
    return tuple(found)


def _parse(tokens: Sequence[Token], start: int, stop: int, tight: bool) -> tuple[Node, int] | None:
    """Parse from ``start``; return the node and the index behind it."""
    parser = _Parser(tokens, start, stop, tight)
    node = parser.expression()
    return None if node is None else (node, parser.position)


def _parses(tokens: Sequence[Token], start: int, stop: int) -> bool:
    parsed = _parse(tokens, start, stop, tight=False)
    return parsed is not None and parsed[1] == stop


def _longest_suffix(tokens: Sequence[Token], floor: int, stop: int, tight: bool) -> Node | None:
    for start in range(max(floor, stop - _MAX_SIDE_TOKENS), stop):
        if tokens[start].kind not in ("number", "("):
            continue
        parsed = _parse(tokens, start, stop, tight)
        if parsed and parsed[1] == stop:
            cut = start > 0 and tokens[start - 1].kind == "op"  # "x + 278": the rest of a formula
            return None if cut else parsed[0]
    return None


def _last_sides(tokens: Sequence[Token], start: int, stop: int) -> list[Node]:
    """Candidates for the last side, the plainest first: 12, then 3/4, then 3 + 4."""
    if start >= stop or tokens[start].kind not in ("number", "("):
        return []
    stop = min(stop, start + _MAX_SIDE_TOKENS)
    plainest = _Parser(tokens, start, stop, tight=False).factor()
    if plainest is None:  # "= 12y"
        return []
    fraction = _Parser(tokens, start, stop, tight=True).factor()
    whole = _parse(tokens, start, stop, tight=False)
    rest = [fraction, whole[0] if whole else None]
    return [plainest, *(node for node in rest if node is not None)]


def _equation(
    tokens: Sequence[Token], floor: int, chain: Sequence[int], stop: int
) -> Equation | None:
    fallback: Equation | None = None
    for reading in READINGS:
        left = _longest_suffix(tokens, floor, chain[0], reading.tight)
        middle = [
            _parse(tokens, one + 1, two, reading.tight)
            for one, two in zip(chain, chain[1:], strict=False)
        ]
        nodes = [left, *(parsed[0] if parsed else None for parsed in middle)]
        while nodes and nodes[0] is None:  # a label, not arithmetic
            nodes.pop(0)
        if not nodes or None in nodes:
            continue
        for last in _last_sides(tokens, chain[-1] + 1, stop):
            segments = tuple(_segment(node) for node in [*nodes, last] if node is not None)
            if not any(isinstance(segment.node, Binary | Bracket) for segment in segments):
                continue  # "6 hours = 360 minutes" says the same thing twice: no arithmetic
            equation = Equation(segments, reading, holds=_holds(segments, reading))
            if not equation.holds and len(segments) > 2 and isinstance(nodes[0], Leaf):
                # "60 kW would cost = $0.10 * 60 = $6": the first side is a label
                shorter = segments[1:]
                if _holds(shorter, reading):
                    equation = Equation(shorter, reading, holds=True)
            if equation.holds:
                return equation
            fallback = fallback or equation
    return fallback


def _holds(segments: Sequence[Segment], reading: Reading) -> bool:
    try:
        values = [evaluate(segment.node, reading) for segment in segments]
    except ZeroDivisionError:
        return False
    last = segments[-1].node
    decimals = last.number.style.decimals if isinstance(last, Leaf) else 0
    return all(agree(worked, values[-1], decimals) for worked in values[:-1])


def _segment(node: Node) -> Segment:
    start, end, unit_end = extent(node)
    return Segment(node, start, end, unit_end)


def extent(node: Node) -> tuple[int, int, int]:
    """Return (start, end without the unit, end with the unit) of an expression."""
    if isinstance(node, Leaf | Bracket):
        return node.start, node.end, node.unit_end
    start, _, _ = extent(node.left)
    _, end, unit_end = extent(node.right)
    return start, end, unit_end
