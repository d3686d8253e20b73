"""Wrong operations: the numbers are right, what is done with them is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from random import Random
from typing import NamedTuple

from tracelift_groups.perturb.math.equation import operations
from tracelift_groups.perturb.math.expression import Binary, is_fraction
from tracelift_groups.perturb.math.rewrite import (
    Draft,
    Replacement,
    apply,
    as_written,
    plausible,
    propagate,
    reworked,
)
from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.perturb.math.trace import Node as Step

# How each spelling of an operator is spelled as another; the rest as its sign.
_SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "times": {"+": "plus", "-": "minus", "/": "divided by"},
    "multiplied by": {"+": "plus", "-": "minus", "/": "divided by"},
    "divided by": {"+": "plus", "-": "minus", "*": "times"},
    "plus": {"-": "minus", "*": "times", "/": "divided by"},
    "minus": {"+": "plus", "*": "times", "/": "divided by"},
    "÷": {"*": "×"},
    "×": {"/": "÷"},
}
# Words that say which operation follows; an edit that leaves them standing reads oddly.
_NAMES_OPERATION = re.compile(
    r"\b(?:multipl|divid|subtract|add(?:s|ed|ing)?\b|sum\b|product|difference|minus|plus|times\b)",
    re.IGNORECASE,
)
# Beyond this factor a solver would look twice.
_FAR = 12


class _Change(NamedTuple):
    step: Step
    edit: Replacement
    value: Fraction


def add_or_subtract(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Adds what should be taken away, or takes away what should be added."""
    return _drafts("add_or_subtract", trace, rng, {"+": "-", "-": "+"})


def multiply_or_divide(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Multiplies what should be divided, or divides what should be multiplied."""
    return _drafts("multiply_or_divide", trace, rng, {"*": "/", "/": "*"})


def add_for_multiply(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Adds a factor, or multiplies by a term: "3 times as many" read as "3 more"."""
    return _drafts("add_for_multiply", trace, rng, {"*": "+", "+": "*"})


def subtract_for_divide(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Subtracts a divisor, or divides by what should be taken away."""
    return _drafts("subtract_for_divide", trace, rng, {"/": "-", "-": "/"})


def _drafts(name: str, trace: MathTrace, rng: Random, swap: Mapping[str, str]) -> Iterator[Draft]:
    places = [(step, op) for step in trace.derivations for op in operations(step.equation)]
    rng.shuffle(places)
    odd = []
    for step, operation in places:
        change = _change(trace, step, operation, swap)
        if change is None:
            continue
        if _reads_oddly(trace, change):
            odd.append(change)
        else:
            yield from _draft(name, trace, change)
    for change in odd:
        yield from _draft(name, trace, change)


def _draft(name: str, trace: MathTrace, change: _Change) -> Iterator[Draft]:
    edits = propagate(trace, change.step, change.value)
    if edits is not None:
        yield Draft(name, apply(trace, [*edits, change.edit]))


def _change(
    trace: MathTrace, step: Step, operation: Binary, swap: Mapping[str, str]
) -> _Change | None:
    """Write another operator into an equation and work it out, where that stays plausible."""
    equation, text = step.equation, trace.steps[step.step]
    result, new = equation.result, swap.get(operation.op)
    written = text[operation.op_start : operation.op_end]
    if result is None or new is None or not written or step.step in trace.opaque:
        return None
    if len(equation.segments) > 2 or is_fraction(operation, text):
        return None
    spelled = _SPELLINGS.get(written, {}).get(new, new)
    edit = Replacement(step.step, operation.op_start, operation.op_end, spelled)
    value = reworked(text, equation, [edit])
    if value is None:
        return None
    value = as_written(value, result, equation)
    return _Change(step, edit, value) if plausible(value, step.value, result) else None


def _reads_oddly(trace: MathTrace, change: _Change) -> bool:
    """Whether the prose names the operation that is gone, or the result is far off."""
    equation, text = change.step.equation, trace.steps[change.step.step]
    if _NAMES_OPERATION.search(text[: equation.start] + text[equation.end :]):
        return True
    stated = change.step.value
    return not stated <= change.value * _FAR <= stated * _FAR * _FAR
