"""Slips of arithmetic: one result is wrong, the way people and models get results wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random

from tracelift_groups.perturb.math.expression import Binary, Node, evaluate, leaves
from tracelift_groups.perturb.math.numbers import decimals_of, render
from tracelift_groups.perturb.math.rewrite import Draft, Replacement, apply, plausible, propagate
from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.perturb.math.trace import Node as Step

# Most slips are carried on; some solvers correct themselves without noticing.
_LOCAL_SHARE = 0.2

Slips = Callable[[Step, Random], list[Fraction]]


def digit_slip(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """One digit of the result is one or two off."""

    def slips(step: Step, rng: Random) -> list[Fraction]:
        places = decimals_of(step.value, 4) or 0
        written = int(step.value * 10**places)
        digits = len(str(written))
        slipped = [
            written + sign * off * 10**place
            for place in range(min(digits, 3))
            for off in (1, 2)
            for sign in (1, -1)
        ]
        found = [Fraction(n, 10**places) for n in slipped if n > 0 and len(str(n)) == digits]
        return sorted(found, key=lambda _: rng.random())

    return _drafts("digit_slip", trace, rng, slips)


def carry_slip(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """A carry (sum, product) or a borrow (difference) is forgotten."""

    def slips(step: Step, _: Random) -> list[Fraction]:
        lhs = step.equation.lhs
        if not isinstance(lhs, Binary) or lhs.op == "/":
            return []
        terms = [leaf.number.value for leaf in leaves(lhs)]
        if any(term.denominator != 1 for term in terms):
            return []
        carried = [10**place for place in (1, 2) if _carries(lhs.op, terms, place)]
        sign = 1 if lhs.op == "-" else -1
        return [step.value + sign * ten for ten in carried]

    return _drafts("carry_slip", trace, rng, slips)


def _carries(op: str, terms: list[Fraction], place: int) -> bool:
    """Whether a digit is carried (borrowed) into the column of ``10**place``."""
    column: int = 10**place
    parts = [int(term) % column for term in terms]
    if op == "+":
        return sum(parts) >= column
    if op == "-":
        return parts[0] < sum(parts[1:])
    return len(terms) == 2 and parts[0] * (int(terms[1]) % 10) >= column and max(terms) >= column


def table_slip(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """A times-table fact is recalled as its neighbour: 7 * 8 = 54, 72 / 8 = 8."""

    def slips(step: Step, _: Random) -> list[Fraction]:
        lhs = step.equation.lhs
        terms = [leaf.number.value for leaf in leaves(lhs)]
        if not isinstance(lhs, Binary) or len(terms) != 2 or lhs.op not in "*/":
            return []
        one, two = terms
        if any(term.denominator != 1 or term < 2 for term in terms):
            return []
        if lhs.op == "*":
            small = min(one, two)
            return [step.value - small, step.value + small] if small <= 12 else []
        return [step.value - 1, step.value + 1] if two <= 12 and step.value <= 30 else []

    return _drafts("table_slip", trace, rng, slips)


def transposition(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Two neighbouring digits change places: 54 for 45."""

    def slips(step: Step, _: Random) -> list[Fraction]:
        places = decimals_of(step.value, 4) or 0
        digits = str(int(step.value * 10**places))
        found = []
        for at in range(len(digits) - 1):
            swapped = [*digits]
            swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
            if swapped[0] != "0":
                found.append(Fraction(int("".join(swapped)), 10**places))
        return found

    return _drafts("transposition", trace, rng, slips)


def off_by_ten(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """A zero is lost or added where a round number or a decimal is multiplied or divided."""

    def slips(step: Step, _: Random) -> list[Fraction]:
        lhs = step.equation.lhs
        if not isinstance(lhs, Binary) or lhs.op not in "*/":
            return []
        terms = [leaf.number.value for leaf in leaves(lhs)]
        if not any(term % 10 == 0 or term.denominator != 1 for term in terms):
            return []
        return [step.value / 10, step.value * 10]

    return _drafts("off_by_ten", trace, rng, slips)


def skipped_term(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """One term of a sum of three or more is written down but not added in."""

    def slips(step: Step, rng: Random) -> list[Fraction]:
        lhs = step.equation.lhs
        terms = _sum_terms(lhs)
        if len(terms) < 3:
            return []
        skipped = terms[1:]
        rng.shuffle(skipped)
        values = [evaluate(term, step.equation.reading) for term in skipped]
        return [step.value - value for value in values]

    return _drafts("skipped_term", trace, rng, slips)


def _sum_terms(node: Node) -> list[Node]:
    """The terms of a pure sum; one term for anything else."""
    if isinstance(node, Binary) and node.op == "+":
        return [*_sum_terms(node.left), node.right]
    return [node]


def _drafts(name: str, trace: MathTrace, rng: Random, slips: Slips) -> Iterator[Draft]:
    steps = list(trace.derivations)
    rng.shuffle(steps)
    local_first = rng.random() < _LOCAL_SHARE
    for local in (True, False) if local_first else (False, True):
        for step in steps:
            result = step.equation.result
            if result is None or step.step in trace.opaque:
                continue
            for value in slips(step, rng):
                if not plausible(value, step.value, result):
                    continue
                edits = _local(trace, step, value) if local else propagate(trace, step, value)
                if edits:
                    yield Draft(name, apply(trace, edits))


def _local(trace: MathTrace, step: Step, value: Fraction) -> list[Replacement] | None:
    """Write the wrong value into its own step alone; some later step must use the right one."""
    if not trace.consumers(step) or trace.uncertain(step) or trace.confirmed(step):
        return None
    edits = []
    for mention in trace.mentions_of(step):
        if mention.step != step.step:
            continue
        if mention.equation not in (None, step.index):
            return None
        text = render(value, mention.number.style)
        if text is None:
            return None
        edits.append(Replacement(step.step, mention.number.start, mention.number.end, text))
    return edits
