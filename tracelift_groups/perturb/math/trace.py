"""A trace as a graph: steps, the equations they state, and which step feeds which.

Every number of the text is a *mention* with a source: the equation that worked it out, the
problem that gives it, a constant that nobody states, or unknown where two of these fit. An edit
may only start at a value whose mentions are all certain.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from tracelift_groups.perturb.math.conversions import is_factor
from tracelift_groups.perturb.math.equation import Equation, read_equations
from tracelift_groups.perturb.math.expression import leaves
from tracelift_groups.perturb.math.numbers import Number, Quantity, read_numbers, read_quantities
from tracelift_groups.perturb.math.sentences import NAMING, split_steps
from tracelift_groups.perturb.math.tokens import tokenize

SourceKind = Literal["step", "problem", "constant", "unsure"]
# How a step begins that works an earlier one backwards.
CHECK = re.compile(r"\(?(?:Check|To check|Checking|Working back(?:wards)?|As a check)\b", re.I)
# Working that is written out in words before the equation itself.
LABEL = re.compile(r"\d[^.;:]*=\s*[$€£]?\s*$")


class Source(NamedTuple):
    """Where a number comes from; ``equation`` is an index into the trace's equations."""

    kind: SourceKind
    equation: int | None = None


class Mention(NamedTuple):
    """A number of the trace. ``number`` has offsets within the step.

    ``equation`` is the equation that it stands in, or None in prose; ``stated`` says that it is
    that equation's result rather than an operand.
    """

    step: int
    number: Number
    value: Fraction
    source: Source
    equation: int | None = None
    stated: bool = False


@dataclass(frozen=True, eq=False)  # a trace's nodes are told apart by identity
class Node:
    """An equation of the trace, by its place: ``step`` and the equation read there.

    One that ``confirms`` works an earlier step backwards ("Check: 15 + 9 = 24"); nothing rests
    on it, and no edit may touch what it confirms.
    """

    index: int
    step: int
    equation: Equation
    confirms: bool = False

    @property
    def value(self) -> Fraction:
        """The stated result."""
        return self.equation.value


