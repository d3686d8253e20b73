"""Facts about where a program goes: loops, guards, conditions, what is returned."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from tracelift_groups.perturb.code.facts.fact import (
    Fact,
    Untruth,
    assigned,
    leaves,
    loop_of,
    names_in,
    reached,
    show,
    starts_as,
    statements,
    without,
    worded,
)
from tracelift_groups.perturb.code.program import Program, canonical

_WHILE = (
    "The loop goes on while `{test}`.",
    "This repeats as long as the condition `{test}` holds.",
    "We keep going while `{test}`.",
)
_GUARD = (
    "If `{test}`, `{value}` is returned at once.",
    "`{value}` is returned right away when `{test}`.",
    "Where the condition `{test}` holds, the value `{value}` is returned.",
)
_GUARD_BARE = (
    "If `{test}`, the function returns at once.",
    "There is nothing to do when `{test}`, so we return.",
    "When `{test}`, we return straight away.",
)
_SKIP = (
    "Whenever `{test}`, the rest of the pass is skipped.",
    "We skip to the next pass when `{test}`.",
    "A pass where `{test}` is left out.",
)
_BREAK = (
    "The loop ends early once `{test}`.",
    "As soon as `{test}`, we leave the loop.",
    "Once `{test}`, the loop is over.",
)
_IF = (
    "If `{test}`, then `{then}`.",
    "Whenever the condition `{test}` holds, we do `{then}`.",
    "When `{test}`, the step is `{then}`.",
)
_IF_ELSE = (
    "If `{test}`, then `{then}`, and otherwise `{other}`.",
    "We do `{then}` when `{test}`, else `{other}`.",
    "When `{test}`, the step is `{then}`, in the other case `{other}`.",
)
_ONLY_WHERE = (
    "`{then}` is done only where `{test}`.",
    "It takes `{test}` for `{then}` to be done.",
)
_ONE_STEP = (
    "One of the steps is `{code}`.",
    "On the way we do `{code}`.",
    "Part of the work is `{code}`.",
    "Here `{code}` is needed.",
)
_STEP = ("Each pass does `{code}`.", "In each pass, `{code}`.", "The step of a pass is `{code}`.")
_BEHIND = (
    "After the loop one step is left: `{code}`.",
    "Once the loop is over, `{code}` follows.",
)
_RETURN = (
    "The value that is returned is `{value}`.",
    "In the end we return `{value}`.",
    "What is returned is `{value}`.",
)
_RETURN_ELSE = (
    "If nothing was returned before, `{value}` is.",
    "When all else is done without a result, we return `{value}`.",
)
_BRANCHES = (
    "If `{test}`, then `{other}`, and otherwise `{then}`.",
    "We do `{other}` when `{test}`, else `{then}`.",
    "When `{test}`, the step is `{other}`, in the other case `{then}`.",
)
_PLAIN_RANGE = ("`{v}` runs over `{it}`.", "The loop takes `{v}` through `{it}`.")
_OVER = ("The loop goes over `{it}`.", "We walk through `{it}`.")
_FORWARD = (
    "The loop goes over `{it}` from front to back.",
    "We walk through `{it}`, the first entry first and the last one last.",
)
_BACKWARD = (
    "The loop goes over `{it}` from back to front.",
    "We walk through `{it}`, the last entry first and the first one last.",
)
_RISING = (
    "`{v}` runs over `{it}` from its first value to its last.",
    "The loop takes `{v}` through `{it}` in that order, not in reverse.",
)
_FALLING = (
    "`{v}` runs over `{it}` from its last value to its first.",
    "The loop takes `{v}` through `{it}` in reverse, not in that order.",
)
_INIT = (
    "`{v}` starts at `{value}`.",
    "At first the value of `{v}` is `{value}`.",
    "We start with `{v} = {value}`.",
)


def flow_facts(program: Program) -> Iterator[Fact]:
    """Yield what can be said of a program's loops, conditions and results."""
    for node in statements(program):
        if isinstance(node, ast.For | ast.While):
            yield from _behind_loop(program, node)
        if isinstance(node, ast.For):
            yield from _for(program, node)
        elif isinstance(node, ast.While):
            yield from _said("while", _WHILE, node.test, test=node.test)
        elif isinstance(node, ast.If):
            yield from _if(program, node)
        elif isinstance(node, ast.Return) and node.value is not None:
            yield from _returned(program, node)
        elif pair := assigned(node):
            yield from _assignment(program, node, *pair)
        elif isinstance(node, ast.AugAssign):
            yield from _one_step(program, node)


