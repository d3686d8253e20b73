"""Flaws of omission: what prose says of a boundary case is gone, and so is the guard."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelift_groups.perturb.code.facts.flow import is_boundary
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.program import Program

_CASE = re.compile(
    r"\b(?:if|when|whenever|in case|edge cases?|base cases?|corner cases?|special cases?|empty"
    r"|no such|otherwise|handles?|once)\b",
    re.IGNORECASE,
)
_RETURNS = re.compile(r"\b(?:return|result is|answer is|output|yield)\w*\b", re.IGNORECASE)
_ASKS = re.compile(r"\bcheck(?:s|ing)?\s+(?:if|whether|for)\b", re.IGNORECASE)
_SKIPS = re.compile(r"\b(?:skip|ignore|continue|move on|pass over)\w*\b", re.IGNORECASE)
_EMPTY = re.compile(
    r"\b(?:empty|null|none|no (?:more )?(?:elements?|nodes?|root|characters?))\b", re.I
)
_WORDS = {
    "[]": r"empty (?:list|array)", "''": r"empty string", '""': r"empty string",
    "None": r"(?:`?None`?|null)", "True": r"`?[Tt]rue`?", "False": r"`?[Ff]alse`?",
    "0": r"(?:`?0`?|zero)", "1": r"(?:`?1`?|one)", "-1": r"`?-1`?",
}  # fmt: skip
_NUMBERS = {0: "zero", 1: "one", 2: "two", 3: "three"}
_LONGEST = 45


def drop_boundary(sentence: str, program: Program) -> Iterator[Proposal]:
    """Leave a sentence about a boundary case out, where the program has just that guard."""
    if not _CASE.search(sentence) or len(sentence.split()) > _LONGEST:
        return
    asks = _ASKS.search(sentence) and not _RETURNS.search(sentence)
    meant = [
        guard
        for guard in _guards(program)
        if _speaks_of(sentence, guard) or (asks and _names_test(sentence, guard.test))
    ]
    if len(meant) == 1:
        guard = meant[0]
        made = program.changed(lambda node: [] if node is guard else None)
        if made:
            yield Proposal("missing_edge_case", "drop_guard", "", made)


def _guards(program: Program) -> Iterator[ast.If]:
    for node in ast.walk(program.tree):
        if not isinstance(node, ast.If) or len(node.body) != 1 or node.orelse:
            continue
        if isinstance(node.body[0], ast.Return | ast.Continue) and is_boundary(program, node):
            yield node


def _speaks_of(sentence: str, guard: ast.If) -> bool:
    only = guard.body[0]
    if isinstance(only, ast.Continue):
        return bool(_SKIPS.search(sentence)) and _names_test(sentence, guard.test)
    if not _RETURNS.search(sentence):
        return False
    value = only.value if isinstance(only, ast.Return) else None
    if value is not None:
        shown = ast.unparse(value)
        pattern = _WORDS.get(shown, rf"(?<!\w)`?{re.escape(shown)}`?(?!\w)")
        behind = _RETURNS.search(sentence)
        assert behind is not None
        if not re.search(rf"(?<![\w-]){pattern}(?!\w)", sentence[behind.start() :]):
            before = re.search(rf"(?<![\w-]){pattern}(?!\w)", sentence)
            if before is None or shown in ("0", "1"):
                return False
    return _names_test(sentence, guard.test)


def _names_test(sentence: str, test: ast.expr) -> bool:
    """Whether a sentence states a guard's condition: in code, or its names and its boundary."""
    if ast.unparse(test).replace(" ", "") in sentence.replace(" ", ""):
        return True
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sentence) for name in names)
    if _tests_emptiness(test) and _EMPTY.search(sentence):
        return named or len(names) == 1
    numbers = {n.value for n in ast.walk(test) if isinstance(n, ast.Constant)}
    said = any(
        re.search(rf"(?<![\w-])(?:{number}|{_NUMBERS.get(number, number)})(?!\w)", sentence)
        for number in numbers
        if type(number) is int
    )
    return named and said


def _tests_emptiness(test: ast.expr) -> bool:
    """``not xs``, ``xs is None``, ``len(xs) == 0`` and ``or`` of such."""
    if isinstance(test, ast.BoolOp):
        return any(_tests_emptiness(value) for value in test.values)
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        right = test.comparators[0]
        return isinstance(right, ast.Constant) and right.value in (0, None, "")
    return False
