"""Large inputs made of small ones, for programs that are right and far too slow.

The sizes are fixed: what is chosen must not depend on how fast a machine is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracelift_groups.verify.cases import Case

# Long enough that a quadratic program takes minutes and one near linear a fraction of a second.
_LENGTHS = (60_000, 400, 60)
_NUMBERS = (100_000, 200, 60)
_PRIME = 1_000_003
_STRIDE = 7919


class Scaled(NamedTuple):
    """A large input: as call arguments for asserts, as stdin for programs that read it."""

    input: str
    stdin: bool


def scaled(case: Case) -> Iterator[Scaled]:
    """Yield larger inputs of the shape of a test's, the largest first.

    Only inputs whose shape says how to grow them: lists of numbers, strings, sizes; a line with
    a count before a line of so many numbers.
    """
    if case.code:
        yield from _arguments(case.input)
    else:
        yield from _stdin(case.input)


def _arguments(text: str) -> Iterator[Scaled]:
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return
    if not isinstance(call, ast.Call):
        return
    values = [(None, arg) for arg in call.args] + [(key.arg, key.value) for key in call.keywords]
    for length, number in zip(_LENGTHS, _NUMBERS, strict=True):
        parts, grown, long = [], False, any(_long(value, length) for _, value in values)
        for name, value in values:
            # A number beside a list is a limit or an index more often than a size.
            larger = _long(value, length) or (None if long else _large(value, number))
            grown |= larger is not None
            shown = larger or ast.unparse(value)
            parts.append(f"{name} = {shown}" if name else shown)
        if grown:
            yield Scaled(", ".join(parts), stdin=False)


def _long(value: ast.expr, length: int) -> str | None:
    """A list of whole numbers or a string, grown; an expression that is short to write."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and len(value.value) > 1:
        return f"({value.value!r} * {length})[:{length}]"
    if not isinstance(value, ast.List) or len(value.elts) < 2:
        return None
    try:
        numbers = ast.literal_eval(value)
    except ValueError:
        return None
    if not all(type(number) is int for number in numbers):
        return None
    if all(one < two for one, two in pairwise(numbers)):
        return f"list(range(1, {length + 1}))"
    return f"[i * {_STRIDE} % {_PRIME} for i in range(1, {length + 1})]"


def _large(value: ast.expr, number: int) -> str | None:
    whole = isinstance(value, ast.Constant) and type(value.value) is int
    return str(number) if whole else None


def _stdin(text: str) -> Iterator[Scaled]:
    """A count, and below it a line of so many numbers."""
    lines = text.strip().split("\n")
    if len(lines) < 2 or not all(re.fullmatch(r"-?\d+", word) for word in lines[1].split()):
        return
    head = lines[0].split()
    if not head or head[0] != str(len(lines[1].split())) or len(lines) > 2:
        return
    for length in _LENGTHS:
        row = " ".join(str(i * _STRIDE % _PRIME) for i in range(1, length + 1))
        yield Scaled(f"{' '.join([str(length), *head[1:]])}\n{row}\n", stdin=True)
