"""Facts about what keeps a program fast: results kept, sets, heaps, bisection."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial

from tracelift_groups.perturb.code.facts.fact import Fact, Untruth, loop_of, show, worded
from tracelift_groups.perturb.code.program import Program

_KIND = "infeasible_complexity"
_SET = (
    (
        "`{s}` is a set, not a list, so that a lookup need not go through it.",
        "`{s}` is a list, not a set, so that a lookup does go through it.",
    ),
    (
        "Whether something is in `{s}` is found in one step, not in a pass over it.",
        "Whether something is in `{s}` is found in a pass over it, not in one step.",
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
_SET_METHODS = {"add"}


def cost_facts(program: Program) -> Iterator[Fact]:
    """Yield what keeps a program's cost down; the untruths pass small tests and take for ever."""
    for node in ast.walk(program.tree):
        if isinstance(node, ast.FunctionDef):
            yield from _cached(program, node)
        elif isinstance(node, ast.If):
            yield from _memo(program, node)
        elif isinstance(node, ast.Assign):
            yield from _set(program, node)
        elif isinstance(node, ast.Call):
            yield from _heap(program, node)
            yield from _bisected(program, node)


def _fact(
    form: str,
    about: tuple[str, ...],
    patterns: tuple[tuple[str, str], ...],
    make: Callable[[], str | None],
    **values: str,
) -> Fact:
    true = worded(tuple(pattern[0] for pattern in patterns), **values)
    false = worded(tuple(pattern[1] for pattern in patterns), **values)
    return Fact(form, about, true, (Untruth(_KIND, form, false, make),))


def _cached(program: Program, node: ast.FunctionDef) -> Iterator[Fact]:
    """``@cache`` above a function that calls itself."""
    kept = [one for one in node.decorator_list if "cache" in ast.unparse(one)]
    if len(kept) != 1 or not _calls_itself(node):
        return
    bare = [one for one in node.decorator_list if one is not kept[0]]

    def make() -> str | None:
        new = ast.FunctionDef(node.name, node.args, node.body, bare, node.returns)
        return program.changed(lambda other: [new] if other is node else None)

    yield _fact("results_kept", (node.name,), _KEPT, make, f=node.name)


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
    if not isinstance(value, ast.Subscript) or ast.dump(value.value) != ast.dump(store):
        return
    name = show(store)
    if name and name.replace(".", "").replace("_", "").isalnum():
        gone = partial(program.changed, lambda other: [] if other is node else None)
        yield _fact("looked_up", (name, function.name), _MEMO, gone, m=name)


def _set(program: Program, node: ast.Assign) -> Iterator[Fact]:
    """``seen = set()`` that a loop looks things up in and that is only ever added to."""
    target, value = node.targets[0], node.value
    if len(node.targets) != 1 or not isinstance(target, ast.Name):
        return
    if not isinstance(value, ast.Call) or ast.unparse(value.func) != "set" or len(value.args) > 1:
        return
    name = target.id
    uses = [
        child
        for child in ast.walk(program.tree)
        if isinstance(child, ast.Name) and child.id == name and child is not target
    ]
    looked_up = False
    adds: list[ast.Attribute] = []
    for use in uses:
        parent = program.parents[use]
        if isinstance(parent, ast.Compare) and use in parent.comparators:
            looked_up |= loop_of(program, use) is not None
        elif isinstance(parent, ast.Attribute) and parent.attr in _SET_METHODS:
            adds.append(parent)
        else:
            return
    if not looked_up:
        return
    empty = ast.List([], ast.Load())
    plain = ast.Call(ast.Name("list", ast.Load()), value.args, []) if value.args else empty

    def swap(other: ast.AST) -> ast.AST | None:
        if other is value:
            return plain
        if isinstance(other, ast.Attribute) and any(other is one for one in adds):
            return ast.Attribute(other.value, "append", ast.Load())
        return None

    yield _fact("set_lookup", (name,), _SET, partial(program.changed, swap), s=name)


def _heap(program: Program, node: ast.Call) -> Iterator[Fact]:
    """``heappop(heap)``."""
    if ast.unparse(node.func).rpartition(".")[2] != "heappop" or len(node.args) != 1:
        return
    if isinstance(node.args[0], ast.Name) and loop_of(program, node) is not None:
        name = node.args[0].id
        new = ast.parse(f"{name}.pop({name}.index(min({name})))", mode="eval").body
        make = partial(program.changed, lambda other: new if other is node else None)
        yield _fact("heap_top", (name,), _HEAP, make, h=name)


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
    yield _fact("bisected", names, _BISECT, make, a=places, x=x)
