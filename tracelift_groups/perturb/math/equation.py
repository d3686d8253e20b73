"""Equations in prose: ``100 gold * 3 silver/gold = 300 silver``, ``3 times 60 equals 180``.

Text is ambiguous, so an equation may have several readings (is 20% a 20 or a 0.2? is
``2 / 1/6`` one division or two?). :func:`read_equations` takes the first reading that is true; a
statement that is false in every reading is a false equation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from tracelift_groups.perturb.math.expression import (
    READINGS,
    Binary,
    Bracket,
    Leaf,
    Node,
    Parser,
    Reading,
    evaluate,
    extent,
)
from tracelift_groups.perturb.math.numbers import Number
from tracelift_groups.perturb.math.tokens import EQUALITY_VERBS, Token, tokenize

# No side of a word problem's equation is longer; bounds the work on hostile text.
_MAX_SIDE_TOKENS = 60


class Segment(NamedTuple):
    """One side of an equation."""

    node: Node
    start: int
    end: int
    """End of the last number or bracket, units left out."""
    unit_end: int


class Equation(NamedTuple):
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


def operations(equation: Equation) -> list[Binary]:
    """Return the operations of all sides, an outer one before what it contains."""
    found: list[Binary] = []

    def walk(node: Node) -> None:
        if isinstance(node, Bracket):
            walk(node.inner)
        elif isinstance(node, Binary):
            found.append(node)
            walk(node.left)
            walk(node.right)

    for segment in equation.segments:
        walk(segment.node)
    return found


def multiplies(equation: Equation, start: int) -> bool:
    """Whether the number that starts at an offset is a factor or divisor, not a term."""
    return any(
        operation.op in "*/"
        and any(isinstance(s, Leaf) and s.start == start for s in (operation.left, operation.right))
        for operation in operations(equation)
    )


def divides(equation: Equation, start: int) -> bool:
    """Whether the number that starts at an offset is a divisor."""
    return any(
        operation.op == "/" and isinstance(operation.right, Leaf) and operation.right.start == start
        for operation in operations(equation)
    )


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
        for one, two in pairwise(signs):
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
    parser = Parser(tokens, start, stop, tight)
    node = parser.expression()
    return None if node is None else (node, parser.position)


def parse_expression(text: str, reading: Reading) -> Node | None:
    """Parse a text that is one expression from end to end; None where it is not."""
    tokens = tokenize(text)
    parsed = _parse(tokens, 0, len(tokens), reading.tight)
    return parsed[0] if parsed and parsed[1] == len(tokens) else None


def _readings(tokens: Sequence[Token]) -> Iterator[Reading]:
    """The readings that differ for these tokens."""
    percent = any(token.number and token.number.percent for token in tokens)
    fraction = any(
        token.text == "/" and one.end == token.start and token.end == two.start
        for one, token, two in zip(tokens, tokens[1:], tokens[2:], strict=False)
    )
    for reading in READINGS:
        if (reading.percent or percent) and (not reading.tight or fraction):
            yield reading


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


def _last_sides(tokens: Sequence[Token], start: int, stop: int) -> Iterator[Node]:
    """Candidates for the last side, the plainest first: 12, then 3/4, then 3 + 4."""
    if start >= stop or tokens[start].kind not in ("number", "("):
        return
    stop = min(stop, start + _MAX_SIDE_TOKENS)
    plainest = Parser(tokens, start, stop, tight=False).factor()
    if plainest is None:  # "= 12y"
        return
    yield plainest
    fraction = Parser(tokens, start, stop, tight=True).factor()
    if fraction is not None:
        yield fraction
    whole = _parse(tokens, start, stop, tight=False)
    if whole is not None:
        yield whole[0]


def _equation(
    tokens: Sequence[Token], floor: int, chain: Sequence[int], stop: int
) -> Equation | None:
    fallback: Equation | None = None
    for reading in _readings(tokens):
        left = _longest_suffix(tokens, floor, chain[0], reading.tight)
        middle = [_parse(tokens, one + 1, two, reading.tight) for one, two in pairwise(chain)]
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
            fallback = equation  # a false one is read to its end
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


def agree(worked: Fraction, stated: Fraction, decimals: int) -> bool:
    """Whether a stated value is the worked one, or that rounded or cut to its 1-4 decimals."""
    if worked == stated:
        return True
    return 1 <= decimals <= 4 and abs(worked - stated) * 10**decimals < 1


def _equality_signs(tokens: Sequence[Token], step: str) -> list[int]:
    """Where something is said to equal something: =, and the verb of "6 times 14 is 84"."""
    found = []
    for index, token in enumerate(tokens):
        if token.kind == "=":
            found.append(index)
        elif token.text in EQUALITY_VERBS and index + 1 < len(tokens):
            signs = [one for one in tokens[max(0, index - 12) : index] if one.kind in ("op", "=")]
            in_words = bool(signs) and signs[-1].kind == "op"
            in_words = in_words and len(step[signs[-1].start : signs[-1].end]) != 1
            if in_words and tokens[index + 1].kind == "number":
                found.append(index)
    return found