@dataclass(frozen=True)
class MathTrace:
    """A parsed trace. Build it with :func:`parse_trace`."""

    problem: Problem
    steps: tuple[str, ...]
    separator: str
    nodes: tuple[Node, ...]
    mentions: tuple[Mention, ...]
    opaque: frozenset[int] = field(default_factory=frozenset)
    """Steps with unknowns (``2x = 10``): kept as they are, never a place for an edit."""

    @property
    def text(self) -> str:
        """The steps, joined as they were given."""
        return self.separator.join(self.steps)

    def with_steps(self, steps: Iterable[str]) -> MathTrace:
        """Parse other steps of the same problem, joined in the same way."""
        return parse_trace(steps, self.problem, separator=self.separator)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each step starts in :attr:`text`."""
        found, position = [], 0
        for step in self.steps:
            found.append(position)
            position += len(step) + len(self.separator)
        return tuple(found)

    @cached_property
    def derivations(self) -> tuple[Node, ...]:
        """The equations that work something out."""
        return tuple(node for node in self.nodes if node.equation.derives and not node.confirms)

    @cached_property
    def false_equations(self) -> tuple[Node, ...]:
        """The equations that do not hold."""
        return tuple(node for node in self.nodes if not node.equation.holds)

    @cached_property
    def answer(self) -> Fraction | None:
        """What the trace ends on: its last step's result or, in prose, the number asserted."""
        for step in reversed(range(len(self.steps))):
            if CHECK.match(self.steps[step]):
                continue
            here = [node for node in self.nodes if node.step == step]
            if here:
                return here[-1].value
            said = [mention for mention in self.mentions if mention.step == step]
            if said:
                return self._asserted(said)
        return None

    def _asserted(self, said: list[Mention]) -> Fraction:
        results = [node.value for node in self.nodes if not node.confirms]
        lead = NAMING.match(self.steps[said[0].step])
        named = lead.end() if lead else 0  # "Putting 15 and 240 together, she earns 15"
        said = [mention for mention in said if mention.number.start >= named] or said
        values = [mention.number.value for mention in said]
        if results and results[-1] in values:
            return results[-1]
        known = [value for value in values if value in results]
        fresh = [m.number.value for m in said if m.source.kind != "problem"]
        return [*values, *fresh, *known][-1]

    def operands(self, node: Node) -> list[Mention]:
        """The numbers on the left of an equation, in order."""
        return [m for m in self.mentions if m.equation == node.index and not m.stated]

    def mentions_of(self, node: Node) -> list[Mention]:
        """Every number that is this equation's result, its own statement included."""
        return [
            m
            for m in self.mentions
            if m.source.equation == node.index or (m.equation == node.index and m.stated)
        ]

    def uncertain(self, node: Node) -> bool:
        """Whether an edit of this result might leave something behind that belongs to it.

        Some number from here on might or might not be this result, or the working stands
        written out once more in front ("Ellie's 8 + Riley's 5 = 8 + 5 = 13").
        """
        known = self._uncertain
        if node.index not in known:
            known[node.index] = self._is_uncertain(node)
        return known[node.index]

    @cached_property
    def _uncertain(self) -> dict[int, bool]:
        return {}  # asked for the same node by many operators

    def _is_uncertain(self, node: Node) -> bool:
        if LABEL.search(self.steps[node.step][: node.equation.start]):
            return True
        later = [
            m
            for m in self.mentions
            if m.step >= node.step and (m.equation is None or m.equation > node.index)
        ]
        share = node.value / 100  # 95 % worked out, 0.95 used
        return any(
            (m.source.kind == "unsure" and m.value == node.value)
            or (m.source.equation is None and m.number.value == share)
            for m in later
        )

    def serving(self, node: Node) -> frozenset[int]:
        """The earlier equations whose results serve this one alone, directly or not."""
        found: set[int] = set()
        for earlier in reversed(self.nodes[: node.index]):
            users = {user.index for user in self.consumers(earlier)}
            if users and users <= found | {node.index}:
                found.add(earlier.index)
        return frozenset(found)

    def alone(self, node: Node) -> bool:
        """Whether the equation's step holds no other equation and no unknowns."""
        return self._equations_in[node.step] == 1 and node.step not in self.opaque

    @cached_property
    def _equations_in(self) -> Counter[int]:
        return Counter(node.step for node in self.nodes)

    def consumers(self, node: Node) -> list[Node]:
        """The equations that build on this one's result."""
        return [user for user in self._users(node) if not user.confirms]

    def confirmed(self, node: Node) -> bool:
        """Whether a later step works this one backwards."""
        return any(user.confirms for user in self._users(node))

    def _users(self, node: Node) -> list[Node]:
        return self._used_by.get(node.index, [])

    @cached_property
    def _used_by(self) -> dict[int, list[Node]]:
        found: dict[int, list[Node]] = {}
        for mention in self.mentions:
            source, user = mention.source.equation, mention.equation
            if source is None or user is None or source == user:
                continue
            users = found.setdefault(source, [])
            if self.nodes[user] not in users:
                users.append(self.nodes[user])
        return {source: sorted(users, key=lambda n: n.index) for source, users in found.items()}


