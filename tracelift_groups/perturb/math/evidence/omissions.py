"""Postconditions about what is missing: a quantity, a derivation, the remaining steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from tracelift_groups.perturb.math.equation import operations
from tracelift_groups.perturb.math.evidence.equations import changed_place
from tracelift_groups.perturb.math.evidence.pair import (
    Evidence,
    Pair,
    Unconfirmed,
    shape,
    signature,
    stated,
    written,
)
from tracelift_groups.perturb.math.numbers import plain, read_numbers, read_quantities
from tracelift_groups.perturb.math.trace import MathTrace, Mention, Node

_OF = re.compile(r"\s*(?:percent\s+)?of\s+(?:the|her|his|their|these|those)?\s*", re.IGNORECASE)


def quantity_unused(pair: Pair) -> Evidence:
    """A quantity that the problem gives and the parent uses occurs nowhere; the rest stands."""
    present = {m.number.value for m in pair.flawed.mentions}
    present |= {m.value for m in pair.flawed.mentions}
    present |= {m.number.value / 100 for m in pair.flawed.mentions if m.number.percent}
    present |= {
        q.value
        for q in read_quantities(pair.flawed.text)
        if not any(sign.isdigit() for sign in q.text)
    }
    for mention in pair.parent.mentions:
        if mention.source.kind != "problem" or mention.equation is None or mention.stated:
            continue
        if mention.number.value in present or mention.value in present or mention.value == 1:
            continue
        node = pair.parent.nodes[mention.equation]
        found = _without(pair, node, mention)
        if found:
            return found
    raise Unconfirmed("every quantity that the parent uses is still there")


def _without(pair: Pair, node: Node, mention: Mention) -> Evidence | None:
    """Evidence that only this quantity's operation is gone, or the branch that it begins."""
    count = len(pair.parent.nodes) - len(pair.flawed.nodes)
    others = [m for m in pair.parent.operands(node) if m.number.start != mention.number.start]
    words = quantity_words(pair.parent, mention)
    if count == 0:
        return _shortened(pair, node, others, {}, words)
    for kept in others:  # the equation is gone, and one of its operands took its place
        found = _replaced(pair, node, {node.index: kept.number.value}, words)
        if count == 1 and found:
            return found
    for step, user in _branches(pair.parent, node):  # and so is all that was made of it
        rest = [m for m in pair.parent.operands(user) if m.source.equation != step.index]
        branch = dict.fromkeys((step.index, *pair.parent.serving(step)))
        if count == len(branch):
            found = _shortened(pair, user, rest, branch, words)
        elif count == len(branch) + 1 and len(rest) == 1:
            found = _replaced(pair, user, {**branch, user.index: rest[0].number.value}, words)
        else:
            found = None
        if found:
            return found
    return None


def _branches(parent: MathTrace, node: Node) -> Iterator[tuple[Node, Node]]:
    """The equations down from ``node`` with their only user, as long as there is only one."""
    while len(users := parent.consumers(node)) == 1:
        yield node, users[0]
        node = users[0]


def _shortened(
    pair: Pair,
    node: Node,
    rest: Sequence[Mention],
    gone: Mapping[int, Fraction | None],
    quantity: str,
) -> Evidence | None:
    """Evidence that an equation goes on with the rest of its operands."""
    wrong = pair.flawed.nodes[node.index - sum(index < node.index for index in gone)]
    fewer = [mention.number.value for mention in rest]
    if list(written(wrong.equation)[:-1]) != fewer or len(fewer) < 2:
        return None
    if not pair.follows(besides=node.index, removed=gone):
        return None
    text = stated(pair.flawed, wrong)
    return Evidence(
        step=wrong.step,
        start=wrong.equation.start,
        end=wrong.equation.end,
        before=stated(pair.parent, node),
        equation=text,
        expected=stated(pair.parent, node),
        claimed=text,
        quantity=quantity,
    )


def _replaced(
    pair: Pair, node: Node, gone: Mapping[int, Fraction | None], quantity: str
) -> Evidence | None:
    """Evidence that a bare value stands where an equation was."""
    if not node.equation.derives or not pair.follows(removed=gone):
        return None
    place = changed_place(pair, node)
    if place.value != gone[node.index]:
        return None
    return Evidence(
        step=place.step,
        start=place.start,
        end=place.end,
        before=place.before,
        expected=stated(pair.parent, node),
        claimed=plain(place.value),
        quantity=quantity,
    )


