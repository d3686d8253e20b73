"""Facts about what a variable holds while a loop runs: the invariants a reader leans on."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import partial

from tracelift_groups.perturb.code.facts.fact import (
    Fact,
    Untruth,
    assigned,
    calls_on,
    instead,
    loop_of,
    names_in,
    reached,
    show,
    sites,
    starts_as,
    statements,
    without,
    worded,
)
from tracelift_groups.perturb.code.program import Program

_KIND = "wrong_invariant"
# True and false wordings share their words as far as they can: which of two things is said, not
# which words are used, is what tells them apart.
_BEST = (
    (
        "At any moment `{v}` is the {most} `{x}` so far, not the latest.",
        "At any moment `{v}` is the latest `{x}` so far, not the {most}.",
    ),
    (
        "`{v}` always holds the {most} `{x}` up to here, whatever the last one was.",
        "`{v}` always holds the last `{x}` up to here, whatever the {most} one was.",
    ),
    (
        "After each pass `{v}` is the {most} `{x}` of all passes, not that of the last.",
        "After each pass `{v}` is the `{x}` of the last pass, not the {most} of all.",
    ),
)
_BETTER = (
    (
        "`{v}` gives way to `{x}` only where that is {more}, not each time.",
        "`{v}` gives way to `{x}` each time, not only where that is {more}.",
    ),
)
_SUM = (
    (
        "After each pass `{v}` is the sum of all `{x}` so far, not just the last.",
        "After each pass `{v}` is just the last `{x}` so far, not the sum of all.",
    ),
    (
        "`{v}` holds the total of every `{x}` up to here, not the latest.",
        "`{v}` holds the latest `{x}` up to here, not the total of every one.",
    ),
)
_COUNT = (
    (
        "`{v}` tells how often `{test}` was met, not just whether.",
        "`{v}` tells just whether `{test}` was met, as 0 or 1, not how often.",
    ),
    (
        "Each time `{test}`, `{v}` goes up by 1 and is not just set to it.",
        "Each time `{test}`, `{v}` is just set to 1 and does not go up by it.",
    ),
)
_SOME = (
    (
        "Each time `{test}`, `{x}` is added to `{v}`, which is not overwritten.",
        "Each time `{test}`, `{v}` is overwritten by `{x}`, which is not added.",
    ),
    (
        "`{v}` is the sum of `{x}` over the passes where `{test}`, not that of the last.",
        "`{v}` is the `{x}` of the last pass where `{test}`, not the sum over the passes.",
    ),
)
_SEEN = (
    (
        "`{s}` holds every `{x}` met so far, not the latest alone.",
        "`{s}` holds the latest `{x}` alone, not every one met so far.",
    ),
    (
        "`{s}` is not emptied before `{x}` goes into it: all stay there.",
        "`{s}` is emptied before `{x}` goes into it: not all stay there.",
    ),
)
_LATEST = (
    (
        "`{d}` keeps the latest `{x}` for each `{k}`, not the first.",
        "`{d}` keeps the first `{x}` for each `{k}`, not the latest.",
    ),
    (
        "For every `{k}`, the last `{x}` is what `{d}` holds, whatever the first one was.",
        "For every `{k}`, the first `{x}` is what `{d}` holds, whatever the last one was.",
    ),
)
_TALLY = (
    (
        "`{d}` tells how often each `{k}` came up, not just whether.",
        "`{d}` tells just whether each `{k}` came up, as 1, not how often.",
    ),
    (
        "Each time `{k}` comes up, its entry in `{d}` goes up by 1 and is not just set to it.",
        "Each time `{k}` comes up, its entry in `{d}` is just set to 1 and does not go up by it.",
    ),
)
_GATHER = (
    (
        "Each `{x}` goes to the end of `{v}`, not to the front.",
        "Each `{x}` goes to the front of `{v}`, not to the end.",
    ),
    (
        "In `{v}` each new `{x}` goes behind the others, not before them.",
        "In `{v}` each new `{x}` goes before the others, not behind them.",
    ),
)
_CARRY = (
    (
        "`{v}` does not stay as it was: each pass sets it to `{x}`.",
        "`{v}` does stay as it was: not one pass sets it to `{x}`.",
    ),
    (
        "Each pass hands `{x}` on to the next as `{v}`, not what it found there.",
        "Each pass hands `{v}` on to the next as it found it there, not as `{x}`.",
    ),
)
_UNDO = (
    (
        "Behind the call `{code}` takes the choice back: it does not stay in `{v}`.",
        "Behind the call nothing takes the choice back: it does stay in `{v}`.",
    ),
    (
        "Then `{code}` leaves `{v}` as it was before the choice, not as it is with it.",
        "Then `{v}` is left as it is with the choice, not as it was before.",
    ),
)


def state_facts(program: Program) -> Iterator[Fact]:
    """Yield what holds of a program's variables from pass to pass."""
    for node in statements(program):
        loop = loop_of(program, node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _call(program, node, node.value, loop)
        elif loop is None:
            continue
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            yield from _added(program, node, loop)
        elif isinstance(node, ast.If):
            yield from _best_by_if(program, node)
        elif pair := assigned(node):
            yield from _assigned(program, node, loop, *pair)


def _fact(
    form: str,
    about: ast.AST,
    patterns: tuple[tuple[str, str], ...],
    make: Callable[[], str | None],
    kind: str = _KIND,
    **code: ast.AST | str,
) -> Iterator[Fact]:
    """A fact and its one untruth, both worded by the same values."""
    values: dict[str, str] = {}
    for name, value in code.items():
        text = value if isinstance(value, str) else show(value)
        if text is None:
            return
        values[name] = text
    true = worded(tuple(pattern[0] for pattern in patterns), **values)
    false = worded(tuple(pattern[1] for pattern in patterns), **values)
    yield Fact(form, names_in(about), true, (Untruth(kind, form, false, make),), about)


def _best(program: Program, node: ast.stmt, v: ast.Name, x: ast.expr, most: str) -> Iterator[Fact]:
    if not show(x) or isinstance(x, ast.Constant) or sites(program, v.id, node) != 1:
        return
    made = partial(instead, program, node, f"{v.id} = {ast.unparse(x)}")
    starts = list(starts_as(program, v.id, node))
    known = (
        starts and all(_is_extreme(value) for value in starts) and v.id not in _arguments(program)
    )
    if not known or not reached(program, node):
        # What it starts as may never be bettered, so that it is not the best of those.
        more = "larger" if most == "largest" else "smaller"
        yield from _fact("running_best", node, _BETTER, made, v=v, x=x, more=more)
        return
    yield from _fact("running_best", node, _BEST, made, v=v, x=x, most=most)


def _is_extreme(value: ast.expr) -> bool:
    """Whether a starting value gives way to any other."""
    text = ast.unparse(value)
    return bool(
        re.fullmatch(
            r"-?(?:float\(['\"][-+]?inf(?:inity)?['\"]\)|(?:math\.)?inf|sys\.maxsize)", text
        )
    )


def _arguments(program: Program) -> set[str]:
    """The names that come in as arguments: what they start as is not seen."""
    return {node.arg for node in ast.walk(program.tree) if isinstance(node, ast.arg)}


def _extreme(value: ast.expr, name: str) -> tuple[str, ast.expr] | None:
    """Of ``max(best, x)`` or ``min(x, best)``: the word, and ``x``."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
        return None
    if value.func.id not in ("max", "min") or len(value.args) != 2 or value.keywords:
        return None
    others = [arg for arg in value.args if not (isinstance(arg, ast.Name) and arg.id == name)]
    if len(others) != 1 or name in names_in(others[0]):
        return None
    return ("largest" if value.func.id == "max" else "smallest"), others[0]


def _best_by_if(program: Program, node: ast.If) -> Iterator[Fact]:
    """``if x > best: best = x``."""
    test = node.test
    pair = assigned(node.body[0]) if len(node.body) == 1 and not node.orelse else None
    if pair is None or not isinstance(pair[0], ast.Name):
        return
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return
    name, value = pair[0], ast.dump(pair[1])
    sides = (test.left, test.comparators[0])
    for big, (one, other) in ((True, sides), (False, sides[::-1])):
        if ast.dump(one) == value and isinstance(other, ast.Name) and other.id == name.id:
            greater = isinstance(test.ops[0], ast.Gt | ast.GtE)
            if isinstance(test.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):
                most = "largest" if greater == big else "smallest"
                yield from _best(program, node, name, pair[1], most)
                return


def _added(program: Program, node: ast.AugAssign, loop: ast.For | ast.While) -> Iterator[Fact]:
    """``v += x``."""
    target, x = node.target, node.value
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
        if (
            isinstance(x, ast.Constant)
            and x.value == 1
            and reached(program, node)
            and _is_mapping(program, target.value, node)
            and _stores(program, target.value.id) == 1
        ):
            key = ast.unparse(target)
            changed = partial(instead, program, node, f"{key} = 1")
            yield from _fact("tally", node, _TALLY, changed, d=target.value, k=target.slice)
        return
    if not isinstance(target, ast.Name) or not _starts_at_zero(program, target.id, node):
        return
    if sites(program, target.id, node) != 1:
        return
    changed = partial(instead, program, node, f"{target.id} = {ast.unparse(x)}")
    above = program.parents.get(node)
    if reached(program, node) and not isinstance(x, ast.Constant):
        yield from _fact("running_sum", node, _SUM, changed, v=target, x=x)
    elif isinstance(above, ast.If) and node in above.body and reached(program, above):
        if isinstance(x, ast.Constant) and x.value == 1:
            yield from _fact("running_count", node, _COUNT, changed, v=target, test=above.test)
        elif not isinstance(x, ast.Constant):
            yield from _fact("partial_sum", node, _SOME, changed, v=target, x=x, test=above.test)


def _stores(program: Program, name: str) -> int:
    """In how many places an entry of a mapping is set or taken out."""
    return sum(
        isinstance(node, ast.Subscript)
        and not isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        for node in ast.walk(program.tree)
    ) + len(calls_on(program, name) & {"pop", "clear", "popitem", "update", "setdefault"})


def _starts_at_zero(program: Program, name: str, node: ast.AST) -> bool:
    starts = [ast.unparse(value) for value in starts_as(program, name, node)]
    return starts == ["0"] and name not in _arguments(program)


def _is_mapping(program: Program, name: ast.Name, node: ast.AST) -> bool:
    starts = [ast.unparse(value).rpartition(".")[2] for value in starts_as(program, name.id, node)]
    empty = re.compile(r"\{\}|dict\(\)|Counter\(\)|defaultdict\(\w+\)")
    return len(starts) == 1 and bool(empty.fullmatch(starts[0]))


def _assigned(
    program: Program,
    node: ast.stmt,
    loop: ast.For | ast.While,
    target: ast.expr,
    value: ast.expr,
) -> Iterator[Fact]:
    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
        if not isinstance(value, ast.Constant) and _is_mapping(program, target.value, node):
            yield from _stored(program, node, target, value)
        return
    if not isinstance(target, ast.Name):
        return
    if extreme := _extreme(value, target.id):
        yield from _best(program, node, target, extreme[1], extreme[0])
    elif (
        reached(program, node)
        and sites(program, target.id, node) == 1
        and not isinstance(value, ast.Constant)
        and target.id not in names_in(value)
        and any(starts_as(program, target.id, node))
        and not (isinstance(loop, ast.While) and target.id in names_in(loop.test))
    ):
        yield from _fact(
            "carried", node, _CARRY, partial(without, program, node), v=target, x=value
        )


def _stored(
    program: Program, node: ast.stmt, target: ast.Subscript, value: ast.expr
) -> Iterator[Fact]:
    """``d[k] = x`` in a mapping."""
    name, key = target.value, target.slice
    assert isinstance(name, ast.Name)
    if name.id in names_in(value) or not reached(program, node) or _stores(program, name.id) != 1:
        return
    code = f"{name.id}.setdefault({ast.unparse(key)}, {ast.unparse(value)})"
    yield from _fact(
        "latest_of", node, _LATEST, partial(instead, program, node, code), d=name, k=key, x=value
    )


def _call(
    program: Program, node: ast.Expr, call: ast.Call, loop: ast.For | ast.While | None
) -> Iterator[Fact]:
    if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
        return
    name, method = call.func.value, call.func.attr
    if method in ("pop", "remove", "discard") and _behind_own_call(program, node):
        gone = partial(without, program, node)
        yield from _fact("undone", node, _UNDO, gone, v=name, code=call)
    if loop is None or len(call.args) != 1 or call.keywords:
        return
    x = call.args[0]
    kept = not calls_on(program, name.id) & {"remove", "discard", "pop", "clear", "popleft"}
    fresh = [ast.unparse(value) for value in starts_as(program, name.id, node)] == ["set()"]
    fresh = fresh and sites(program, name.id, node) == 0
    if (
        method == "add"
        and kept
        and fresh
        and not isinstance(x, ast.Constant)
        and _each(program, node, name.id)
    ):
        emptied = f"{name.id}.clear()\n{ast.unparse(node)}"
        yield from _fact(
            "all_seen", node, _SEEN, partial(instead, program, node, emptied), s=name, x=x
        )
    elif method == "append" and kept and _is_list(program, name, node):
        front = partial(instead, program, node, f"{name.id}.insert(0, {ast.unparse(x)})")
        yield from _fact("gathered", node, _GATHER, front, "wrong_algorithm", v=name, x=x)


def _each(program: Program, node: ast.stmt, name: str) -> bool:
    """Whether a set gets its element in every pass, or where it has it not yet."""
    above = program.parents.get(node)
    if isinstance(above, ast.If) and node in above.body and isinstance(above.test, ast.Compare):
        new = isinstance(above.test.ops[0], ast.NotIn)
        return new and ast.unparse(above.test.comparators[0]) == name and reached(program, above)
    return reached(program, node)


def _is_list(program: Program, name: ast.Name, node: ast.AST) -> bool:
    return any(isinstance(value, ast.List) for value in starts_as(program, name.id, node))


def _behind_own_call(program: Program, node: ast.stmt) -> bool:
    """Whether the statement before is a call of the function that this stands in."""
    function = program.around(node, ast.FunctionDef)
    block = getattr(program.parents.get(node), "body", [])
    if not isinstance(function, ast.FunctionDef) or node not in block:
        return False
    before = block[: block.index(node)]
    put_in = any(
        isinstance(child, ast.Call)
        and isinstance(child.func, ast.Attribute)
        and child.func.attr in ("append", "add")
        for other in before[:-1]
        for child in ast.walk(other)
    )
    return put_in and any(
        isinstance(child, ast.Call) and ast.unparse(child.func).rpartition(".")[2] == function.name
        for child in ast.walk(before[-1])
    )