@dataclass(frozen=True)
class Problem:
    """A problem's text and its quantities."""

    text: str

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities in digits and in words."""
        return read_quantities(self.text)

    @cached_property
    def values(self) -> frozenset[Fraction]:
        """The values that the problem states."""
        return frozenset(quantity.value for quantity in self.quantities)

    def states(self, value: Fraction) -> bool:
        """Whether the problem states a value, as it is or as its percentage."""
        return value.as_integer_ratio() in self._stated

    @cached_property
    def percentages(self) -> frozenset[Fraction]:
        """The values that may be percentages: those with a sign or, where it says percent, all."""
        spelled = re.search(r"\bper ?cent", self.text) is not None
        return frozenset(q.value for q in self.quantities if spelled or "%" in q.text)

    @cached_property
    def _stated(self) -> frozenset[tuple[int, int]]:
        # Pairs of integers hash several times faster than fractions, and this is asked often.
        shares = {100 * value for value in self.values if value < 1}
        return frozenset(value.as_integer_ratio() for value in self.values | shares)


def parse_trace(
    text: str | Iterable[str], problem: Problem, *, separator: str | None = None
) -> MathTrace:
    """Parse a reasoning text.

    Args:
        text: The text, or its steps.
        problem: The problem that it solves; tells given quantities from constants.
        separator: What stands between steps; by default a line break for a text of several
            lines, else a space.
    """
    if isinstance(text, str):
        steps = split_steps(text)
        separator = separator or ("\n" if "\n" in text.strip() else " ")
    else:
        steps = tuple(text)
    separator = separator or "\n"
    nodes: list[Node] = []
    opaque = set()
    for index, step in enumerate(steps):
        equations = read_equations(step)
        confirms = CHECK.match(step) is not None
        nodes += [Node(len(nodes) + i, index, one, confirms) for i, one in enumerate(equations)]
        if _has_unknowns(step):
            opaque.add(index)
    mentions = _Linker(problem, steps, nodes).mentions()
    return MathTrace(problem, steps, separator, tuple(nodes), tuple(mentions), frozenset(opaque))


@lru_cache(maxsize=4096)
def _has_unknowns(step: str) -> bool:
    """Whether a single letter stands for a number: x, 2b, (C+5)."""
    tokens = tokenize(step)
    for index, token in enumerate(tokens):
        if token.kind != "word" or len(token.text) != 1 or token.text in "aIA":
            continue
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        touching = before is not None and before.kind == "number" and before.end == token.start
        signs = [n for n in (before, after) if n is not None and n.kind in ("=", "op", "(")]
        if touching or (signs and token.text not in "gmhLl"):
            return True
        if before is not None and before.text in ("Let", "let", "variable"):
            return True
    return False


class _Linker:
    """Gives every number its source, reading the trace from the front."""

    def __init__(self, problem: Problem, steps: tuple[str, ...], nodes: list[Node]) -> None:
        self.problem, self.steps, self.nodes = problem, steps, nodes
        self.results: dict[tuple[int, int], list[Node]] = {}
        for node in nodes:
            if node.equation.result and not node.confirms:
                key = node.equation.result.value.as_integer_ratio()
                self.results.setdefault(key, []).append(node)
        self.used: set[int] = set()
        self.spent: set[Fraction] = set()

    def mentions(self) -> list[Mention]:
        found: list[Mention] = []
        for index, step in enumerate(self.steps):
            here = [node for node in self.nodes if node.step == index]
            inside = [(n.equation.start, n.equation.end) for n in here]
            prose = [
                number
                for number in read_numbers(step)
                if not any(start <= number.start < end for start, end in inside)
            ]
            for node in here:
                found += self._of_equation(node)
            for number in prose:
                found.append(self._of_prose(index, number, here))
        return sorted(found, key=lambda m: (m.step, m.number.start))

    def _of_equation(self, node: Node) -> list[Mention]:
        equation = node.equation
        found = []
        last = len(equation.segments) - 1
        for place, segment in enumerate(equation.segments):
            for leaf in leaves(segment.node):
                stated = place == last and equation.result is leaf.number
                percent = equation.reading.percent and leaf.number.percent
                value = leaf.number.value / 100 if percent else leaf.number.value
                source = (
                    Source("step", node.index)
                    if stated
                    else self._source(leaf.number.value, node.index, node.step)
                )
                if source.kind == "constant" and place:
                    source = Source("unsure")  # an intermediate value within a chain
                mention = Mention(node.step, leaf.number, value, source, node.index, stated)
                found.append(mention)
                if node.confirms:
                    continue
                if source.equation is not None and not stated:
                    self.used.add(source.equation)
                elif source.kind == "problem":
                    self.spent.add(leaf.number.value)
        return found

    def _of_prose(self, step: int, number: Number, here: list[Node]) -> Mention:
        value = number.value
        for node in here:  # "They earned $30 because 5 x 6 = 30"
            result = node.equation.result
            if result is None or result.value != value:
                continue
            if all(leaf.number.value != value for leaf in leaves(node.equation.lhs)):
                if not self.problem.states(value) or result.end <= number.start:
                    return Mention(step, number, value, Source("step", node.index))
                return Mention(step, number, value, Source("unsure"))
        before = (
            here[0].index
            if here
            else next((node.index for node in self.nodes if node.step > step), len(self.nodes))
        )
        return Mention(step, number, value, self._source(value, before, step))

    def _source(self, value: Fraction, before: int, step: int) -> Source:
        """Decide among earlier results, given quantities and constants."""
        found = self.results.get(value.as_integer_ratio(), ())
        results = [node for node in found if node.index < before]
        given = self.problem.states(value)
        if results and is_factor(value, self.steps[step]):
            return Source("unsure")  # the 60 of an hour, or 60 minutes worked out before?
        unused = [node for node in results if node.index not in self.used]
        if given and results:
            # Solvers use what they worked out, and each given number as often as it is given:
            # one of the two is spent when the other is meant.
            if len(unused) == 1 and value in self.spent:
                return Source("step", unused[0].index)
            return Source("unsure")
        if not results:
            return Source("problem") if given else Source("constant")
        if len(results) == 1 or len(unused) == len(results):
            return Source("step", results[0].index)
        return Source("step", unused[0].index) if unused else Source("unsure")
