"""Flaws in how prose names the method: the order of a sort, the larger or the smaller."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelift_groups.perturb.code.facts import Untruth, facts_of
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.program import Program

_ORDERS = (
    ("descending", "ascending"),
    ("decreasing", "increasing"),
    ("non-increasing", "non-decreasing"),
    ("largest to smallest", "smallest to largest"),
    ("highest to lowest", "lowest to highest"),
)
_ORDER = {word: other for one, two in _ORDERS for word, other in ((one, two), (two, one))}
_ORDER_WORD = re.compile(rf"\b(?<!-)(?:{'|'.join(sorted(_ORDER, key=len, reverse=True))})\b")
_SORT = re.compile(r"\b[Ss]ort(?:s|ed|ing)?\b")
_THINGS = (
    "array|list|string|numbers|elements|intervals|strings|words|characters|values|keys|points|costs"
    "|items|pairs|people|events|tasks|jobs|boxes|letters|digits|tuples|indices|coordinates"
)
_SORT_OBJECT = re.compile(
    rf"\b[Ss]ort(?:s|ing)?\s+(?:(?:the|each|this|these|our|input|given)\s+)*"
    rf"(?:`\w+`(?:\s+(?:{_THINGS}))?|(?:{_THINGS})(?:\s+`\w+`)?)"
    rf"(?=[.,;:)*]|\s+(?:to|and|so|first|allows?|helps?|will)\b|$)"
)
_EXTREME = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max",
    "larger": "smaller", "smaller": "larger", "largest": "smallest", "smallest": "largest",
    "greater": "lesser", "greatest": "smallest", "highest": "lowest", "lowest": "highest",
}  # fmt: skip
_OF = re.compile(
    r"\b(maximum|minimum|max|min|larger|smaller|largest|smallest|greater)(?= (?:of|between)\b)"
)
_ENDS = (
    (
        re.compile(r"\b(front|beginning|start|left)\b(?= of (?:the )?`?\w*(?:queue|deque|q)\b)"),
        "back",
    ),
    (re.compile(r"\b(oldest)\b(?= (?:entry|element|item))"), "newest"),
)


def change_order(sentence: str, program: Program) -> Iterator[Proposal]:
    """Turn "sort … in descending order" round, where the program sorts once."""
    if not _SORT.search(sentence):
        return
    sorts = [fact for fact in facts_of(program) if fact.form == "sorted"]
    if len(sorts) != 1:
        return
    turned = _untruth(sorts[0].untruths, "reverse_sort")
    if turned is None or turned.program is None:
        return
    found = list(_ORDER_WORD.finditer(sentence))
    if len(found) == 1:
        text = _replace(sentence, found[0], _ORDER[found[0][0]])
        yield Proposal("wrong_algorithm", "reverse_sort", text, turned.program)
    elif not found and "in ascending order" in sorts[0].wordings[0]:
        match = _SORT_OBJECT.search(sentence)
        if match:
            text = f"{sentence[: match.end()]} in descending order{sentence[match.end() :]}"
            yield Proposal("wrong_algorithm", "reverse_sort", text, turned.program)


def _untruth(untruths: tuple[Untruth, ...], operator: str) -> Untruth | None:
    return next((one for one in untruths if one.operator == operator), None)


def _replace(sentence: str, match: re.Match[str], word: str) -> str:
    return sentence[: match.start()] + word + sentence[match.end() :]


def change_extreme(sentence: str, program: Program) -> Iterator[Proposal]:
    """Make "the maximum of" the minimum of, where the program has one such call."""
    for match in _OF.finditer(sentence):
        word = match[1]
        wanted = "max" if word in ("maximum", "max", "larger", "largest", "greater") else "min"
        calls = [
            node
            for node in ast.walk(program.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == wanted
        ]
        if len(calls) != 1 or not _named(calls[0], sentence):
            continue
        other = "min" if wanted == "max" else "max"
        call = calls[0]
        new = ast.Call(ast.Name(other, ast.Load()), call.args, call.keywords)
        made = _swapped(program, call, new)
        if made:
            text = _replace(sentence, match, _EXTREME[word])
            yield Proposal("wrong_algorithm", "other_extreme", text, made)


def _swapped(program: Program, old: ast.AST, new: ast.expr) -> str | None:
    return program.changed(lambda node: new if node is old else None)


def _named(node: ast.AST, sentence: str) -> bool:
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)} - {"max", "min"}
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sentence) for name in names)


def change_end(sentence: str, program: Program) -> Iterator[Proposal]:
    """Make "from the front of the queue" from its back."""
    taken = [
        fact
        for fact in facts_of(program)
        if fact.form == "taken" and "its oldest" in fact.wordings[0]
    ]
    if len(taken) != 1 or not taken[0].untruths:
        return
    made = taken[0].untruths[0].program
    if made is None:
        return
    for pattern, other in _ENDS:
        found = list(pattern.finditer(sentence))
        if len(found) == 1:
            text = _replace(sentence, found[0], other)
            yield Proposal("wrong_algorithm", "other_end", text, made)