def _said(form: str, patterns: tuple[str, ...], about: ast.AST, **code: ast.AST) -> Iterator[Fact]:
    shown = {name: show(node) for name, node in code.items()}
    if all(shown.values()):
        values = {name: text or "" for name, text in shown.items()}
        yield Fact(form, names_in(about), worded(patterns, **values), where=about)


def _returned(program: Program, node: ast.Return) -> Iterator[Fact]:
    """What a function gives in the end: the only value, or the one for want of another."""
    function = program.around(node, ast.FunctionDef, ast.Lambda)
    value = node.value
    if not isinstance(function, ast.FunctionDef) or value is None:
        return
    if node is not function.body[-1] or isinstance(value, ast.Name):
        return
    several = sum(isinstance(other, ast.Return) for other in ast.walk(function)) > 1
    if several:
        yield from _said("returned", _RETURN_ELSE, value, value=value)
    elif not isinstance(value, ast.Constant):
        yield from _said("returned", _RETURN, value, value=value)


def _for(program: Program, node: ast.For) -> Iterator[Fact]:
    call, shown = node.iter, show(node.iter)
    if shown is None:
        return
    ranged = isinstance(call, ast.Call) and ast.unparse(call.func) == "range"
    inner: ast.expr = call if ranged else ast.Call(ast.Name("list", ast.Load()), [call], [])
    turned = ast.Call(ast.Name("reversed", ast.Load()), [inner], [])
    make = partial(program.changed, lambda other: turned if other is call else None)
    if ranged and isinstance(node.target, ast.Name) and not leaves(node):
        values = {"v": node.target.id, "it": shown}
        true, false, form = _RISING, _FALLING, "for_range"
    else:
        if ranged and isinstance(node.target, ast.Name):
            yield from _said("for_range", _PLAIN_RANGE, node, v=node.target, it=node.iter)
            return
        if leaves(node) or _has_no_order(program, node):
            yield from _said("for_over", _OVER, node.iter, it=node.iter)
            return
        values = {"it": shown}
        true, false, form = _FORWARD, _BACKWARD, "for_over"
    about = (*names_in(node.target), *names_in(node.iter))
    against = Untruth("wrong_algorithm", "reverse_loop", worded(false, **values), make)
    yield Fact(form, about, worded(true, **values), (against,), node)


def _has_no_order(program: Program, node: ast.For) -> bool:
    """Whether a loop goes over a set or a mapping, where front and back mean nothing."""
    text = ast.unparse(node.iter)
    if text.endswith((".items()", ".values()", ".keys()")) or text.startswith(("set(", "{")):
        return True
    if not isinstance(node.iter, ast.Name):
        return False
    starts = [ast.unparse(value) for value in starts_as(program, node.iter.id, node)]
    return any(
        start.startswith(("set(", "{", "dict(", "defaultdict(", "Counter(")) for start in starts
    )


def _if(program: Program, node: ast.If) -> Iterator[Fact]:
    only = node.body[0]
    small = isinstance(only, ast.Assign | ast.AugAssign | ast.Expr)
    if len(node.body) > 1 or not reached(program, node):
        # Other tests may come first, so no more is said than that this one must hold.
        if small and program.forms[canonical(only)] == 1:
            yield from _said("only_where", _ONLY_WHERE, node, test=node.test, then=only)
    elif not node.orelse and isinstance(only, ast.Return | ast.Continue | ast.Break):
        yield from _guard(program, node, only)
    elif small and not node.orelse:
        yield from _said("if", _IF, node, test=node.test, then=only)
    elif small and len(node.orelse) == 1:
        other = node.orelse[0]
        if isinstance(other, ast.Assign | ast.AugAssign | ast.Expr):
            yield from _either(program, node, only, other)


def _either(program: Program, node: ast.If, then: ast.stmt, other: ast.stmt) -> Iterator[Fact]:
    """``if test: then`` and ``else: other``; the untruth has the two the wrong way round."""
    shown = {"test": show(node.test), "then": show(then), "other": show(other)}
    if not all(shown.values()):
        return
    values = {name: text or "" for name, text in shown.items()}
    turned = ast.If(node.test, [other], [then])
    make = partial(program.changed, lambda child: [turned] if child is node else None)
    against = Untruth("wrong_algorithm", "swap_branches", worded(_BRANCHES, **values), make)
    yield Fact("if_else", names_in(node), worded(_IF_ELSE, **values), (against,), node)


