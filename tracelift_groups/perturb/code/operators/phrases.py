"""Flaws in how prose states a bound or a start: the words and the program change alike."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelift_groups.perturb.code.fragments import parse
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.program import Program, canonical

_TERM = r"`[^`\n]{1,40}`|\\\(\s*[^\n]{1,30}?\s*\\\)|[A-Za-z_]\w*\s?[-+]\s?\d+|[A-Za-z_]\w*|\d+"
_FROM_TO = re.compile(
    rf"\bfrom\s+(?P<a>{_TERM})\s+(?:up\s+|down\s+)?to\s+(?P<b>{_TERM})"
    r"(?P<tail>\s*\(?(?:inclusive|exclusive|included|excluded)\)?)?"
)
_START = re.compile(
    r"(?:[Ii]nitiali[sz]\w*|[Ss]et|[Ss]tart\w*|begin\w*|is|are|with)\b[^.`]{0,40}?`(?P<v>[A-Za-z_]\w*)`"
    r"[^.`]{0,30}?\b(?:to|at|as|with|is|=)\s+(?P<q>`?)(?P<n>-?\d+)(?P=q)(?!\w|\.\d)"
    r"|`(?P<v2>[A-Za-z_]\w*)`\s+(?:is (?:initiali[sz]ed|set)|start\w*|begin\w*|is)\s+"
    r"(?:(?:to|at|as|with|from|out)\s+)*(?P<q2>`?)(?P<n2>-?\d+)(?P=q2)(?!\w|\.\d)"
)
# Words for a comparison, longest first, and the words that let the boundary in or out.
_WORDS: tuple[tuple[str, type[ast.cmpop], str], ...] = (
    ("less than or equal to", ast.LtE, "less than"),
    ("greater than or equal to", ast.GtE, "greater than"),
    ("no more than", ast.LtE, "less than"),
    ("at most", ast.LtE, "less than"),
    ("at least", ast.GtE, "more than"),
    ("not less than", ast.GtE, "greater than"),
    ("less than", ast.Lt, "at most"),
    ("smaller than", ast.Lt, "at most"),
    ("fewer than", ast.Lt, "at most"),
    ("greater than", ast.Gt, "at least"),
    ("larger than", ast.Gt, "at least"),
    ("more than", ast.Gt, "at least"),
    ("exceeds", ast.Gt, "reaches"),
)
_MIRRORED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
_STRICT: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
_NUMBERS = {"zero": 0, "one": 1, "two": 2, "three": 3}


def change_range(sentence: str, program: Program) -> Iterator[Proposal]:
    """Make "from 1 to `n`" one value fewer at either end."""
    for match in _FROM_TO.finditer(sentence):
        first, last = _term(match["a"]), _term(match["b"])
        if first is None or last is None:
            continue
        for node in _ranges(program):
            if canonical(node.args[0]) != canonical(first):
                continue
            behind = canonical(node.args[1]) == canonical(_plus(last, 1))
            if not behind and canonical(node.args[1]) != canonical(last):
                continue
            yield from _shorter(sentence, match, program, node, first, last)


def _shorter(
    sentence: str,
    match: re.Match[str],
    program: Program,
    node: ast.Call,
    first: ast.expr,
    last: ast.expr,
) -> Iterator[Proposal]:
    form = canonical(node)
    start, end = node.args
    if isinstance(first, ast.Constant) and isinstance(first.value, int):
        later = _call_with(node, ast.Constant(first.value + 1), end)
        made = program.replaced(form, later)
        text = _put(sentence, match, "a", str(first.value + 1))
        if made:
            yield Proposal("off_by_one", "late_start", text, made)
    earlier = program.replaced(form, _call_with(node, start, _plus(end, -1)))
    if earlier:
        text = _put(sentence, match, "b", ast.unparse(_plus(last, -1)))
        yield Proposal("off_by_one", "early_end", text, earlier)


def _ranges(program: Program) -> Iterator[ast.Call]:
    """``range(a, b)``; ``range(b)`` with its start written out."""
    for node in ast.walk(program.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "range"
            and len(node.args) == 2
        ):
            yield node


def _call_with(node: ast.Call, first: ast.expr, last: ast.expr) -> ast.Call:
    return ast.Call(node.func, [first, last], [])


def _plus(node: ast.expr, by: int) -> ast.expr:
    """``node + by``, with a number or a sum at its end put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return ast.Constant(node.value + by)
    ends = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and node.right
    if isinstance(node, ast.BinOp) and isinstance(ends, ast.Constant) and type(ends.value) is int:
        sign = 1 if isinstance(node.op, ast.Add) else -1
        return _plus_constant(node.left, sign * ends.value + by)
    return _plus_constant(node, by)


