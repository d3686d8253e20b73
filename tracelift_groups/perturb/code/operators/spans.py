"""Flaws in code that a sentence quotes: the quoted code and the program change alike."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.fragments import Fragment, fragments, parse
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.program import Program, canonical

_STRICT = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_TURNED = {ast.Lt: ">", ast.LtE: ">=", ast.Gt: "<", ast.GtE: "<="}
_SIGNS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%",
    ast.BitXor: "^", ast.BitOr: "|", ast.BitAnd: "&", ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip
_OTHER_SIGN = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "%", ast.Mod: "//",
    ast.BitXor: "|", ast.BitOr: "^", ast.BitAnd: "|", ast.LShift: ">>", ast.RShift: "<<",
}  # fmt: skip
_OTHER_CALL = {
    "min": "max", "max": "min", "all": "any", "any": "all", "sum": "max",
    "bisect_left": "bisect_right", "bisect_right": "bisect_left", "bisect": "bisect_left",
    "popleft": "pop", "union": "intersection", "isalpha": "isalnum", "isalnum": "isalpha",
    "heappushpop": "heapreplace", "ceil": "floor", "floor": "ceil", "lstrip": "rstrip",
    "rstrip": "lstrip", "find": "rfind", "index": "rindex", "startswith": "endswith",
    "endswith": "startswith",
}  # fmt: skip


class _Change(NamedTuple):
    kind: str
    operator: str
    start: int
    end: int
    text: str


def change_quoted_code(sentence: str, program: Program) -> Iterator[Proposal]:
    """Change code that the sentence quotes and the program holds, in both."""
    saying = said_by(program).get(sentence)
    where = saying.fact.where if saying else None
    for fragment in fragments(sentence, program.names):
        if isinstance(fragment.node, ast.Name | ast.Constant | ast.Attribute):
            continue
        form = canonical(fragment.node)
        # Of several places a quote does not say which it means; a fact knows its place.
        within = where if program.forms[form] > 1 else None
        if program.forms[form] != 1 and (within is None or program.places(form, within) != 1):
            continue
        looped = program.only_in_loops(form)
        for change in _changes(fragment):
            if change.operator == "turn_comparison" and not looped:
                continue
            code = fragment.code[: change.start] + change.text + fragment.code[change.end :]
            node = parse(code)
            if node is None or _says_nothing(node):
                continue
            if isinstance(node, ast.stmt) and program.forms[canonical(node)]:
                continue  # the program does that as well: nothing false is said
            made = program.replaced(form, node, within)
            if made is not None:
                text = sentence[: fragment.start] + code + sentence[fragment.end :]
                yield Proposal(change.kind, change.operator, text, made)


def _says_nothing(node: ast.AST) -> bool:
    """Whether changed code is an absurdity: ``x = x``, ``a == a``, ``n & n``."""
    for child in ast.walk(node):
        if isinstance(child, ast.Assign):
            sides: list[ast.AST] = [child.targets[0], child.value]
        elif isinstance(child, ast.Compare):
            terms = [ast.unparse(term) for term in (child.left, *child.comparators)]
            if any(one == two for one, two in pairwise(terms)):
                return True
            continue
        elif isinstance(child, ast.BinOp):
            sides = [child.left, child.right]
        elif isinstance(child, ast.Call) and len(child.args) == 2:
            sides = list(child.args)
        else:
            continue
        if ast.unparse(sides[0]) == ast.unparse(sides[1]) and not isinstance(
            sides[0], ast.Constant
        ):
            return True
    return False


def _changes(fragment: Fragment) -> Iterator[_Change]:
    """Every small change of a fragment, as edits of its text."""
    for node in ast.walk(fragment.node):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from _compare(fragment, node)
        elif isinstance(node, ast.BinOp):
            yield from _binary(fragment, node)
        elif isinstance(node, ast.BoolOp):
            yield from _boolean(fragment, node)
        elif isinstance(node, ast.IfExp):
            body = fragment.code[slice(*_span(node.body))]
            yield _Change("missing_edge_case", "drop_check", *_span(node), body)
        elif isinstance(node, ast.Call):
            yield from _call(fragment, node)
        elif isinstance(node, ast.Subscript):
            yield from _subscript(fragment, node)
        elif isinstance(node, ast.AugAssign):
            yield from _update(fragment, node)
        elif isinstance(node, ast.Assign):
            yield from _assignment(node)


def _span(node: ast.AST) -> tuple[int, int]:
    """Where a node stands in its fragment. Offsets count bytes: code with other letters is rare."""
    return node.col_offset, node.end_col_offset  # type: ignore[attr-defined]


def _sign(fragment: Fragment, left: ast.AST, right: ast.AST, sign: str) -> tuple[int, int] | None:
    """Where the operator between two operands stands."""
    start, end = _span(left)[1], _span(right)[0]
    at = fragment.code.find(sign, start, end)
    if at < 0 or not fragment.code.isascii():
        return None
    return at, at + len(sign)


def _compare(fragment: Fragment, node: ast.Compare) -> Iterator[_Change]:
    kind = type(node.ops[0])
    at = _sign(fragment, node.left, node.comparators[0], _SIGNS.get(kind, "\0"))
    if at is None:
        return
    if kind in _STRICT:
        yield _Change("off_by_one", "strictness", *at, _STRICT[kind])
    if kind in _TURNED:
        yield _Change("wrong_algorithm", "turn_comparison", *at, _TURNED[kind])


def _binary(fragment: Fragment, node: ast.BinOp) -> Iterator[_Change]:
    whole = fragment.node
    if isinstance(whole, ast.Assign) and ast.unparse(whole.targets[0]) == ast.unparse(node.left):
        return  # x = x + 1: a step, not a bound
    if isinstance(node.op, ast.Add | ast.Sub) and _is_one(node.right):
        yield _Change("off_by_one", "drop_one", _span(node.left)[1], _span(node.right)[1], "")
        return
    if type(node.op) in _OTHER_SIGN:
        at = _sign(fragment, node.left, node.right, _SIGNS[type(node.op)])
        if at is not None:
            yield _Change("wrong_algorithm", "other_operation", *at, _OTHER_SIGN[type(node.op)])


def _is_one(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1 and node.value is not True


def _boolean(fragment: Fragment, node: ast.BoolOp) -> Iterator[_Change]:
    word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    if len(node.values) == 2:
        at = _sign(fragment, node.values[0], node.values[1], word)
        if at is not None:
            yield _Change("wrong_algorithm", "other_connective", *at, other)
    if isinstance(node.op, ast.Or):
        start, end = _span(node.values[-2])[1], _span(node.values[-1])[1]
        yield _Change("missing_edge_case", "drop_case", start, end, "")
    if isinstance(node.op, ast.And) and _checks_boundary(node.values[0]):
        start, end = _span(node.values[0])[0], _span(node.values[1])[0]
        yield _Change("missing_edge_case", "drop_check", start, end, "")


def _checks_boundary(node: ast.AST) -> bool:
    """Whether a condition asks if there is anything there: ``stack``, ``i < n``, ``i >= 0``."""
    if isinstance(node, ast.Name):
        return True
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return False
    right = node.comparators[0]
    bound = isinstance(right, ast.Constant) and right.value in (0, None)
    return bound or ast.unparse(right).startswith("len(")


def _call(fragment: Fragment, node: ast.Call) -> Iterator[_Change]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    end = _span(node.func)[1]
    if name in _OTHER_CALL and not (name == "sum" and node.keywords):
        yield _Change("wrong_algorithm", "other_call", end - len(name), end, _OTHER_CALL[name])
    if name == "abs" and len(node.args) == 1:
        inner = fragment.code[slice(*_span(node.args[0]))]
        yield _Change("wrong_algorithm", "drop_call", *_span(node), f"({inner})")
    if name == "range" and isinstance(node.func, ast.Name) and node.args:
        yield from _range(fragment, node)
    if name in ("min", "max") and isinstance(node.func, ast.Name) and len(node.args) == 2:
        one, two = node.args
        for bound, other in ((one, two), (two, one)):
            own = isinstance(fragment.node, ast.Assign) and fragment.node.targets[0]
            if own and ast.unparse(own) == ast.unparse(other):
                continue  # best = max(best, …) keeps the best, and clamps nothing
            if isinstance(bound, ast.Constant) or ast.unparse(bound).startswith("len("):
                free = fragment.code[slice(*_span(other))]
                yield _Change("missing_edge_case", "drop_clamp", *_span(node), free)


def _range(fragment: Fragment, node: ast.Call) -> Iterator[_Change]:
    """A range that begins one later or ends one earlier."""
    if len(node.args) == 1:
        start, end = _span(node.args[0])
        last = fragment.code[start:end]
        yield _Change("off_by_one", "late_start", start, end, f"1, {last}")
        if isinstance(node.args[0], ast.Name | ast.Call):
            yield _Change("off_by_one", "early_end", start, end, f"{last} - 1")
        return
    first = node.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, int):
        yield _Change("off_by_one", "late_start", *_span(first), str(first.value + 1))
        if first.value > 0:
            yield _Change("off_by_one", "early_start", *_span(first), str(first.value - 1))
    if isinstance(node.args[1], ast.Name | ast.Call) and len(node.args) == 2:
        start, end = _span(node.args[1])
        yield _Change("off_by_one", "early_end", start, end, f"{fragment.code[start:end]} - 1")


def _subscript(fragment: Fragment, node: ast.Subscript) -> Iterator[_Change]:
    index = node.slice
    if isinstance(index, ast.Slice):
        for bound in (index.lower, index.upper):
            if isinstance(bound, ast.Name):
                start, end = _span(bound)
                yield _Change("off_by_one", "shift_slice", start, end, f"{bound.id} + 1")
        return
    start, end = _span(index)
    if isinstance(index, ast.Constant) and index.value in (0, 1):
        yield _Change("off_by_one", "shift_index", start, end, str(index.value + 1))
    elif isinstance(index, ast.UnaryOp) and fragment.code[start:end] == "-1":
        yield _Change("off_by_one", "shift_index", start, end, "-2")
    elif isinstance(index, ast.Name):
        yield _Change("off_by_one", "shift_index", start, end, f"{index.id} - 1")


def _update(fragment: Fragment, node: ast.AugAssign) -> Iterator[_Change]:
    sign = _SIGNS.get(type(node.op))
    at = _sign(fragment, node.target, node.value, f"{sign}=") if sign else None
    if at is None:
        return
    if isinstance(node.op, ast.Add | ast.Sub):
        yield _Change("wrong_invariant", "overwrite", *at, "=")


def _assignment(node: ast.Assign) -> Iterator[_Change]:
    value = node.value
    if isinstance(value, ast.Constant) and type(value.value) is int and abs(value.value) < 3:
        yield _Change("off_by_one", "shift_start", *_span(value), str(value.value + 1))
