"""Facts about how a program goes about it: what order it works in, what it looks at first."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from tracelift_groups.perturb.code.facts.fact import Fact, Untruth, calls_on, show, worded
from tracelift_groups.perturb.code.program import Program

_KIND = "wrong_algorithm"
_ORDER = (
    "`{v}` is put in {order} order, not in {other}.",
    "We work on `{v}` in {order} order, not in {other}.",
)
_UNSORTED = (
    "`{v}` is not put in {order} order, nor in {other}.",
    "We work on `{v}` in the order it has, not in {order} or {other}.",
)
_KEYED = (
    "`{v}` is sorted by `{key}`, and not taken as it comes.",
    "We do not take `{v}` as it comes but in the order of `{key}`.",
)
_UNKEYED = (
    "`{v}` is taken as it comes, and not sorted by `{key}`.",
    "We do take `{v}` as it comes, not in the order of `{key}`.",
)
_TAKES = (
    "`{v}` hands out its {which} entry first, not the {other}.",
    "From `{v}` we always take the {which} entry, not the {other}.",
)


def method_facts(program: Program) -> Iterator[Fact]:
    """Yield what can be said of a program's order of work."""
    for node in ast.walk(program.tree):
        if isinstance(node, ast.Call):
            yield from _sorted(program, node)
            yield from _taken(program, node)


def _swap(program: Program, node: ast.AST, new: ast.expr) -> str | None:
    return program.changed(lambda other: new if other is node else None)


def _sorted(program: Program, node: ast.Call) -> Iterator[Fact]:
    """``x.sort()`` and ``sorted(x)``, by a key or reversed."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == "sort" and not node.args:
        subject, unsorted = node.func.value, None
    elif isinstance(node.func, ast.Name) and node.func.id == "sorted" and len(node.args) == 1:
        subject = node.args[0]
        unsorted = ast.Call(ast.Name("list", ast.Load()), [subject], [])
    else:
        return
    shown = show(subject)
    if shown is None:
        return
    own = program.parents.get(node)
    if unsorted is None and not isinstance(own, ast.Expr):
        return
    left = (
        partial(program.changed, lambda other: [] if other is own else None)
        if unsorted is None
        else partial(_swap, program, node, unsorted)
    )
    names = tuple(name.id for name in ast.walk(subject) if isinstance(name, ast.Name))
    key = next((word for word in node.keywords if word.arg == "key"), None)
    reverse = next((word for word in node.keywords if word.arg == "reverse"), None)
    if reverse is not None and ast.unparse(reverse.value) != "True":
        return
    turned = ast.Call(
        node.func,
        node.args,
        [word for word in node.keywords if word is not reverse]
        + ([] if reverse else [ast.keyword("reverse", ast.Constant(True))]),
    )
    if key is None:
        order, other = ("ascending", "descending")[:: -1 if reverse else 1]
        wordings = worded(_ORDER, v=shown, order=order, other=other)
        skipped = worded(_UNSORTED, v=shown, order=order, other=other)
        against = worded(_ORDER, v=shown, order=other, other=order)
        swapped = partial(_swap, program, node, turned)
        untruths: tuple[Untruth, ...] = (
            Untruth(_KIND, "skip_sort", skipped, left),
            Untruth(_KIND, "reverse_sort", against, swapped),
        )
    else:
        text = show(key.value)
        if text is None or reverse is not None:
            return
        wordings = worded(_KEYED, v=shown, key=text)
        skipped = worded(_UNKEYED, v=shown, key=text)
        untruths = (Untruth(_KIND, "skip_sort", skipped, left),)
    yield Fact("sorted", names, wordings, untruths, node)


def _taken(program: Program, node: ast.Call) -> Iterator[Fact]:
    """``queue.popleft()``, ``stack.pop()``, ``heappop(heap)``: which entry comes first."""
    func = node.func
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and not node.args:
        name = func.value
        used = calls_on(program, name.id)
        if "appendleft" in used or {"pop", "popleft"} <= used:
            return  # entries come and go at both ends
        if func.attr == "popleft":
            true, false, new = "oldest", "newest", f"{name.id}.pop()"
        elif func.attr == "pop" and _is_work_list(program, name.id):
            true, false, new = "newest", "oldest", f"{name.id}.pop(0)"
        else:
            return
    elif ast.unparse(func).rpartition(".")[2] == "heappop" and len(node.args) == 1:
        if not isinstance(node.args[0], ast.Name):
            return
        name = node.args[0]
        if calls_on(program, name.id) & {"append", "insert", "pop"}:
            return  # it need be no heap any more
        true, false, new = "smallest", "newest", f"{name.id}.pop()"
    else:
        return
    other = ast.parse(new, mode="eval").body
    wordings = worded(_TAKES, v=name.id, which=true, other=false)
    against = worded(_TAKES, v=name.id, which=false, other=true)
    swapped = partial(_swap, program, node, other)
    yield Fact(
        "taken", (name.id,), wordings, (Untruth(_KIND, "other_end", against, swapped),), node
    )


def _is_work_list(program: Program, name: str) -> bool:
    """Whether a list is a stack: it starts as a list and is appended to."""
    appended = listed = False
    for node in ast.walk(program.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            listed |= any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
        elif isinstance(node, ast.Attribute) and node.attr == "append":
            appended |= isinstance(node.value, ast.Name) and node.value.id == name
    return appended and listed
