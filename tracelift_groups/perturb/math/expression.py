"""Arithmetic expressions as they stand in prose: ``100 gold * 3 silver/gold``.

The grammar is the usual one for + - * / and brackets, with units allowed behind a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from tracelift_groups.perturb.math.numbers import Number
from tracelift_groups.perturb.math.tokens import Operator, Token

# A unit may be a phrase ("40 cups of coffee per lb. * 3"); without a sign behind it, a few words.
_MAX_UNIT_WORDS = 4
_MAX_UNIT_PHRASE = 9
# One-letter units; any other letter that touches a number, or stands alone, is an unknown.
_LETTER_UNITS = frozenset("aIgmhLl")
# Words that begin a clause: a unit does not run on over them.
_CLAUSE = frozenset(
    "and so because since which that then is are was were has have had he she they it if but "
    "there thus therefore for to as by from with who when while where after before gives get "
    "gets means costs cost left remaining spent paid needs need or".split()
)


class Leaf(NamedTuple):
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


class Binary(NamedTuple):
    """An operation. ``op_start:op_end`` is the operator's text (empty for ``2(3)``)."""

    op: Operator
    left: Node
    right: Node
    op_start: int
    op_end: int


class Bracket(NamedTuple):
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


def extent(node: Node) -> tuple[int, int, int]:
    """Return (start, end without the unit, end with the unit) of an expression."""
    if isinstance(node, Leaf | Bracket):
        return node.start, node.end, node.unit_end
    start, _, _ = extent(node.left)
    _, end, unit_end = extent(node.right)
    return start, end, unit_end


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield the numbers of an expression, left to right."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Bracket):
        yield from leaves(node.inner)
    else:
        yield from leaves(node.left)
        yield from leaves(node.right)


def is_fraction(operation: Binary, step: str) -> bool:
    """Whether a sign is the bar of a fraction such as 3/4 rather than a division."""
    left, right = operation.left, operation.right
    if operation.op != "/" or not isinstance(left, Leaf) or not isinstance(right, Leaf):
        return False
    around = step[operation.op_start - 1 : operation.op_end + 1]
    return around.strip() == around and left.number.value < right.number.value


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


class Parser:
    """Recursive descent over ``tokens[position:stop]``; None where the text is no expression."""

    def __init__(self, tokens: Sequence[Token], position: int, stop: int, tight: bool) -> None:
        self.tokens, self.position, self.stop, self.tight = tokens, position, stop, tight

    def peek(self, ahead: int = 0) -> Token | None:
        """Return a token from here on without stepping over it."""
        index = self.position + ahead
        return self.tokens[index] if index < self.stop else None

    def expression(self) -> Node | None:
        """Parse a sum."""
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
        """Parse a number with its unit, a mixed number, or brackets."""
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
        if (not closes and position < self.stop) or len(words) == _MAX_UNIT_PHRASE:
            words = words[: _MAX_UNIT_WORDS if clause is None else min(clause, _MAX_UNIT_WORDS)]
        if words:
            self.position, end = words[-1]
        return end
