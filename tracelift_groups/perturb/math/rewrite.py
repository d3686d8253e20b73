"""Edits of a parsed trace: collected as replacements, propagated, then written out.

A :class:`Draft` is only a proposal. What it amounts to is decided by the checks, which read the
finished text and know nothing of the edit that made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from tracelift_groups.perturb.math.equation import Equation, parse_expression
from tracelift_groups.perturb.math.expression import evaluate
from tracelift_groups.perturb.math.numbers import Number, decimals_of, render
from tracelift_groups.perturb.math.sentences import upper_first
from tracelift_groups.perturb.math.trace import MathTrace, Mention, Node

_NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()


class Replacement(NamedTuple):
    """Write ``text`` over ``start:end`` of a step."""

    step: int
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Draft:
    """A proposed rewording or flaw: the operator that made it, and the new steps."""

    operator: str
    steps: tuple[str, ...]


def apply(
    trace: MathTrace, replacements: Iterable[Replacement], drop: Iterable[int] = ()
) -> tuple[str, ...]:
    """Return the steps with the replacements made and the dropped steps gone.

    Raises:
        ValueError: Two replacements overlap.
    """
    steps = list(trace.steps)
    last_start: dict[int, int] = {}
    for edit in sorted(set(replacements), key=lambda r: (r.step, r.start), reverse=True):
        if edit.end > last_start.get(edit.step, len(steps[edit.step])):
            raise ValueError("two replacements overlap")
        last_start[edit.step] = edit.start
        text = steps[edit.step]
        new = text[: edit.start] + edit.text + text[edit.end :]
        steps[edit.step] = new if edit.start or edit.text else upper_first(new)
    gone = set(drop)
    return tuple(step for index, step in enumerate(steps) if index not in gone)


def if_changed(trace: MathTrace, steps: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the steps, or None where they are the trace's own."""
    return steps if steps != trace.steps else None


