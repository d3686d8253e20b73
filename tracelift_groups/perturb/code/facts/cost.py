"""Facts about what keeps a program fast: results kept, sets, heaps, bisection."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import partial

from tracelift_groups.perturb.code.facts.fact import (
    Fact,
    Untruth,
    calls_on,
    instead,
    loop_of,
    names_in,
    reached,
    show,
    starts_as,
    worded,
)
from tracelift_groups.perturb.code.program import Program

_KIND = "infeasible_complexity"
_LOOKUP = (
    (
        "Looking something up in `{s}` takes one step, not a pass over its entries.",
        "Looking something up in `{s}` takes a pass over its entries, not one step.",
    ),
    (
        "Whether something is in `{s}` is known at once, without going through all of it.",
        "Whether something is in `{s}` is not known at once, but by going through all of it.",
    ),
)
_SORTED_ONCE = (
    (
        "`{v}` is sorted once, before the loop, and not in each pass.",
        "`{v}` is sorted in each pass of the loop, and not once before.",
    ),
    (
        "The order of `{v}` is settled before the loop and not worked out anew in it.",
        "The order of `{v}` is not settled before the loop but worked out anew in it.",
    ),
)
_CARRIED_ON = (
    (
        "`{v}` is carried on from pass to pass, not added up anew.",
        "`{v}` is added up anew from pass to pass, not carried on.",
    ),
)
_KEPT = (
    (
        "Each result of `{f}` is kept, and not worked out anew when its argument comes up again.",
        "Each result of `{f}` is worked out anew when its argument comes up again, and not kept.",
    ),
    (
        "Calls of `{f}` with arguments that came up before are answered, not worked out in full.",
        "Calls of `{f}` with arguments that came up before are worked out in full, not answered.",
    ),
)
_MEMO = (
    (
        "What `{m}` holds already is returned at once, and not worked out again.",
        "What `{m}` holds already is worked out again, and not returned at once.",
    ),
    (
        "A case that comes up again is looked up in `{m}`, not worked out.",
        "A case that comes up again is worked out, not looked up in `{m}`.",
    ),
)
_HEAP = (
    (
        "The smallest entry of `{h}` is on top, and need not be searched for in all of it.",
        "The smallest entry of `{h}` is searched for in all of it, and need not be on top.",
    ),
    (
        "Taking the next entry of `{h}` takes a few steps, not a pass over it.",
        "Taking the next entry of `{h}` takes a pass over it, not a few steps.",
    ),
)
_BISECT = (
    (
        "The place of `{x}` in `{a}` is found by halving it, not by going through it.",
        "The place of `{x}` in `{a}` is found by going through it, not by halving it.",
    ),
)
# lru_cache without a size keeps 128 results.
_UNBOUNDED = re.compile(r"(?:functools\.)?(?:cache|lru_cache\((?:maxsize=)?None\))")
_HASHED = ("set", "dict", "defaultdict", "Counter", "OrderedDict")


def cost_facts(program: Program) -> Iterator[Fact]:
    """Yield what keeps a program's cost down; the untruths pass small tests and take for ever."""
    for node in ast.walk(program.tree):
        if isinstance(node, ast.FunctionDef):
            yield from _cached(program, node)
        elif isinstance(node, ast.If):
            yield from _memo(program, node)
        elif isinstance(node, ast.Assign):
            yield from _lookup(program, node)
        elif isinstance(node, ast.Expr):
            yield from _sorted_once(program, node)
        elif isinstance(node, ast.AugAssign):
            yield from _added_up(program, node)
        elif isinstance(node, ast.Call):
            yield from _heap(program, node)
            yield from _bisected(program, node)


def _fact(
    form: str,
    about: tuple[str, ...],
    patterns: tuple[tuple[str, str], ...],
    make: Callable[[], str | None],
    where: ast.AST,
    **values: str,
) -> Fact:
    true = worded(tuple(pattern[0] for pattern in patterns), **values)
    false = worded(tuple(pattern[1] for pattern in patterns), **values)
    return Fact(form, about, true, (Untruth(_KIND, form, false, make),), where)


def _cached(program: Program, node: ast.FunctionDef) -> Iterator[Fact]:
    """``@cache`` above a function that calls itself."""
    kept = [one for one in node.decorator_list if _UNBOUNDED.fullmatch(ast.unparse(one))]
    if len(kept) != 1 or not _calls_itself(node):
        return
    bare = [one for one in node.decorator_list if one is not kept[0]]

    def make() -> str | None:
        new = ast.FunctionDef(node.name, node.args, node.body, bare, node.returns)
        return program.changed(lambda other: [new] if other is node else None)

    yield _fact("results_kept", (node.name,), _KEPT, make, node.body[0], f=node.name)


def _calls_itself(node: ast.FunctionDef) -> bool:
    return any(
        isinstance(child, ast.Call) and ast.unparse(child.func).rpartition(".")[2] == node.name
        for child in ast.walk(node)
    )


def _memo(program: Program, node: ast.If) -> Iterator[Fact]:
    """``if key in memo: return memo[key]``."""
    test, only = node.test, node.body[0]
    function = program.around(node, ast.FunctionDef)
    if node.orelse or len(node.body) != 1 or not isinstance(only, ast.Return):
        return
    if not isinstance(function, ast.FunctionDef) or not _calls_itself(function):
        return
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.In):
        return
    store, value = test.comparators[0], only.value
    if not _filled_in(function, store):
        return
    if not isinstance(value, ast.Subscript) or ast.dump(value.value) != ast.dump(store):
        return
    name = show(store)
    if name and name.replace(".", "").replace("_", "").isalnum():
        gone = partial(program.changed, lambda other: [] if other is node else None)
        yield _fact("looked_up", (name, function.name), _MEMO, gone, node, m=name)


