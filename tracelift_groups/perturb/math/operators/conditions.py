"""Overlooked conditions: a quantity of the problem is never used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import NamedTuple

from tracelift_groups.perturb.math.expression import Binary, Bracket, Leaf, Node, extent
from tracelift_groups.perturb.math.numbers import read_quantities
from tracelift_groups.perturb.math.rewrite import (
    Draft,
    Replacement,
    apply,
    as_written,
    assert_value,
    plausible,
    propagate,
    reworked,
)
from tracelift_groups.perturb.math.trace import MathTrace, Mention
from tracelift_groups.perturb.math.trace import Node as Step

# "Since a mile costs $4, ..." and "A mile costs $4, so ..."
_LEADING_CLAUSE = re.compile(
    r"^(?:(?:Since|If|As|Because|When|While|With|After|Before|Given|Knowing|Out of|Of|At|In|On|By"
    r"|For)\b[^,]*,\s*(?:so\s+|then\s+)?"
    r"|[^,;:.]*,?\s+so\s+(?!far\b|much\b|many\b))"
)


# Whoever leaves out more than this has another solution, not one condition less.
_LONGEST_BRANCH = 5


def drop_term(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Leave one given number out of a longer sum, difference or product."""
    choices = []
    for step in trace.derivations:
        equation = step.equation
        if len(equation.segments) == 2 and equation.result and step.step not in trace.opaque:
            choices += [(step, operation) for operation in _longer(equation.lhs)]
    rng.shuffle(choices)
    for step, operation in choices:
        equation, result = step.equation, step.equation.result
        assert result is not None
        for term, cut in _cuts(step, operation):
            gone = next((m for m in trace.operands(step) if m.number.start == term.start), None)
            if gone is None or not _is_given(gone) or _bracketed(equation.lhs, operation):
                continue
            silenced = _silence(trace, step, gone)
            value = reworked(trace.steps[step.step], equation, cut)
            if value is None or silenced is None:
                continue
            value = as_written(value, result, equation)
            edits = propagate(trace, step, value) if plausible(value, step.value, result) else None
            if edits is not None:
                steps = apply(trace, [*edits, *cut, *silenced.cuts], drop=silenced.steps)
                yield Draft("drop_term", steps)


def _cuts(step: Step, operation: Binary) -> Iterator[tuple[Leaf, list[Replacement]]]:
    """The terms of an operation that can go, and what is cut away with each."""
    left, right = operation.left, operation.right
    if isinstance(right, Leaf):
        yield right, _cut(step, operation, right)
    if isinstance(left, Leaf) and operation.op in "+*" and operation is not step.equation.lhs:
        yield left, [Replacement(step.step, left.start, extent(right)[0], "")]


def _cut(step: Step, operation: Binary, term: Leaf) -> list[Replacement]:
    """Take the right term away, and the brackets where the left one has the line to itself."""
    left = operation.left
    if isinstance(left, Bracket) and operation is step.equation.lhs:
        start, _, end = extent(left.inner)
        return [
            Replacement(step.step, left.start, start, ""),
            Replacement(step.step, end, extent(term)[2], ""),
        ]
    return [Replacement(step.step, extent(left)[2], extent(term)[2], "")]


def _longer(node: Node, depth: int = 0) -> Iterator[Binary]:
    """Operations that can lose a term and leave an expression behind."""
    if isinstance(node, Bracket):
        yield from _longer(node.inner, depth)
    elif isinstance(node, Binary):
        if isinstance(node.left, Binary | Bracket) or depth:
            yield node
        yield from _longer(node.left, depth + 1)


def _bracketed(node: Node, operation: Binary) -> bool:
    """Whether an operation of two plain numbers is all that a pair of brackets holds."""
    if isinstance(node, Bracket):
        return (node.inner is operation and isinstance(operation.left, Leaf)) or _bracketed(
            node.inner, operation
        )
    if isinstance(node, Binary):
        return _bracketed(node.left, operation) or _bracketed(node.right, operation)
    return False


