"""A parent and a flawed trace side by side, and what the postconditions report about them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from tracelift_groups.perturb.math.equation import Equation
from tracelift_groups.perturb.math.expression import Binary, Bracket, leaves
from tracelift_groups.perturb.math.expression import Node as Tree
from tracelift_groups.perturb.math.numbers import read_numbers
from tracelift_groups.perturb.math.trace import MathTrace, Mention, Node

_TOKEN = re.compile(r"[$€£]?\d[\d,]*(?:\.\d+)?%?|[A-Za-z'’]+|\S")


class Unconfirmed(Exception):  # noqa: N818 - a verdict, not a failure
    """The texts do not bear the claim out; the message says what is missing."""


class Evidence(NamedTuple):
    """What a postcondition found. Offsets count within the step of the flawed trace."""

    step: int
    start: int
    end: int
    before: str
    equation: str | None = None
    expected: str | None = None
    claimed: str | None = None
    quantity: str | None = None
    propagation: Literal["propagated", "local"] | None = None
    lost: int = 0
    """Derivation steps of the parent that are gone."""


class Region(NamedTuple):
    """Where two texts differ: offsets in the parent's step and in the flawed one."""

    parent: tuple[int, int]
    flawed: tuple[int, int]


class Change(NamedTuple):
    """Steps that differ in more than numbers, on either side."""

    parent: range
    flawed: range


@dataclass(frozen=True)
class Pair:
    """A parsed parent and a parsed flawed trace of one problem."""

    parent: MathTrace
    flawed: MathTrace

    @cached_property
    def _codes(self) -> Sequence[tuple[str, int, int, int, int]]:
        one = [masked(step) for step in self.parent.steps]
        two = [masked(step) for step in self.flawed.steps]
        return SequenceMatcher(None, one, two, autojunk=False).get_opcodes()

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Differences between the traces, numbers aside."""
        return tuple(
            Change(range(i1, i2), range(j1, j2))
            for tag, i1, i2, j1, j2 in self._codes
            if tag != "equal"
        )

    def stray_number(self) -> str | None:
        """A number in the prose of an otherwise unchanged step that neither stayed nor followed.

        Returns:
            The number as the flawed trace writes it, or None where there is none.
        """
        for tag, i1, i2, j1, _ in self._codes:
            for offset in range(i2 - i1 if tag == "equal" else 0):
                mine, theirs = i1 + offset, j1 + offset
                if self.parent.steps[mine] == self.flawed.steps[theirs]:
                    continue
                stray = self._stray(mine, theirs)
                if stray is not None:
                    return stray
        return None

    def _stray(self, mine: int, theirs: int) -> str | None:
        before = [m for m in self.parent.mentions if m.step == mine]
        after = [m for m in self.flawed.mentions if m.step == theirs]
        here = [node for node in self.flawed.nodes if node.step == theirs]
        if len(before) != len(after):
            return None
        for one, two in zip(before, after, strict=True):
            if one.equation is not None or two.equation is not None:
                continue
            source = one.source.equation
            own = source is not None and self.parent.nodes[source].step == mine
            allowed = {one.number.value}
            if own and len(here) == 1:
                allowed = {here[0].value}
            elif source is not None:
                allowed |= {node.value for node in self.flawed.nodes}
                # A given number or a constant of the parent may stand in for it.
                allowed |= self.parent.problem.values
                allowed |= {
                    m.number.value for m in self.parent.mentions if m.source.kind == "constant"
                }
                allowed |= {m.number.value for m in self.flawed.mentions if m.step < theirs}
            if two.number.value not in allowed:
                return self.flawed.steps[theirs][two.number.start : two.number.end]
        return None

    def follows(
        self, *, besides: int | None = None, removed: Mapping[int, Fraction | None] | None = None
    ) -> bool:
        """Whether every equation but one is the parent's, with values carried through.

        Args:
            besides: An equation of the parent whose inside is not compared.
            removed: Equations of the parent that are gone, and what later steps use in their
                place; None where nothing may.
        """
        removed = removed or {}
        parents = [node for node in self.parent.nodes if node.index not in removed]
        if len(parents) != len(self.flawed.nodes):
            return False
        place = {node.index: self.flawed.nodes[i] for i, node in enumerate(parents)}
        for node in parents:
            mine = place[node.index]
            if node.index == besides:
                continue
            if operators(node.equation) != operators(mine.equation):
                return False
            for one, two in zip(self._numbers(node), written(mine.equation), strict=True):
                if self._expected(one, place, removed) != two:
                    return False
        return True

    def _numbers(self, node: Node) -> list[Mention]:
        return [m for m in self.parent.mentions if m.equation == node.index]

    def _expected(
        self, mention: Mention, place: Mapping[int, Node], removed: Mapping[int, Fraction | None]
    ) -> Fraction | None:
        source = mention.source.equation
        if source is None:
            return mention.number.value
        return place[source].value if source in place else removed[source]


@lru_cache(maxsize=4096)
def masked(step: str) -> str:
    """The step with a # for every number and single spaces."""
    pieces, position = [], 0
    for number in read_numbers(step):
        pieces += [step[position : number.start], "#"]
        position = number.end
    return " ".join("".join([*pieces, step[position:]]).split())


def operators(equation: Equation) -> tuple[str, ...]:
    """The operators of an equation, segment by segment, left to right."""
    found: list[str] = []
    for segment in equation.segments:
        found += [*_operators(segment.node), "="]
    return tuple(found)


def _operators(node: Tree) -> list[str]:
    if isinstance(node, Bracket):
        return ["(", *_operators(node.inner), ")"]
    if isinstance(node, Binary):
        return [*_operators(node.left), node.op, *_operators(node.right)]
    return []


def shape(node: Tree) -> object:
    """What an expression works out, brackets around all of it aside: numbers and operators."""
    if isinstance(node, Bracket):
        return shape(node.inner)
    if isinstance(node, Binary):
        return (node.op, shape(node.left), shape(node.right))
    return node.number.value


def written(equation: Equation) -> tuple[Fraction, ...]:
    """All numbers of an equation as they are written, left to right."""
    return tuple(leaf.number.value for s in equation.segments for leaf in leaves(s.node))


def signature(node: Node) -> tuple[tuple[str, ...], tuple[Fraction, ...]]:
    """What an equation says, whatever words and units stand around it."""
    return operators(node.equation), written(node.equation)


def stated(trace: MathTrace, node: Node) -> str:
    """The equation's text."""
    return trace.steps[node.step][node.equation.start : node.equation.end]


def difference(parent: str, flawed: str) -> Region:
    """Return the smallest region of whole tokens in which two steps differ."""
    one, two = list(_TOKEN.finditer(parent)), list(_TOKEN.finditer(flawed))
    head = 0
    while head < min(len(one), len(two)) and one[head][0] == two[head][0]:
        head += 1
    tail = 0
    most = min(len(one), len(two)) - head
    while tail < most and one[-1 - tail][0] == two[-1 - tail][0]:
        tail += 1
    return Region(_extent(one, head, tail, parent), _extent(two, head, tail, flawed))


def _extent(tokens: list[re.Match[str]], head: int, tail: int, text: str) -> tuple[int, int]:
    if head >= len(tokens) - tail:  # nothing of this side is left: an empty place
        at = tokens[head - 1].end() if head else 0
        return at, at
    return tokens[head].start(), tokens[len(tokens) - 1 - tail].end()
