"""A fact: something a program does, in words that can be read back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from tracelift_groups.perturb.code.program import Program

_LONGEST = 70


class Untruth:
    """A false version of a fact and the program that would make it true.

    Attributes:
        kind: Kind of flaw.
        operator: Which of the engine's operators this is.
        wordings: The false sentences, one for each wording of the fact; empty where the fact is
            simply not said.
    """

    def __init__(
        self,
        kind: str,
        operator: str,
        wordings: tuple[str, ...],
        make: Callable[[], str | None],
    ) -> None:
        self.kind, self.operator, self.wordings = kind, operator, wordings
        self._make = make

    def reworded(self, wordings: tuple[str, ...]) -> Untruth:
        """The same with other wordings."""
        return Untruth(self.kind, self.operator, wordings, self._make)

    @cached_property
    def program(self) -> str | None:
        """The program that follows, made when first asked for; None where it is no other one."""
        return self._make()


class Fact(NamedTuple):
    """One thing that a program does.

    Attributes:
        form: The shape that was recognised, such as ``running_sum``.
        about: The names it is about; its sentence goes where the text speaks of them.
        wordings: Sentences that say it, each in full.
        untruths: Ways to be wrong about it.
        where: The place in the program that it is about.
    """

    form: str
    about: tuple[str, ...]
    wordings: tuple[str, ...]
    untruths: tuple[Untruth, ...] = ()
    where: ast.AST | None = None


def show(node: ast.AST) -> str | None:
    """Return code as a trace would quote it; None where it is too long or has backticks."""
    text = ast.unparse(node)
    for child in ast.walk(node):  # f((x for x in xs)), as unparse writes it
        if isinstance(child, ast.Call) and [type(a) for a in child.args] == [ast.GeneratorExp]:
            inner = ast.unparse(child.args[0])
            text = text.replace(f"({inner})", inner)
    return text if len(text) <= _LONGEST and "\n" not in text and "`" not in text else None


def worded(patterns: tuple[str, ...], **values: str) -> tuple[str, ...]:
    """Fill the values into each pattern, which names them in braces."""
    return tuple(pattern.format(**values) for pattern in patterns)


def names_in(node: ast.AST) -> tuple[str, ...]:
    """The names that an expression uses, in order."""
    found = [child.id for child in ast.walk(node) if isinstance(child, ast.Name)]
    return tuple(dict.fromkeys(found))


def statements(program: Program) -> Iterator[ast.stmt]:
    """Yield every statement within functions or at top level, in the order of the source."""
    nodes = [node for node in ast.walk(program.tree) if isinstance(node, ast.stmt)]
    yield from sorted(nodes, key=lambda node: (node.lineno, node.col_offset))


def loop_of(program: Program, node: ast.AST) -> ast.For | ast.While | None:
    """The loop around a node in its own function."""
    outer = program.around(node, ast.For, ast.While, ast.FunctionDef, ast.Lambda, ast.ClassDef)
    return outer if isinstance(outer, ast.For | ast.While) else None


def reached(program: Program, node: ast.stmt) -> bool:
    """Whether a statement is carried out in every pass of its loop, or call of its function.

    It stands in the body itself, and nothing before it leaves the body early. What is said of it
    then needs no "if it comes to that".
    """
    parent = program.parents.get(node)
    kinds = (ast.FunctionDef, ast.For, ast.While, ast.Module)
    if not isinstance(parent, kinds) or node not in parent.body:
        return False
    above = program.around(parent, ast.If, ast.FunctionDef)
    if isinstance(parent, ast.For | ast.While) and isinstance(above, ast.If):
        return False  # the loop itself is under a condition
    before = parent.body[: parent.body.index(node)]
    return not any(
        isinstance(child, ast.Return | ast.Continue | ast.Break | ast.Raise)
        for other in before
        if not isinstance(other, ast.FunctionDef | ast.ClassDef)
        for child in ast.walk(other)
    )


def sites(program: Program, name: str, node: ast.AST) -> int:
    """In how many places within loops a name is given a value, in the function of a node."""
    function = program.around(node, ast.FunctionDef) or program.tree
    count = 0
    for other in ast.walk(function):
        targets: list[ast.expr] = []
        if isinstance(other, ast.Assign):
            targets = other.targets
        elif isinstance(other, ast.AugAssign | ast.AnnAssign | ast.For):
            targets = [other.target]
        named = any(
            isinstance(child, ast.Name) and child.id == name
            for target in targets
            for child in ast.walk(target)
        )
        count += named and (loop_of(program, other) is not None or isinstance(other, ast.For))
    return count


def calls_on(program: Program, name: str) -> set[str]:
    """The methods that are called on a name."""
    return {
        node.func.attr
        for node in ast.walk(program.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == name
    }


def leaves(loop: ast.For | ast.While) -> bool:
    """Whether a loop may end before its last pass."""
    return any(isinstance(node, ast.Break | ast.Return) for node in ast.walk(loop))


def without(program: Program, node: ast.stmt) -> str | None:
    """The program with a statement taken out."""
    return program.changed(lambda other: [] if other is node else None)


def instead(program: Program, node: ast.stmt, code: str) -> str | None:
    """The program with other statements in place of one."""
    return program.changed(lambda other: ast.parse(code).body if other is node else None)


def assigned(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """Target and value of an assignment to one target."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return node.targets[0], node.value
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return node.target, node.value
    return None


def starts_as(program: Program, name: str, node: ast.AST) -> Iterator[ast.expr]:
    """What a name is given outside the loop that a statement stands in, in its function."""
    loop = loop_of(program, node)
    inside = set(ast.walk(loop)) if loop else set()
    function = program.around(node, ast.FunctionDef) or program.tree
    for other in ast.walk(function):
        pair = assigned(other) if other not in inside else None
        if pair and isinstance(pair[0], ast.Name) and pair[0].id == name:
            yield pair[1]
