"""Postconditions about what the equations say: true or false, by which operation, to what end."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from tracelift_groups.perturb.math.evidence.pair import (
    Evidence,
    Pair,
    Unconfirmed,
    difference,
    operators,
    stated,
    written,
)
from tracelift_groups.perturb.math.numbers import Number, plain
from tracelift_groups.perturb.math.trace import Node


def equations_true(pair: Pair) -> None:
    """Every equation of the flawed trace holds."""
    if pair.flawed.false_equations:
        node = pair.flawed.false_equations[0]
        raise Unconfirmed(f"'{stated(pair.flawed, node)}' does not hold")


def answer_changed(pair: Pair) -> None:
    """The trace ends on another value than its parent."""
    if pair.flawed.answer is None:
        raise Unconfirmed("the trace ends on no value")
    if pair.flawed.answer == pair.parent.answer:
        raise Unconfirmed("the answer is still the same")


def one_equation_false(pair: Pair) -> Evidence:
    """Exactly one equation is worked out wrong; the rest follows it, or contradicts it."""
    false = pair.flawed.false_equations
    if len(false) != 1:
        raise Unconfirmed(f"{len(false)} equations are false, not one")
    wrong = false[0]
    if len(pair.parent.nodes) != len(pair.flawed.nodes):
        raise Unconfirmed("equations came or went")
    right = pair.parent.nodes[wrong.index]
    if not _same_left_side(pair, right, wrong):
        raise Unconfirmed("the false equation has another left-hand side than the parent's")
    result = wrong.equation.result
    if result is None:
        raise Unconfirmed("the false equation states no single number")
    users = pair.parent.consumers(right)
    last = right.index == pair.parent.derivations[-1].index
    if pair.follows(besides=right.index):
        if not users and not last and pair.flawed.answer != wrong.value:
            raise Unconfirmed("nothing follows from the wrong value")
        mode = "propagated"
    elif users and _contradicts(pair, right):
        mode = "local"
    else:
        raise Unconfirmed("later steps neither follow the wrong value nor all contradict it")
    step = pair.flawed.steps[wrong.step]
    return Evidence(
        step=wrong.step,
        start=result.start,
        end=result.end,
        before=_result_text(pair, right),
        equation=step[wrong.equation.start : wrong.equation.end],
        expected=plain(right.value),
        claimed=plain(result.value),
        propagation="propagated" if mode == "propagated" else "local",
    )


def _same_left_side(pair: Pair, right: Node, wrong: Node) -> bool:
    if operators(right.equation) != operators(wrong.equation):
        return False
    return written(right.equation)[:-1] == written(wrong.equation)[:-1]


def _contradicts(pair: Pair, right: Node) -> bool:
    """Whether every other equation stands exactly as in the parent."""
    return all(
        operators(one.equation) == operators(two.equation)
        and written(one.equation) == written(two.equation)
        for one, two in zip(pair.parent.nodes, pair.flawed.nodes, strict=True)
        if one.index != right.index
    )


def _result_text(pair: Pair, node: Node) -> str:
    result = node.equation.result
    assert result is not None
    return pair.parent.steps[node.step][result.start : result.end]


def one_operator_changed(pair: Pair) -> Evidence:
    """One equation combines the parent's numbers with another operator; the rest follows."""
    if len(pair.parent.nodes) != len(pair.flawed.nodes):
        raise Unconfirmed("equations came or went")
    changed = [
        (one, two)
        for one, two in zip(pair.parent.nodes, pair.flawed.nodes, strict=True)
        if operators(one.equation) != operators(two.equation)
    ]
    if len(changed) != 1:
        raise Unconfirmed(f"{len(changed)} equations have other operators, not one")
    right, wrong = changed[0]
    ops = list(zip(operators(right.equation), operators(wrong.equation), strict=False))
    if len(operators(right.equation)) != len(operators(wrong.equation)):
        raise Unconfirmed("an operation came or went")
    if sum(one != two for one, two in ops) != 1:
        raise Unconfirmed("more than one operator differs")
    if written(right.equation)[:-1] != written(wrong.equation)[:-1]:
        raise Unconfirmed("the operands differ as well")
    if not pair.follows(besides=right.index):
        raise Unconfirmed("later steps do not follow the changed result")
    return whole_equation(pair, right, wrong)


def whole_equation(pair: Pair, right: Node, wrong: Node) -> Evidence:
    """Evidence whose span is the changed equation."""
    step = pair.flawed.steps[wrong.step]
    start, end = wrong.equation.start, wrong.equation.end
    return Evidence(
        step=wrong.step,
        start=start,
        end=end,
        before=stated(pair.parent, right),
        equation=step[start:end],
        expected=stated(pair.parent, right),
        claimed=step[start:end],
    )


class Place(NamedTuple):
    """Where the flawed trace shows that an equation is gone; ``value`` is what stands there."""

    step: int
    start: int
    end: int
    before: str
    value: Fraction


def changed_place(pair: Pair, removed: Node) -> Place:
    """Return where the flawed trace shows that an equation of its parent is gone.

    That is the number asserted in its place or, where the whole step is gone, the first number
    that a later step uses for its result.
    """
    for change in pair.changes:
        if removed.step not in change.parent:
            continue
        if len(change.flawed) == 1:
            step = change.flawed[0]
            region = difference(pair.parent.steps[removed.step], pair.flawed.steps[step])
            number = _nearest(pair, step, region.flawed)
            if number is not None:
                text = stated(pair.parent, removed)
                return Place(step, number.start, number.end, text, number.value)
        if not change.flawed:
            return _taken_over(pair, removed)
    raise Unconfirmed("no step shows the change")


def _taken_over(pair: Pair, removed: Node) -> Place:
    """The first number that stands where the parent used the result of a dropped step."""
    gone = {step for change in pair.changes if not change.flawed for step in change.parent}
    for mention in pair.parent.mentions:
        if mention.source.equation != removed.index or mention.step in gone:
            continue
        step = mention.step - sum(one < mention.step for one in gone)
        order = [m for m in pair.parent.mentions if m.step == mention.step].index(mention)
        here = [m.number for m in pair.flawed.mentions if m.step == step]
        if order < len(here):
            text = pair.parent.steps[mention.step][mention.number.start : mention.number.end]
            return Place(step, here[order].start, here[order].end, text, here[order].value)
    raise Unconfirmed("nothing took the place of the dropped step")


def _nearest(pair: Pair, step: int, region: tuple[int, int]) -> Number | None:
    """The number of a step that lies in a region, or nearest to it (the left one first)."""
    start, end = region
    numbers = [m.number for m in pair.flawed.mentions if m.step == step]
    return min(
        numbers,
        key=lambda n: (max(0, n.start - end, start - n.end), n.start),
        default=None,
    )
