"""Code within prose: what stands in backticks, in formulas, or bare ("from i + 1 to n - 1")."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

_TICKED = re.compile(r"`([^`\n]{1,120})`")
_FORMULA = re.compile(r"\\\(\s*([^\n]{1,120}?)\s*\\\)|(?<![\w$])\$([^$\n]{1,80})\$(?![\w$])")
_LATEX = {
    r"\leq": "<=", r"\geq": ">=", r"\le": "<=", r"\ge": ">=", r"\neq": "!=", r"\ne": "!=",
    r"\lt": "<", r"\gt": ">", r"\times": "*", r"\cdot": "*",
}  # fmt: skip
_WORD = r"(?:[A-Za-z_]\w*(?:\[[^\[\]\n`]{1,30}\]|\([^()\n`]{0,30}\))*|\d+)"
# Prose has dashes and hyphens: a bare sum needs an operand with a digit, index or call beside it.
_BARE = re.compile(
    rf"(?<![\w.`\\$'-]){_WORD}(?:\s?(?:<=|>=|==|!=|[-+]=|//|\*\*|[-+*/%<>^&|=])\s?{_WORD})+(?![\w`'(\[-])"
)
_HYPHENATED = re.compile(r"[A-Za-z]{2,}(?:-[A-Za-z]{2,})+")
_HEADER = re.compile(r"(?:el)?(?P<word>if|while|for)\b.*")


class Fragment(NamedTuple):
    """A piece of code within a text.

    Attributes:
        start, end: Characters of the text that the code takes up, without marks around it.
        code: That piece of the text.
        node: The expression or small statement it stands for: of ``while a < b`` the condition.
    """

    start: int
    end: int
    code: str
    node: ast.AST


def fragments(text: str, names: frozenset[str]) -> Iterator[Fragment]:
    """Yield the code in a text that parses, from left to right.

    Args:
        text: Prose.
        names: The program's names; bare code (without marks) uses no others.
    """
    taken: list[tuple[int, int]] = []
    found = []
    for match in _TICKED.finditer(text):
        taken.append(match.span())
        found.append((match.start(1), match[1]))
    for match in _FORMULA.finditer(text):
        group = 1 if match[1] is not None else 2
        taken.append(match.span())
        found.append((match.start(group), match[group]))
    for match in _BARE.finditer(text):
        if _HYPHENATED.fullmatch(match[0]):
            continue
        if not any(start < match.end() and match.start() < end for start, end in taken):
            node = parse(match[0])
            if node is not None and _names(node) and _names(node) <= names:
                found.append((match.start(), match[0]))
    for start, code in sorted(found):
        node = parse(code)
        if node is not None:
            yield Fragment(start, start + len(code), code, node)


def parse(code: str) -> ast.AST | None:
    """Parse a fragment: an expression, a small statement, or the head of a compound one.

    The positions in the result count from the start of ``code``. None where it is no code.
    """
    code = plain(code)
    header = _HEADER.fullmatch(code)
    if header:
        return _parse_header(code)
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if len(body) != 1 or body[0].end_lineno != 1:
        return None
    only = body[0]
    return only.value if isinstance(only, ast.Expr) else only


def plain(code: str) -> str:
    """Write a formula's signs as Python's, each padded to the width that it had.

    Positions in the result are positions in ``code``.
    """
    if "\\" not in code:
        return code
    for sign, python in _LATEX.items():
        code = re.sub(re.escape(sign) + r"(?![A-Za-z])", python.ljust(len(sign)), code)
    return code


def _parse_header(code: str) -> ast.AST | None:
    """``if``, ``elif``, ``while``, ``for``: the condition, or what the loop goes over."""
    shift = 2 if code.startswith("el") else 0
    try:
        body = ast.parse(code[shift:].rstrip(": ") + ": pass").body
    except (SyntaxError, ValueError, RecursionError):
        return None
    only = body[0] if len(body) == 1 else None
    if isinstance(only, ast.For):
        inner: ast.AST = only.iter
    elif isinstance(only, ast.If | ast.While):
        inner = only.test
    else:
        return None
    for node in ast.walk(inner):
        if hasattr(node, "col_offset"):
            node.col_offset += shift
            node.end_col_offset += shift  # type: ignore[attr-defined]
    return inner


def _names(node: ast.AST) -> set[str]:
    return {
        child.id if isinstance(child, ast.Name) else child.attr
        for child in ast.walk(node)
        if isinstance(child, ast.Name | ast.Attribute)
    }