def reworked(step: str, equation: Equation, edits: Iterable[Replacement]) -> Fraction | None:
    """Return what the left-hand side of an equation gives once ``edits`` changed its text.

    The text is parsed anew, so precedence is that of what a reader will see.
    """
    text, end = step, equation.segments[0].unit_end
    for edit in sorted(edits, key=lambda r: r.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
        end += len(edit.text) - (edit.end - edit.start)
    node = parse_expression(text[equation.start : end], equation.reading)
    try:
        return None if node is None else evaluate(node, equation.reading)
    except ZeroDivisionError:
        return None


def as_written(value: Fraction, number: Number, equation: Equation) -> Fraction:
    """Scale a worked value to how the result is written: 0.5 to 50 for "50%"."""
    return value * 100 if equation.reading.percent and number.percent else value


def plausible(value: Fraction, like: Fraction, number: Number) -> bool:
    """Whether a solver would write this value down where ``like`` stood, unsuspicious."""
    if value <= 0 or value > 10_000_000 or value == like:
        return False
    places = decimals_of(value, 4)
    if places is None:
        return False
    if like.denominator == 1 and places:
        return number.money and places <= 2
    return places <= max(2, number.style.decimals)


def propagate(
    trace: MathTrace, node: Node, value: Fraction, *, strict: bool = True
) -> list[Replacement] | None:
    """Carry a changed result through the trace.

    Args:
        trace: The parent.
        node: The equation whose result changes.
        value: Its new result, as written.
        strict: Refuse values that a solver would stumble over (12.5 people, -3 dollars).

    Returns:
        Replacements for every number that follows from the change, the statement itself
        included; None where the change cannot be followed with certainty.
    """
    changed: dict[int, Fraction] = {node.index: value}
    edits: list[Replacement] = []
    for current in trace.nodes[node.index :]:
        if current.index != node.index:
            new = _recomputed(trace, current, changed)
            if new is None:
                return None
            if new != current.value:
                if current.confirms:
                    return None  # the solver's own check would tell
                changed[current.index] = new
        if current.index not in changed:
            continue
        result = current.equation.result
        if result is None or trace.uncertain(current) or current.step in trace.opaque:
            return None
        if strict and not plausible(changed[current.index], current.value, result):
            return None
        if _spelled_out(trace, current):
            return None
    for mention in trace.mentions:
        source = mention.source.equation
        if source is None or source not in changed:
            continue
        if mention.step in trace.opaque:
            return None
        text = render(changed[source], mention.number.style)
        if text is None:
            return None
        edits.append(Replacement(mention.step, mention.number.start, mention.number.end, text))
    return edits


def _recomputed(trace: MathTrace, node: Node, changed: Mapping[int, Fraction]) -> Fraction | None:
    """Return the node's result under the changes; None where it cannot be told."""
    override = {
        m.number.start: changed[m.source.equation]
        for m in trace.operands(node)
        if m.source.equation is not None and m.source.equation in changed
    }
    if not override:
        return node.value
    equation = node.equation
    result = equation.result
    if result is None:
        return None
    try:
        values = [evaluate(s.node, equation.reading, override) for s in equation.segments[:-1]]
    except ZeroDivisionError:
        return None
    if any(value != values[0] for value in values):
        return None  # a chain with a value in between that only its author could recompute
    value = as_written(values[0], result, equation)
    if decimals_of(value, 4) is None and result.money:
        value = Fraction(round(value * 100), 100)
    return value


def _spelled_out(trace: MathTrace, node: Node) -> bool:
    """Whether the result may stand in words later on ("the twelve girls")."""
    if node.value.denominator != 1 or not 1 < node.value < len(_NUMBER_WORDS):
        return False
    word = re.compile(rf"\b{_NUMBER_WORDS[int(node.value)]}\b", re.IGNORECASE)
    return any(word.search(step) for step in trace.steps[node.step :])


# --- sentences whose working is taken out ----------------------------------------------------

_REASON = re.compile(r",?\s*\b(?:because|since|as)\s*$", re.IGNORECASE)
_SO = re.compile(r",\s+so\s+")
_CONSEQUENCE = re.compile(
    r"(?:^|[\s,;])(?:so|thus|hence|therefore|then|and so)[,:]?\s*$", re.IGNORECASE
)
# Behind these the sentence needs the working: "by multiplying 50 * .2".
_NEEDS_WORKING = re.compile(
    r"\b(?:multiply|multiplying|multiplied|add|adding|divide|dividing|divided|subtract|subtracting"
    r"|taking|by|sum of|product of|difference of|calculate|calculating|compute|computing|equation"
    r"|solve|solving|do|doing|formula|using|from|times|minus|plus|of the|if|when|is equal to"
    r"|expression)\s*:?\s*$",
    re.IGNORECASE,
)


def assert_value(
    trace: MathTrace, node: Node, value: Fraction, like: Number | None = None
) -> list[Replacement] | None:
    """Replace an equation by a bare number: "He bikes 20 * 2 = 40 miles" to "He bikes 20 miles".

    Args:
        trace: The parent.
        node: The equation to take out.
        value: The number that stands in its place, as written.
        like: Whose style to write it in; the result's by default.

    Returns:
        Replacements within the node's step (its other mentions of the result included), or None
        where no sentence would be left.
    """
    equation, step = node.equation, trace.steps[node.step]
    result = equation.result
    if result is None or not trace.alone(node) or trace.uncertain(node):
        return None
    if value == 1:  # "1 boxes"
        return None
    style = like.style if like else result.style
    if result.money and like and not like.money:
        style = result.style
    text = render(value, style)
    if text is None:
        return None
    before = step[: equation.start]
    said = [m for m in _results_in_prose(trace, node) if m.number.end <= equation.start]
    edits = []
    for mention in _results_in_prose(trace, node):
        new = render(value, mention.number.style)
        if new is None:
            return None
        edits.append(Replacement(node.step, mention.number.start, mention.number.end, new))
    if reason := _REASON.search(before):
        if not said:
            return None
        end = equation.segments[-1].unit_end
        return [*edits, Replacement(node.step, reason.start(), end, "")]
    if _NEEDS_WORKING.search(before):
        return None
    end = equation.segments[-1].unit_end
    follows = _SO.match(step, end)
    if follows and len(edits) > len(said):  # "2 * 3 = 6, so he has 6"
        return [*edits, Replacement(node.step, equation.start, follows.end(), "")]
    if said and said[-1].number.value == node.value:
        return None  # the number would be said twice
    if _CONSEQUENCE.search(before):
        text = f"that is {text}"
    return [*edits, Replacement(node.step, equation.start, equation.end, text)]


def _results_in_prose(trace: MathTrace, node: Node) -> list[Mention]:
    return [
        m
        for m in trace.mentions
        if m.step == node.step and m.equation is None and m.source.equation == node.index
    ]