def quantity_words(trace: MathTrace, mention: Mention) -> str:
    """The problem's words for a quantity that a trace uses: money for money, digits first."""
    words = [
        quantity.text
        for quantity in trace.problem.quantities
        if quantity.value in (mention.number.value, mention.value)
    ]
    return min(
        words,
        key=lambda text: (("$" in text) != mention.number.money, text.isalpha()),
        default=plain(mention.number.value),
    )


def derivation_missing(pair: Pair) -> Evidence:
    """A result that later steps need is used, but what derived it is gone."""
    kept = _kept(pair)
    if kept is None:
        raise Unconfirmed("the equations are not the parent's with some left out")
    gone = [node for node in pair.parent.nodes if node.index not in kept and node.equation.derives]
    if not gone:
        raise Unconfirmed("no derivation is gone")
    if pair.flawed.answer != pair.parent.answer:
        raise Unconfirmed("the trace ends on another value")
    derived = {node.value for node in pair.flawed.nodes if node.equation.derives}
    for node in gone:
        value = node.value
        if value in derived or pair.parent.problem.states(value) or pair.parent.confirmed(node):
            continue
        uses = [
            m
            for m in pair.flawed.mentions
            if m.number.value == value and m.source.kind == "constant"
        ]
        if not any(m.equation is not None and not m.stated for m in uses):
            continue
        first = uses[0]
        text = pair.flawed.steps[first.step]
        if _said_in_words(text, value):
            continue
        return Evidence(
            step=first.step,
            start=first.number.start,
            end=first.number.end,
            before=stated(pair.parent, node),
            expected=stated(pair.parent, node),
            claimed=text[first.number.start : first.number.end],
            lost=len(gone),
        )
    raise Unconfirmed("no later step uses the result of a derivation that is gone")


def _said_in_words(step: str, value: Fraction) -> bool:
    """Whether a step still says where a value comes from: "60% of 200 is 120"."""
    return any(
        _OF.fullmatch(step[one.end : two.start])
        and value in (one.value * two.value, one.value * two.value / 100)
        for one, two in pairwise(read_numbers(step))
    )


def _kept(pair: Pair) -> set[int] | None:
    """Indices of the parent's equations that the flawed trace has, in order; None if others."""
    kept: set[int] = set()
    rest = iter(pair.parent.nodes)
    for node in pair.flawed.nodes:
        match = next((one for one in rest if signature(one) == signature(node)), None)
        if match is None:
            return None
        kept.add(match.index)
    return kept


def intermediate_presented(pair: Pair) -> Evidence:
    """The trace ends on an intermediate value of its parent; the remaining derivations are gone."""
    value = pair.flawed.answer
    if value is None:
        raise Unconfirmed("the trace ends on no value")
    parent, flawed = pair.parent, pair.flawed
    count = len(flawed.nodes)
    same = [signature(node) for node in flawed.nodes] == [
        signature(node) for node in parent.nodes[:count]
    ]
    gone = [node for node in parent.nodes[count:] if node.equation.derives]
    if same and gone:
        if not any(node.value == value for node in flawed.derivations):
            raise Unconfirmed("the closing value is no result of the steps before it")
        return _closing(pair, value, gone[-1], len(gone))
    if count == len(parent.nodes) and count:
        return _cut_short(pair, parent.nodes[-1], flawed.nodes[-1])
    raise Unconfirmed("the equations are not the parent's first ones")


def _closing(pair: Pair, value: Fraction, last: Node, lost: int) -> Evidence:
    said = [m for m in pair.flawed.mentions if m.number.value == value]
    mention = said[-1]
    text = pair.flawed.steps[mention.step]
    return Evidence(
        step=mention.step,
        start=mention.number.start,
        end=mention.number.end,
        before=stated(pair.parent, last),
        expected=stated(pair.parent, last),
        claimed=text[mention.number.start : mention.number.end],
        lost=lost,
    )


def _cut_short(pair: Pair, right: Node, wrong: Node) -> Evidence:
    """The last expression lost an operation; its value was on the way to the answer."""
    if not pair.follows(besides=right.index):
        raise Unconfirmed("another equation than the last differs")
    cut = shape(wrong.equation.lhs)
    parts = [shape(operation) for operation in operations(right.equation)[1:]]
    if len(right.equation.segments) > 2 or cut not in parts:
        raise Unconfirmed("the last expression is no part of the parent's")
    text = stated(pair.flawed, wrong)
    return Evidence(
        step=wrong.step,
        start=wrong.equation.start,
        end=wrong.equation.end,
        before=stated(pair.parent, right),
        equation=text,
        expected=stated(pair.parent, right),
        claimed=text,
        lost=1,
    )