def _filled_in(function: ast.FunctionDef, store: ast.expr) -> bool:
    """Whether a function puts entries into a mapping."""
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and ast.dump(node.value) == ast.dump(store)
        for node in ast.walk(function)
    )


def _lookup(program: Program, node: ast.Assign) -> Iterator[Fact]:
    """``seen = set()`` or ``index = {}`` that a loop looks things up in."""
    target, value = node.targets[0], node.value
    if len(node.targets) != 1 or not isinstance(target, ast.Name) or not _is_hashed(value):
        return
    places = [
        side
        for other in ast.walk(program.tree)
        if isinstance(other, ast.Compare) and isinstance(other.ops[0], ast.In | ast.NotIn)
        for side in other.comparators
        if isinstance(side, ast.Name) and side.id == target.id and loop_of(program, side)
    ]
    own = program.around(node, ast.FunctionDef)
    if any(program.around(place, ast.FunctionDef) is not own for place in places):
        return
    if not places:
        return
    listed = ast.Call(ast.Name("list", ast.Load()), [ast.Name(target.id, ast.Load())], [])

    def swap(other: ast.AST) -> ast.AST | None:
        return listed if any(other is place for place in places) else None

    make = partial(program.changed, swap)
    yield _fact("set_lookup", (target.id,), _LOOKUP, make, node, s=target.id)


def _is_hashed(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict | ast.Set | ast.DictComp | ast.SetComp):
        return True
    return isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in _HASHED


def _sorted_once(program: Program, node: ast.Expr) -> Iterator[Fact]:
    """``xs.sort()`` before a loop of the same function that does not change ``xs``."""
    call, block = node.value, getattr(program.parents.get(node), "body", [])
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return
    name = call.func.value
    if call.func.attr != "sort" or not isinstance(name, ast.Name) or node not in block:
        return
    loops = [
        other for other in block[block.index(node) + 1 :] if isinstance(other, ast.For | ast.While)
    ]
    if len(loops) != 1 or loop_of(program, node) is not None:
        return
    if any(f"{name.id}.sort(" in ast.unparse(other) for other in loops):
        return
    loop = loops[0]
    if isinstance(loop, ast.For) and name.id in names_in(loop.iter):
        return  # it would be sorted while it is gone through

    def swap(other: ast.AST) -> list[ast.stmt] | ast.AST | None:
        if other is node:
            return []
        if other is not loop:
            return None
        body = [node, *loop.body]
        if isinstance(loop, ast.For):
            return [ast.For(loop.target, loop.iter, body, loop.orelse)]
        return [ast.While(loop.test, body, loop.orelse)]

    yield _fact(
        "sorted_once", (name.id,), _SORTED_ONCE, partial(program.changed, swap), node, v=name.id
    )


def _added_up(program: Program, node: ast.AugAssign) -> Iterator[Fact]:
    """``total += xs[i]`` in a loop over ``range(n)``."""
    loop, target, x = loop_of(program, node), node.target, node.value
    if not isinstance(loop, ast.For) or not isinstance(target, ast.Name):
        return
    if (
        not isinstance(node.op, ast.Add)
        or not reached(program, node)
        or not isinstance(x, ast.Subscript)
    ):
        return
    index = x.slice
    starts = [ast.unparse(value) for value in starts_as(program, target.id, node)]
    ranged = isinstance(loop.iter, ast.Call) and ast.unparse(loop.iter.func) == "range"
    if not ranged or len(loop.iter.args) != 1 or starts != ["0"]:  # type: ignore[attr-defined]
        return
    if ast.unparse(index) != ast.unparse(loop.target) or not isinstance(x.value, ast.Name):
        return
    if loop_of(program, loop) is not None:
        return
    code = f"{target.id} = sum({x.value.id}[:{ast.unparse(index)} + 1])"
    make = partial(instead, program, node, code)
    yield _fact("carried_on", names_in(node), _CARRIED_ON, make, node, v=target.id)


def _heap(program: Program, node: ast.Call) -> Iterator[Fact]:
    """``heappop(heap)``."""
    if ast.unparse(node.func).rpartition(".")[2] != "heappop" or len(node.args) != 1:
        return
    if isinstance(node.args[0], ast.Name) and loop_of(program, node) is not None:
        name = node.args[0].id
        if calls_on(program, name) & {"append", "insert", "pop"}:
            return
        new = ast.parse(f"{name}.pop({name}.index(min({name})))", mode="eval").body
        make = partial(program.changed, lambda other: new if other is node else None)
        yield _fact("heap_top", (name,), _HEAP, make, node, h=name)


def _bisected(program: Program, node: ast.Call) -> Iterator[Fact]:
    """``bisect_left(xs, x)`` and ``bisect_right(xs, x)``."""
    name = ast.unparse(node.func).rpartition(".")[2]
    if name not in ("bisect_left", "bisect_right", "bisect") or len(node.args) != 2:
        return
    places, x = show(node.args[0]), show(node.args[1])
    if not places or not x or loop_of(program, node) is None:
        return
    sign = "<" if name == "bisect_left" else "<="
    new = ast.parse(f"sum(1 for _one in {places} if _one {sign} {x})", mode="eval").body
    make = partial(program.changed, lambda other: new if other is node else None)
    names = tuple(child.id for child in ast.walk(node) if isinstance(child, ast.Name))
    yield _fact("bisected", names, _BISECT, make, node, a=places, x=x)
