"""Runs a program and watches whether what a fact says of a variable is so, pass by pass.

An independent reading of the sentences: of the statement that a fact was read off it takes only
where it stands. A pass that never gets there counts: "the sum of all `x`" is of all of them.
"""

from __future__ import annotations

import ast
import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from typing import Any
from unittest import mock

from tests.perturb.code.programs import quoted
from tracelift_groups.perturb.code.facts import Fact
from tracelift_groups.perturb.code.program import canonical

# The forms that can be watched, and what their first wording quotes, in order.
ROLES: dict[str, tuple[str, ...]] = {
    "running_best": ("v", "x"),
    "running_sum": ("v", "x"),
    "running_count": ("v", "test"),
    "partial_sum": ("test", "x", "v"),
    "all_seen": ("v", "x"),
    "latest_of": ("v", "x", "k"),
    "tally": ("v", "k"),
    "gathered": ("x", "v"),
}
_STATEMENTS = {
    "running_sum": ("{v} += {x}",),
    "running_count": ("{v} += 1",),
    "partial_sum": ("{v} += {x}",),
    "running_best": ("{v} = {x}", "{v} = max({v}, {x})", "{v} = max({x}, {v})",
                     "{v} = min({v}, {x})", "{v} = min({x}, {v})"),
    "all_seen": ("{v}.add({x})",),
    "latest_of": ("{v}[{k}] = {x}",),
    "tally": ("{v}[{k}] += 1",),
    "gathered": ("{v}.append({x})",),
}  # fmt: skip
_MISSED = object()
_MOST_PASSES = 300


def refutations(source: str, fact: Fact, run: Callable[[dict[str, Any]], object]) -> list[str]:
    """Run a program and return what contradicts a fact, at the end of which pass.

    Args:
        source: The program.
        fact: A fact of one of the forms in ``ROLES``.
        run: Given the program's globals, does what a test does: calls a function.
    """
    roles = dict(zip(ROLES[fact.form], quoted(fact.wordings[0]), strict=False))
    watched = _watched(source, fact, roles)
    watch = _Watch(fact)
    space: dict[str, Any] = {"__name__": "program", "_watch": watch}
    exec(compile(watched, "<watched>", "exec"), space)
    run(space)
    return watch.refuted


def run_stdin(source: str, fact: Fact, text: str) -> list[str]:
    """The same for a program that reads stdin."""
    lines = iter(text.split("\n"))
    with mock.patch("builtins.input", lambda: next(lines)), redirect_stdout(io.StringIO()):
        return refutations(source, fact, lambda _: None)


class _Watch:
    def __init__(self, fact: Fact) -> None:
        self._fact, self.refuted, self.passes = fact, list[str](), list[Any]()
        self._entered = [0]

    def enter(self) -> None:
        """A loop begins. "So far" may mean from here, or from where another loop began."""
        self._entered.append(len(self.passes))

    def end(self, held: Any, taken: list[Any], at_end: Callable[[], Any]) -> None:
        """A pass ends: what the variable holds, and what was met in the pass, in its place."""
        if len(self.passes) >= _MOST_PASSES:
            return
        value = taken[-1] if taken else _MISSED
        if value is _MISSED and self._fact.form == "gathered":
            return  # it is said of those that get there
        if value is _MISSED:
            try:
                value = at_end()
            except Exception:
                return
        self.passes.append(value)
        if not any(self._so(held, self.passes[start:]) for start in set(self._entered)):
            own = self.passes[self._entered[-1] :]
            self.refuted.append(f"{self._fact.wordings[0]} holds {held!r}, met {own[-8:]!r}")

    def _so(self, held: Any, met: list[Any]) -> bool:
        if not met:
            return False
        form, words = self._fact.form, self._fact.wordings[0]
        if form == "running_sum":
            return bool(held == sum(met))
        if form == "running_count":
            return bool(held == sum(map(bool, met)))
        if form == "partial_sum":
            return bool(held == sum(x for test, x in met if test))
        if form == "running_best":
            if "largest" not in words and "smallest" not in words:
                return True  # the weaker form: says what a pass does, not what is held
            return bool(held == (max if "largest" in words else min)(met))
        if form == "all_seen":
            return all(x in held for x in met)
        if form == "latest_of":
            latest = dict(met)
            return all(key in held and held[key] == x for key, x in latest.items())
        if form == "tally":
            counts = Counter(met)
            return all(held.get(key, 0) == times for key, times in counts.items())
        entries = iter(held)  # in the order they were met, whatever else is there
        return all(x in entries for x in met)


def _watched(source: str, fact: Fact, roles: dict[str, str]) -> str:
    """The program with every pass of the fact's loop reported to ``_watch``."""
    tree = ast.parse(source)
    wanted = {
        canonical(ast.parse(pattern.format(**roles)).body[0]) for pattern in _STATEMENTS[fact.form]
    }
    x = {"running_count": "{test}", "partial_sum": "({test}, {x})", "tally": "{k}",
         "latest_of": "({k}, {x})"}.get(fact.form, "{x}").format(**roles)  # fmt: skip
    if fact.form == "partial_sum":  # x need not make sense where the test fails
        x = "({test}, {x} if {test} else 0)".format(**roles)
    place = None
    for loop in ast.walk(tree):
        if not isinstance(loop, ast.For | ast.While):
            continue
        if any(canonical(node) in wanted for node in _own(loop)):
            place = loop
            _report(loop, wanted, roles.get("test"), x, roles["v"])
    assert place is not None, f"no loop does what {fact.wordings[0]!r} says"
    _enter(tree)
    return ast.unparse(ast.fix_missing_locations(tree))


def _own(loop: ast.For | ast.While) -> Iterator[ast.stmt]:
    """The statements of a loop that are in no loop or function within it."""
    stack: list[ast.AST] = list(loop.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.Lambda):
            stack += ast.iter_child_nodes(node)


def _report(loop: ast.For | ast.While, wanted: set[str], test: str | None, x: str, v: str) -> None:
    """Put "take" before the statement (or the ``if`` it is in), and "end" behind each pass."""
    take = ast.parse(f"_taken.append({x})").body[0]

    def with_take(body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for node in body:
            here = canonical(node) in wanted
            if isinstance(node, ast.If):
                own_test = test is not None and ast.unparse(node.test) == test
                inner = any(canonical(one) in wanted for one in node.body)
                here = inner and (own_test or (test is None and _compares(node.test, v, x)))
                if not here:
                    node.body, node.orelse = with_take(node.body), with_take(node.orelse)
            made += [take, node] if here else [node]
        return made

    body = with_take(loop.body)
    end = ast.parse(f"_watch.end({v}, _taken, lambda: {x})").body[0]
    start = ast.parse("_taken = []").body[0]
    loop.body = [start, ast.Try(body, [], [], [end])]
    loop.lineno = -1  # marks it for _enter


def _compares(test: ast.expr, v: str, x: str) -> bool:
    """``x > v``: the condition of an update, not one that the update is under."""
    return isinstance(test, ast.Compare) and {
        ast.unparse(test.left), ast.unparse(test.comparators[0])
    } == {v, x}  # fmt: skip


def _enter(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                enter = ast.parse("_watch.enter()").body[0]
                made = [
                    one
                    for child in block
                    for one in ([enter, child] if getattr(child, "lineno", 0) == -1 else [child])
                ]
                setattr(node, name, made)


def quietly(call: Callable[[], object]) -> None:
    """Run what may raise: a program may be tested on inputs that it refuses."""
    with suppress(Exception):
        call()
