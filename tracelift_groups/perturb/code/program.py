"""A program as a tree that claims can be looked up in, and that can be changed as they change.

Expressions and small statements are compared by a canonical form: ``a > b`` is ``b < a``,
``x += 1`` is ``x = x + 1``, and how a thing is spaced or parenthesised does not matter.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable
from functools import cached_property

_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_SMALL = (ast.Assign, ast.AugAssign, ast.Return, ast.Expr, ast.AnnAssign)
_SILENT = frozenset({"ctx", "kind", "type_comment"})
Swap = Callable[[ast.AST], ast.AST | list[ast.stmt] | None]


def canonical(node: ast.AST) -> str:
    """Return a text that equal expressions or statements share."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        sides = [canonical(node.left), canonical(node.comparators[0])]
        other = _FLIPPED.get(type(node.ops[0]))
        if other:
            return f"{other.__name__}({sides[1]},{sides[0]})"
        return f"{type(node.ops[0]).__name__}({sides[0]},{sides[1]})"
    if isinstance(node, ast.AugAssign):
        target, value = canonical(node.target), canonical(node.value)
        return f"Assign([{target}],BinOp({target},{type(node.op).__name__}(),{value}))"
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return f"Assign([{canonical(node.target)}],{canonical(node.value)})"
    if isinstance(node, ast.Assign):
        return f"Assign({_canonical(node.targets)},{canonical(node.value)})"
    fields = ",".join(
        _canonical(value) for name, value in ast.iter_fields(node) if name not in _SILENT
    )
    return f"{type(node).__name__}({fields})"


def _canonical(value: object) -> str:
    if isinstance(value, ast.AST):
        return canonical(value)
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    return repr(value)


def _span(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where a node begins and ends: line and column."""
    return (
        (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)),
        (getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0),
    )


class Program:
    """A parsed program.

    Args:
        source: Python source.

    Raises:
        SyntaxError, ValueError, RecursionError: It does not parse.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = ast.parse(source)
        self._changed: dict[tuple[str, str], str | None] = {}

    @cached_property
    def plain(self) -> str:
        """The program without comments and in one layout."""
        return ast.unparse(self.tree)

    @cached_property
    def forms(self) -> Counter[str]:
        """How often each expression or small statement occurs, by canonical form."""
        return Counter(self._form_of.values())

    @cached_property
    def _form_of(self) -> dict[ast.AST, str]:
        return {
            node: canonical(node)
            for node in ast.walk(self.tree)
            if isinstance(node, (ast.expr, *_SMALL))
        }

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name, attribute, argument and function of the program."""
        found = set[str]()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.FunctionDef):
                found.add(node.name)
        return frozenset(found)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node that each node stands in."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def only_in_loops(self, form: str) -> bool:
        """Whether every occurrence of a canonical form stands in a loop, or in its head."""
        places = [node for node, own in self._form_of.items() if own == form]
        return bool(places) and all(
            self.around(node, ast.For, ast.While, ast.FunctionDef).__class__ in (ast.For, ast.While)
            for node in places
        )

    def around(self, node: ast.AST, *kinds: type[ast.AST]) -> ast.AST | None:
        """The innermost node of these kinds that a node stands in."""
        outer = self.parents.get(node)
        while outer is not None and not isinstance(outer, kinds):
            outer = self.parents.get(outer)
        return outer

    def places(self, form: str, within: ast.AST | None = None) -> int:
        """How often a canonical form occurs, in all or within the span of a node."""
        return self.forms[form] if within is None else len(self._wanted(form, within))

    def _wanted(self, form: str, within: ast.AST | None) -> list[ast.AST]:
        found = [node for node, own in self._form_of.items() if own == form]
        if within is None:
            return found
        start, end = _span(within)
        return [node for node in found if start <= _span(node)[0] and _span(node)[1] <= end]

    def replaced(self, form: str, new: ast.AST, within: ast.AST | None = None) -> str | None:
        """Return the program with every occurrence of a canonical form replaced.

        Args:
            form: What is replaced.
            new: What takes its place.
            within: Only what stands in the span of this node, of this or an equal tree.

        Returns:
            None where nothing occurs, nothing changes, or what comes out is no program.
        """
        span = "" if within is None else str(_span(within))
        key = (form, ast.dump(new) + span)
        if key not in self._changed:
            wanted = set(self._wanted(form, within))
            self._changed[key] = self._replaced(wanted, new) if wanted else None
        return self._changed[key]

    def _replaced(self, wanted: set[ast.AST], new: ast.AST) -> str | None:
        def swap(node: ast.AST) -> ast.AST | None:
            if node not in wanted:
                return None
            if isinstance(node, ast.stmt) != isinstance(new, ast.stmt):
                return None
            return copy.deepcopy(new)

        return self.changed(swap)

    def changed(self, swap: Swap) -> str | None:
        """Return the program with some nodes swapped, in one layout.

        Args:
            swap: Gives what stands in a node's place: another node, statements, or None to go on
                into the node. Statements that are taken away leave a ``pass`` where they must.

        Returns:
            The new program, or None where it is the old one or does not parse.
        """
        tree = _Swap(swap).apply(self.tree)
        try:
            text = ast.unparse(ast.fix_missing_locations(tree))
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, TypeError, AttributeError):
            return None
        return None if text == self.plain else text


class _Swap:
    """Rebuilds a tree; the original stays as it is, so that its nodes can be told apart."""

    def __init__(self, swap: Swap) -> None:
        self._swap = swap

    def apply(self, node: ast.AST) -> ast.AST:
        fields: dict[str, object] = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                items = self._items(value)
                if name == "body" and not items and value:
                    items = [ast.Pass()]
                fields[name] = items
            elif isinstance(value, ast.AST):
                new = self._swap(value)
                fields[name] = self.apply(value) if not isinstance(new, ast.AST) else new
            else:
                fields[name] = value
        return ast.copy_location(type(node)(**fields), node)

    def _items(self, values: list[object]) -> list[object]:
        items: list[object] = []
        for value in values:
            new = self._swap(value) if isinstance(value, ast.AST) else None
            if isinstance(new, list):
                items += new
            elif new is not None:
                items.append(new)
            else:
                items.append(self.apply(value) if isinstance(value, ast.AST) else value)
        return items