def _plus_constant(node: ast.expr, by: int) -> ast.expr:
    if by == 0:
        return node
    operation: ast.operator = ast.Add() if by > 0 else ast.Sub()
    return ast.BinOp(node, operation, ast.Constant(abs(by)))


def _term(text: str) -> ast.expr | None:
    node = parse(text.strip("`").removeprefix("\\(").removesuffix("\\)").strip())
    return node if isinstance(node, ast.expr) else None


def _put(sentence: str, match: re.Match[str], group: str, code: str) -> str:
    """Put code in a term's place, in the marks that the term has."""
    old = match[group]
    if old.startswith("`"):
        code = f"`{code}`"
    elif old.startswith("\\("):
        code = f"\\( {code} \\)"
    return sentence[: match.start(group)] + code + sentence[match.end(group) :]


def change_start(sentence: str, program: Program) -> Iterator[Proposal]:
    """Make "initialize `count` to 0" one more."""
    for match in _START.finditer(sentence):
        which = "" if match["v"] else "2"
        name, number = match["v" + which], int(match["n" + which])
        old = ast.Assign([ast.Name(name)], _constant(number))
        form = canonical(old)
        made = program.replaced(form, ast.Assign([ast.Name(name)], _constant(number + 1)))
        if made and program.forms[form] == 1:
            at = match.span("n" + which)
            text = sentence[: at[0]] + str(number + 1) + sentence[at[1] :]
            yield Proposal("off_by_one", "shift_start", text, made)


def _constant(number: int) -> ast.expr:
    if number < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-number))
    return ast.Constant(number)


def change_comparison(sentence: str, program: Program) -> Iterator[Proposal]:
    """Let the boundary of "fewer than two" in, where the program has one such comparison."""
    lowered, taken = sentence.lower(), -1
    for at, words, kind, other in sorted(_found(lowered)):
        if at < taken:
            continue
        taken = at + len(words)
        nodes = [node for node in _comparisons(program, kind) if _meant(node, kind, lowered, taken)]
        if len({canonical(node) for node in nodes}) != 1:
            continue
        node = nodes[0]
        new = ast.Compare(node.left, [_STRICT[type(node.ops[0])]()], node.comparators)
        made = program.replaced(canonical(node), new)
        if made:
            opens = sentence[at].isupper()
            text = sentence[:at] + (other.capitalize() if opens else other) + sentence[taken:]
            yield Proposal("off_by_one", "strictness", text, made)


def _found(lowered: str) -> Iterator[tuple[int, str, type[ast.cmpop], str]]:
    spans: list[tuple[int, int]] = []
    for words, kind, other in _WORDS:
        for match in re.finditer(
            rf"(?<!not )(?<!longer )(?<!never )\b{words}\b(?! or equal)", lowered
        ):
            if not any(start < match.end() and match.start() < end for start, end in spans):
                spans.append(match.span())
                yield match.start(), words, kind, other


def _comparisons(program: Program, kind: type[ast.cmpop]) -> Iterator[ast.Compare]:
    for node in ast.walk(program.tree):
        if isinstance(node, ast.Compare) and [type(op) for op in node.ops] in (
            [kind],
            [_MIRRORED[kind]],
        ):
            yield node


def _meant(node: ast.Compare, kind: type[ast.cmpop], lowered: str, behind: int) -> bool:
    """Whether a comparison's operands are what the words stand between.

    One side must be named in the sentence, and the other be the number or name that follows.
    """
    follows = re.match(r"\s*(?:the\s+)?`?([\w.]+)", lowered[behind:])
    if follows is None:
        return False
    word = follows[1]
    sides = [node.left, node.comparators[0]]
    # What follows the words is on the right of a comparison that reads as they do.
    ways = [sides[::-1]] if isinstance(node.ops[0], kind) else [sides]
    for one, other in ways:
        shown = ast.unparse(one).lower()
        if shown == word or (word in _NUMBERS and shown == str(_NUMBERS[word])):
            names = [
                part
                for child in ast.walk(other)
                if isinstance(child, ast.Name | ast.Attribute)
                for part in _parts(child.id if isinstance(child, ast.Name) else child.attr)
            ]
            if any(re.search(rf"\b{re.escape(part)}", lowered[:behind]) for part in names):
                return True
    return False


def _parts(name: str) -> list[str]:
    """The words of a name: ``max_len`` and ``maxLen`` are max and len."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return [word.lower() for word in words if len(word) > 1 or len(name) == 1]