def _guard(program: Program, node: ast.If, only: ast.stmt) -> Iterator[Fact]:
    test = show(node.test)
    value = show(only.value) if isinstance(only, ast.Return) and only.value else ""
    if test is None or value is None:
        return
    if isinstance(only, ast.Return):
        patterns = _GUARD if value else _GUARD_BARE
        form = "guard"
    else:
        patterns, form = (_SKIP, "skip") if isinstance(only, ast.Continue) else (_BREAK, "break")
    about = (*names_in(node.test), *(names_in(only) if value else ()))
    gone = Untruth("missing_edge_case", "drop_guard", (), partial(without, program, node))
    untruths = (gone,) if is_boundary(program, node) else ()
    yield Fact(form, about, worded(patterns, test=test, value=value), untruths, node)


def is_boundary(program: Program, guard: ast.If) -> bool:
    """Whether a guard is for a boundary case rather than what the program is after.

    It passes some input over (``continue``), or returns something plain before any loop.
    """
    only = guard.body[0]
    if isinstance(only, ast.Continue):
        return True
    if not isinstance(only, ast.Return) or loop_of(program, guard) is not None:
        return False
    if not isinstance(program.parents.get(guard), ast.FunctionDef):
        return False  # under a condition of its own
    value = only.value
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    if isinstance(value, ast.List | ast.Dict | ast.Tuple):
        return len(ast.dump(value)) < 200
    return value is None or isinstance(value, ast.Constant | ast.Name | ast.Attribute)


def _works_out(target: ast.expr, value: ast.expr) -> bool:
    """Whether an assignment to a name is worth a sentence: it works something out."""
    kinds = (ast.Call, ast.BinOp, ast.IfExp, ast.Compare, ast.Subscript)
    return isinstance(target, ast.Name) and isinstance(value, kinds)


def _behind_loop(program: Program, node: ast.For | ast.While) -> Iterator[Fact]:
    """The one step between a loop and the end of its function: what the last pass left open."""
    function = program.parents.get(node)
    if not isinstance(function, ast.FunctionDef | ast.Module) or node not in function.body:
        return
    rest = function.body[function.body.index(node) + 1 :]
    # A function ends with what it returns, a program with what it prints.
    if len(rest) != 2 or not isinstance(rest[1], ast.Return | ast.Expr):
        return
    only = rest[0]
    if not isinstance(only, ast.Assign | ast.AugAssign | ast.Expr):
        return
    code = show(only)
    if code is not None:
        gone = Untruth("missing_edge_case", "drop_last_step", (), partial(without, program, only))
        yield Fact("behind_loop", names_in(only), worded(_BEHIND, code=code), (gone,), only)


def _assignment(
    program: Program, node: ast.stmt, target: ast.expr, value: ast.expr
) -> Iterator[Fact]:
    loop = loop_of(program, node)
    if isinstance(value, ast.Constant) and isinstance(target, ast.Name):
        plain = value.value is not None and not isinstance(value.value, bool)
        above = program.parents.get(node)
        once = isinstance(target, ast.Name) and len(list(starts_as(program, target.id, node))) == 1
        if plain and once and loop is None and isinstance(above, ast.FunctionDef | ast.Module):
            yield from _said("start", _INIT, target, v=target, value=value)
    elif (
        loop is not None
        and (isinstance(target, ast.Subscript) or _works_out(target, value))
        and any(node is other for other in loop.body)
        and reached(program, node)
    ):
        yield from _said("step", _STEP, node, code=node)
        # With several loops "each pass" says too little, and the other way to put it is left.
        loops = [n for n in ast.walk(program.tree) if isinstance(n, ast.For | ast.While)]
        if len(loops) > 1:
            yield from _one_step(program, node)
    elif isinstance(target, ast.Subscript) or _works_out(target, value):
        yield from _one_step(program, node)


def _one_step(program: Program, node: ast.stmt) -> Iterator[Fact]:
    """A statement that the program has in one place only, whenever that is reached."""
    if program.forms[canonical(node)] == 1:
        yield from _said("one_step", _ONE_STEP, node, code=node)