def use_unadjusted(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Go on with a value before the quantity adjusted it."""
    for step, kept, gone in _adjustments(trace, rng):
        value = kept.number.value
        here = assert_value(trace, step, value, kept.number)
        silenced = _silence(trace, step, gone)
        edits = propagate(trace, step, value, strict=False)
        if here is None or edits is None or silenced is None:
            continue
        later = [edit for edit in edits if edit.step != step.step]
        steps = apply(trace, [*here, *later, *silenced.cuts], drop=silenced.steps)
        yield Draft("use_unadjusted", steps)


def drop_step(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Leave the whole step out; what follows goes on with the value before it."""
    for step, kept, gone in _adjustments(trace, rng):
        edits = propagate(trace, step, kept.number.value, strict=False)
        silenced = _silence(trace, step, gone, dropped=True)
        if edits is None or not trace.alone(step) or not trace.consumers(step) or silenced is None:
            continue
        later = [edit for edit in edits if edit.step != step.step]
        yield Draft("drop_step", apply(trace, later, drop=[step.step, *silenced.steps]))


def drop_branch(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Leave out a value, all that led up to it alone, and the term that it would become."""
    branches = [(step, trace.consumers(step)) for step in trace.derivations]
    rng.shuffle(branches)
    for step, users in branches:
        gone = [step, *(trace.nodes[index] for index in trace.serving(step))]
        if len(users) != 1 or len(gone) > _LONGEST_BRANCH:
            continue
        if not all(trace.alone(node) for node in gone):
            continue
        lines = {node.step for node in gone}
        given = [m for node in gone for m in trace.operands(node) if m.source.kind == "problem"]
        idle = [_idle_lines(trace, gone, m.number.value) for m in given]
        extra = next((steps for steps in idle if steps is not None), None)
        if users[0].step in lines or extra is None:
            continue
        steps = _without_term(trace, step, users[0], lines | extra)
        if steps:
            yield Draft("drop_branch", steps)


def _idle_lines(trace: MathTrace, gone: list[Step], value: Fraction) -> set[int] | None:
    """Lines that work nothing out and speak of a given quantity, or check what is gone.

    Returns:
        None where some other step uses the quantity.
    """
    lines = {node.step for node in gone}
    found = {
        node.step
        for node in trace.nodes
        if node.confirms
        and any(m.source.equation in {g.index for g in gone} for m in trace.operands(node))
    }
    for mention in trace.mentions:
        if value not in (mention.number.value, mention.value) or mention.step in lines | found:
            continue
        if any(node.step == mention.step for node in trace.nodes):
            return None
        found.add(mention.step)
    return found


def _without_term(
    trace: MathTrace, step: Step, user: Step, lines: set[int]
) -> tuple[str, ...] | None:
    """Take the result of ``step`` out of the sum or difference that uses it."""
    lhs, result = user.equation.lhs, user.equation.result
    if result is None or len(user.equation.segments) > 2 or user.step in trace.opaque:
        return None
    said = [m for m in trace.mentions if m.source.equation == step.index and m.step != step.step]
    if not isinstance(lhs, Binary) or lhs.op not in "+-" or any(m.equation is None for m in said):
        return None
    operands = trace.operands(user)
    rest = [m for m in operands if m.source.equation != step.index]
    if len(rest) != len(operands) - 1:
        return None
    if len(rest) == 1:
        if lhs.op == "-" and operands[0] is not rest[0]:
            return None
        value = rest[0].number.value
        here = assert_value(trace, user, value, rest[0].number)
        edits = propagate(trace, user, value, strict=False)
        if here is None or edits is None:
            return None
        later = [edit for edit in edits if edit.step != user.step]
        return apply(trace, [*here, *later], drop=lines)
    for operation in _longer(lhs):
        term = operation.right
        if operation.op not in "+-" or not isinstance(term, Leaf):
            continue
        if any(m.number.start == term.start for m in rest):
            continue
        cut = Replacement(user.step, extent(operation.left)[2], extent(term)[2], "")
        shorter = reworked(trace.steps[user.step], user.equation, [cut])
        edits = propagate(trace, user, shorter) if shorter is not None else None
        if edits is not None:
            return apply(trace, [*edits, cut], drop=lines)
    return None


class _Silenced(NamedTuple):
    """What has to go for a quantity not to be mentioned any more."""

    cuts: list[Replacement]
    steps: list[int]


def _silence(
    trace: MathTrace, step: Step, gone: Mention, *, dropped: bool = False
) -> _Silenced | None:
    """Find the clause of the step, or the line of its own, that speaks of the quantity.

    Returns:
        None where it is spoken of in a place that the trace cannot do without.
    """
    cuts: list[Replacement] = []
    lines: list[int] = []
    own = trace.steps[step.step]
    for place, end in _spoken(trace, step, gone):
        if place != step.step:
            if any(node.step == place for node in trace.nodes):
                return None
            lines.append(place)
        elif not dropped:
            clause = _LEADING_CLAUSE.match(own)
            results = [m for m in trace.mentions if m.step == place and m.equation is None]
            if not clause or not end <= clause.end() <= step.equation.start:
                return None
            if any(
                m.source.equation == step.index and m.number.end <= clause.end() for m in results
            ):
                return None
            cuts = [Replacement(place, 0, clause.end(), "")]
    return _Silenced(cuts, lines)


def _spoken(trace: MathTrace, step: Step, gone: Mention) -> Iterator[tuple[int, int]]:
    """Steps that speak of the quantity outside its equation, and where each mention ends."""
    for mention in trace.mentions:
        if gone.number.value not in (mention.number.value, mention.value):
            continue
        if mention.equation != step.index:
            yield mention.step, mention.number.end
    for place, text in enumerate(trace.steps):
        for quantity in read_quantities(text):
            in_words = not any(sign.isdigit() for sign in quantity.text)
            if in_words and quantity.value in (gone.number.value, gone.value):
                yield place, quantity.end


def _adjustments(trace: MathTrace, rng: Random) -> list[tuple[Step, Mention, Mention]]:
    """Steps of two operands: the one kept, and the given quantity that would be overlooked."""
    found = []
    for step in trace.derivations:
        operands, lhs = trace.operands(step), step.equation.lhs
        if len(operands) != 2 or step.equation.result is None or step.step in trace.opaque:
            continue
        # From 80 - 13 and 80 / 4 only the 80 can stay: it is what gets adjusted.
        commutes = isinstance(lhs, Binary) and lhs.op in "+*"
        for kept, gone in (operands, operands[::-1])[: 2 if commutes else 1]:
            fits = kept.number.value not in (1, step.value) and _same_sort(kept, step)
            factor = isinstance(lhs, Binary) and lhs.op in "*/"
            fits = fits and not (factor and _multiplier(trace, kept))
            if fits and _is_given(gone):
                found.append((step, kept, gone))
    rng.shuffle(found)
    return sorted(found, key=lambda f: f[1].source.equation is None)


def _multiplier(trace: MathTrace, mention: Mention) -> bool:
    """Whether the problem states the number only in words such as twice or a dozen."""
    texts = [q.text for q in trace.problem.quantities if q.value == mention.number.value]
    return mention.source.kind == "problem" and all(text.isalpha() for text in texts)


def _is_given(mention: Mention) -> bool:
    """Whether a number is a quantity of the problem that matters."""
    return mention.source.kind == "problem" and mention.value != 1


def _same_sort(kept: Mention, step: Step) -> bool:
    """Whether the value kept could stand for the result: money for money, no factor for a sum."""
    result = step.equation.result
    if result is None or kept.number.percent != result.percent:
        return False
    lhs = step.equation.lhs
    if isinstance(lhs, Binary) and lhs.op in "+-":
        return True
    return kept.number.money == result.money and kept.number.value > 1
