"""Postconditions about units, rates and scales: what was converted, and what was not."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from tracelift_groups.perturb.math.conversions import CONFUSED_FACTORS, is_factor
from tracelift_groups.perturb.math.equation import divides, multiplies
from tracelift_groups.perturb.math.evidence.equations import Place, changed_place, whole_equation
from tracelift_groups.perturb.math.evidence.omissions import quantity_words
from tracelift_groups.perturb.math.evidence.pair import (
    Evidence,
    Pair,
    Unconfirmed,
    operators,
    stated,
    written,
)
from tracelift_groups.perturb.math.expression import Binary
from tracelift_groups.perturb.math.numbers import plain
from tracelift_groups.perturb.math.trace import MathTrace, Mention, Node, Problem

_PIECE = (
    r"(?:second|minute|hour|day|night|week|weekend|month|year|person|piece|pound|kilo|gallon"
    r"|lit(?:er|re)|mile|foot|yard|dozen|box|bag|pack|cup|ticket|visit|game|lesson|glass|bottle"
    r"|unit|trip|shift|session|page)"
)
_PER_PIECE = re.compile(
    rf"\b(?:each|every|per|apiece|a piece|an? {_PIECE})\b|/\s?[a-z]", re.IGNORECASE
)
_RATE_BEHIND = re.compile(
    rf"^[^.?!,;\d]{{0,30}}?\b(?:each|per|every|apiece|a piece|for one|an? {_PIECE})\b"
    r"|^\s*/\s*[a-z]|^\s*(?:mph|mpg|km/h)\b",
    re.IGNORECASE,
)
_RATE_BEFORE = re.compile(
    r"\b(?:each|every|per)\b[^.?!;\d]{0,50}$"
    r"|\b(?:sold|sells?|bought|buys?|selling|buying|paid)\b[^.?!;]{0,40}\bat\s*$"
    r"|\b(?:an?|one)\s(?:[\w-]+\s){1,3}(?:costs?|weighs?|holds?|contains?|takes?|needs?|makes?"
    r"|gives?|produces?|lays?|has|have|lasts?|uses?|burns?|is sold for|sells for)\s$",
    re.IGNORECASE,
)


def is_conversion(trace: MathTrace, mention: Mention) -> bool:
    """Whether an operand is a conversion factor that the problem does not state as a number."""
    value = mention.number.value
    if mention.source.kind in ("step", "unsure"):
        return False
    if mention.number.money or mention.number.percent:
        return False
    if mention.equation is None:
        return False
    if not multiplies(trace.nodes[mention.equation].equation, mention.number.start):
        return False
    if any(
        q.value == value and not q.text.lower().startswith("dozen")
        for q in trace.problem.quantities
    ):
        return False
    return is_factor(value, trace.problem.text) or is_factor(value, trace.steps[mention.step])


def is_percentage(trace: MathTrace, mention: Mention) -> bool:
    """Whether an operand is a percentage of the problem: 20%, 0.2, or the 100 of 20/100."""
    if mention.source.kind == "step" or mention.equation is None:
        return False
    given = trace.problem.percentages
    if not given:
        return False
    number = mention.number
    if number.percent:
        return number.value in given and not _of_whole(trace, mention)
    if number.value == 100:
        return divides(trace.nodes[mention.equation].equation, mention.number.start)
    return 0 < number.value < 1 and number.value * 100 in given


def _of_whole(trace: MathTrace, mention: Mention) -> bool:
    """Whether the percentage is taken from 100 %, not from an amount."""
    assert mention.equation is not None
    return all(m.number.percent for m in trace.operands(trace.nodes[mention.equation]))


def states_rate(problem: Problem, value: Fraction) -> bool:
    """Whether the problem gives a value as a rate: each, per, a day."""
    return value in _rates(problem)


@lru_cache(maxsize=256)
def _rates(problem: Problem) -> frozenset[Fraction]:
    return frozenset(
        quantity.value
        for quantity in problem.quantities
        if _RATE_BEHIND.search(problem.text[quantity.end :])
        or _RATE_BEFORE.search(problem.text[: quantity.start])
    )


def is_rate(trace: MathTrace, mention: Mention) -> bool:
    """Whether an operand turns one unit into another: a conversion factor, or a given rate."""
    given = mention.source.kind == "problem" and states_rate(trace.problem, mention.value)
    return given or is_conversion(trace, mention)


def unit_confused(pair: Pair) -> Evidence:
    """A conversion, percentage or rate is misapplied in one place; the rest follows."""
    count = len(pair.parent.nodes) - len(pair.flawed.nodes)
    if count == 0:
        return _misapplied(pair)
    if count == 1:
        return _skipped(pair)
    raise Unconfirmed("more than one equation came or went")


def _misapplied(pair: Pair) -> Evidence:
    for right, wrong in zip(pair.parent.nodes, pair.flawed.nodes, strict=True):
        if not pair.follows(besides=right.index):
            continue
        same = operators(right.equation) == operators(wrong.equation)
        mention = _other_factor(pair, right, wrong) if same else _flipped(pair, right, wrong)
        if mention is None:
            continue
        quantity = quantity_words(pair.parent, mention)
        return whole_equation(pair, right, wrong)._replace(quantity=quantity)
    raise Unconfirmed("no conversion, percentage or rate differs")


def _other_factor(pair: Pair, right: Node, wrong: Node) -> Mention | None:
    """The one operand that differs, if it is one that gets confused this way."""
    numbers = written(wrong.equation)
    mentions = [m for m in pair.parent.mentions if m.equation == right.index and not m.stated]
    if len(mentions) != len(numbers) - 1:
        return None
    differing = [
        (mention, number)
        for mention, number in zip(mentions, numbers, strict=False)
        if mention.number.value != number
    ]
    if len(differing) != 1:
        return None
    mention, number = differing[0]
    ratio = number / mention.value if mention.value else None
    if is_conversion(pair.parent, mention):
        return mention if number in CONFUSED_FACTORS.get(mention.number.value, ()) else None
    if is_percentage(pair.parent, mention) and ratio in (10, Fraction(1, 10)):
        return mention
    cents = 0 < mention.number.value < 1 and mention.source.kind in ("problem", "constant")
    return mention if cents and ratio == 100 else None


def _flipped(pair: Pair, right: Node, wrong: Node) -> Mention | None:
    """The conversion factor that divides where it should multiply, or the other way."""
    one, two = operators(right.equation), operators(wrong.equation)
    if {one, two} != {("*", "=", "="), ("/", "=", "=")}:
        return None
    if written(right.equation)[:-1] != written(wrong.equation)[:-1]:
        return None
    factor = pair.parent.operands(right)[-1]
    return factor if is_rate(pair.parent, factor) else None


def _skipped(pair: Pair) -> Evidence:
    """An equation is gone, and a value in the old unit (or the bare rate) stands in its place."""
    for node in pair.parent.derivations:
        operands = pair.parent.operands(node)
        if len(operands) != 2:
            continue
        try:
            place = changed_place(pair, node)
        except Unconfirmed:
            continue
        value = place.value
        if value is None or not pair.follows(removed={node.index: value}):
            continue
        if divides_out(pair.parent, node) and value == operands[0].number.value:
            return _place_evidence(pair, node, place, operands[1])
        for mention, other in (operands, operands[::-1]):
            if _stands_for(pair.parent, node, mention, other, value):
                return _place_evidence(pair, node, place, mention)
    raise Unconfirmed("no conversion, percentage or rate was skipped")


def _place_evidence(pair: Pair, node: Node, place: Place, mention: Mention) -> Evidence:
    return Evidence(
        step=place.step,
        start=place.start,
        end=place.end,
        before=place.before,
        expected=stated(pair.parent, node),
        claimed=plain(place.value),
        quantity=quantity_words(pair.parent, mention),
    )


def divides_out(trace: MathTrace, node: Node) -> bool:
    """Whether an equation turns a total into a rate: 24 / 12 = $2 each."""
    lhs = node.equation.lhs
    if not isinstance(lhs, Binary) or lhs.op != "/" or len(trace.operands(node)) != 2:
        return False
    return _PER_PIECE.search(trace.steps[node.step]) is not None


def _stands_for(
    trace: MathTrace, node: Node, mention: Mention, other: Mention, value: Fraction
) -> bool:
    if is_conversion(trace, mention) and value == other.number.value:
        return True
    if is_percentage(trace, mention) and value == mention.value * 100:
        return True
    product = operators(node.equation)[0] == "*"
    rate = mention.source.kind == "problem" and states_rate(trace.problem, mention.value)
    return product and rate and value == mention.number.value
