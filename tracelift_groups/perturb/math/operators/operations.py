"""Wrong operations: the numbers are right, what is done with them is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from random import Random
from typing import NamedTuple

from tracelift_groups.perturb.math.equation import operations
from tracelift_groups.perturb.math.expression import is_fraction
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
    odd: int


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
    changes = [c for step in trace.derivations for c in _changes(trace, step, swap)]
    rng.shuffle(changes)
    for change in sorted(changes, key=lambda c: c.odd):
        edits = propagate(trace, change.step, change.value)
        if edits is not None:
            yield Draft(name, apply(trace, [*edits, change.edit]))


def _changes(trace: MathTrace, step: Step, swap: Mapping[str, str]) -> Iterator[_Change]:
    equation, text = step.equation, trace.steps[step.step]
    result = equation.result
    if result is None or len(equation.segments) > 2 or step.step in trace.opaque:
        return
    for operation in operations(equation):
        new = swap.get(operation.op)
        written = text[operation.op_start : operation.op_end]
        if new is None or not written or is_fraction(operation, text):
            continue
        spelled = _SPELLINGS.get(written, {}).get(new, new)
        edit = Replacement(step.step, operation.op_start, operation.op_end, spelled)
        value = reworked(text, equation, [edit])
        if value is None:
            continue
        value = as_written(value, result, equation)
        if not plausible(value, step.value, result):
            continue
        prose = text[: equation.start] + text[equation.end :]
        far = not step.value <= value * _FAR <= step.value * _FAR * _FAR
        yield _Change(step, edit, value, bool(_NAMES_OPERATION.search(prose)) + far)
