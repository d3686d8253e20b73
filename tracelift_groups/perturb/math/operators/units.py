"""Confused units, rates and scales. The tables here are shared with the checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from random import Random

from tracelift_groups.perturb.math.conversions import CONFUSED_FACTORS
from tracelift_groups.perturb.math.evidence.scales import (
    divides_out,
    is_conversion,
    is_percentage,
    is_rate,
    states_rate,
)
from tracelift_groups.perturb.math.expression import Binary, Bracket
from tracelift_groups.perturb.math.numbers import Style, render
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

_CENTS = re.compile(r"\bcents?\b|¢|\$0?\.\d")
_FLIPPED: Mapping[str, Mapping[str, str]] = {
    "*": {"*": "/", "x": "/", "×": "÷", "times": "divided by"},
    "/": {"/": "*", "÷": "×", "divided by": "times"},
}


def wrong_factor(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Convert with another unit's factor: 2.5 hours are 250 minutes."""
    for step, mention in _operands(trace, rng):
        if not is_conversion(trace, mention) or _said_elsewhere(trace, mention):
            continue
        for factor in CONFUSED_FACTORS.get(mention.number.value, ()):
            yield from _with_operand("wrong_factor", trace, step, mention, Fraction(factor))


def wrong_direction(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Divide by a conversion factor or a rate that should multiply, or the other way."""
    for step, mention in _operands(trace, rng):
        lhs, result = step.equation.lhs, step.equation.result
        if not isinstance(lhs, Binary) or result is None or not is_rate(trace, mention):
            continue
        if len(trace.operands(step)) != 2 or lhs.right != _leaf_at(lhs, mention):
            continue
        text = trace.steps[step.step]
        flipped = _FLIPPED.get(lhs.op, {}).get(text[lhs.op_start : lhs.op_end])
        if flipped:
            edit = Replacement(step.step, lhs.op_start, lhs.op_end, flipped)
            yield from _reworked("wrong_direction", trace, step, edit)


def skipped_conversion(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Go on with the number in the old unit: 3 hours are 3 minutes."""
    for step, mention in _operands(trace, rng):
        lhs = step.equation.lhs
        divides = isinstance(lhs, Binary) and lhs.op == "/" and _leaf_at(lhs, mention) is None
        if is_conversion(trace, mention) and not divides:
            yield from _collapsed("skipped_conversion", trace, step, _other(trace, step, mention))


def percent_scale(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Misplace the point of a percentage: 5 % of 80 is 80 * 0.5."""
    for step, mention in _operands(trace, rng):
        if not is_percentage(trace, mention):
            continue
        value = mention.number.value
        if mention.number.percent:
            value = value / 100
            options = [value / 10, value * 10]
        elif value == 100:
            options = [Fraction(10), Fraction(1000)]
        else:
            options = [value / 10, value * 10]
        rng.shuffle(options)
        for option in options:
            yield from _with_operand("percent_scale", trace, step, mention, option)


def percent_as_amount(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Take a percentage for an amount: a 20 % discount on $50 is $20."""
    for step, mention in _operands(trace, rng):
        if not is_percentage(trace, mention) or len(trace.operands(step)) != 2:
            continue
        value = mention.number.value
        amount = value if mention.number.percent else value * 100
        yield from _asserted("percent_as_amount", trace, step, amount)


def cents_as_dollars(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Take cents for dollars: 12 pencils at 50 cents cost 12 * 50 = $600."""
    for step, mention in _operands(trace, rng):
        value = mention.number.value
        money = mention.number.money or _CENTS.search(trace.problem.text)
        if is_percentage(trace, mention):
            continue
        whole_cents = 0 < value < 1 and (value * 100).denominator == 1
        if money and whole_cents and mention.source.kind in ("problem", "constant"):
            yield from _with_operand("cents_as_dollars", trace, step, mention, value * 100)


def rate_as_total(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Take a rate for the total: 6 tickets at $8 each cost $8."""
    for step, mention in _operands(trace, rng):
        lhs = step.equation.lhs
        product = isinstance(lhs, Binary) and lhs.op == "*" and len(trace.operands(step)) == 2
        rate = mention.source.kind == "problem" and states_rate(trace.problem, mention.value)
        if product and rate:
            yield from _collapsed("rate_as_total", trace, step, mention)


def total_as_rate(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Take a total for a rate: 12 tickets for $96 cost $96 each."""
    steps = [step for step in trace.derivations if divides_out(trace, step)]
    rng.shuffle(steps)
    for step in steps:
        yield from _collapsed("total_as_rate", trace, step, trace.operands(step)[0])


def _said_elsewhere(trace: MathTrace, mention: Mention) -> bool:
    """Whether the prose states the factor ("a week has 7 days"): nobody then writes another."""
    return any(
        m.equation is None and m.number.value == mention.number.value for m in trace.mentions
    )


def _operands(trace: MathTrace, rng: Random) -> list[tuple[Step, Mention]]:
    found = [
        (step, mention)
        for step in trace.derivations
        if step.equation.result and step.step not in trace.opaque
        for mention in trace.operands(step)
    ]
    rng.shuffle(found)
    return found


def _leaf_at(lhs: Binary, mention: Mention) -> object:
    right = lhs.right
    if isinstance(right, Binary | Bracket) or right.number.start != mention.number.start:
        return None
    return right


def _other(trace: MathTrace, step: Step, mention: Mention) -> Mention | None:
    rest = [m for m in trace.operands(step) if m.number.start != mention.number.start]
    return rest[0] if len(rest) == 1 else None


def _with_operand(
    name: str, trace: MathTrace, step: Step, mention: Mention, value: Fraction
) -> Iterator[Draft]:
    """Write another number where an operand stands, and work the equation out anew."""
    style = mention.number.style
    if mention.number.percent:
        style = Style(decimals=2)
    text = render(value, style._replace(decimals=0) if value >= 1 else style)
    if text is None:
        return
    edit = Replacement(step.step, mention.number.start, mention.number.end, text)
    yield from _reworked(name, trace, step, edit)


def _reworked(name: str, trace: MathTrace, step: Step, edit: Replacement) -> Iterator[Draft]:
    equation, result = step.equation, step.equation.result
    if result is None or len(equation.segments) > 2:
        return
    value = reworked(trace.steps[step.step], equation, [edit])
    if value is None:
        return
    value = as_written(value, result, equation)
    if not plausible(value, step.value, result):
        return
    edits = propagate(trace, step, value)
    if edits is not None:
        yield Draft(name, apply(trace, [*edits, edit]))


def _collapsed(name: str, trace: MathTrace, step: Step, kept: Mention | None) -> Iterator[Draft]:
    if kept is not None and len(trace.operands(step)) == 2:
        yield from _asserted(name, trace, step, kept.number.value)


def _asserted(name: str, trace: MathTrace, step: Step, value: Fraction) -> Iterator[Draft]:
    """State a value in place of the equation and go on with it."""
    if value == step.value:
        return
    here = assert_value(trace, step, value)
    edits = propagate(trace, step, value)
    if here is not None and edits is not None:
        later = [edit for edit in edits if edit.step != step.step]
        yield Draft(name, apply(trace, [*here, *later]))
