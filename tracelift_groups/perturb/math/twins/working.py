"""Twins that show the same working in another place, at greater length, or bare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from tracelift_groups.perturb.math.equation import operations
from tracelift_groups.perturb.math.expression import Binary, Leaf, is_fraction, leaves
from tracelift_groups.perturb.math.rewrite import Replacement, apply, assert_value, if_changed
from tracelift_groups.perturb.math.sentences import (
    OPENING,
    lower_first,
    naming,
    upper_first,
    without_opening,
)
from tracelift_groups.perturb.math.trace import MathTrace, Node

# Of a line of several sentences only the first could be put another way; the working is not there.
_SENTENCE_BEFORE = re.compile(r"[.!?]\s")
_BECAUSE = re.compile(r"^(?P<claim>.+?),?\s+because\s+$")


def turn_around(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Put "A because 2 * 3 = 6" as "2 * 3 = 6, so A"."""
    steps = list(trace.steps)
    for node in trace.derivations:
        if rng.random() < 0.3:
            continue
        step, equation = trace.steps[node.step], node.equation
        match = _BECAUSE.match(step[: equation.start])
        rest = step[equation.segments[-1].unit_end :].strip(" .")
        if match and not rest and node.step not in trace.opaque:
            claim = lower_first(match["claim"])
            working = step[equation.start : equation.segments[-1].unit_end]
            steps[node.step] = f"{working}, so {claim}{'.' if step.endswith('.') else ''}"
    return if_changed(trace, tuple(steps))


def working_first(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work a step out before saying what it means: "6 times 14 is 84, so the trays hold 84"."""
    steps = list(trace.steps)
    in_words = rng.random() < 0.7
    for node in trace.derivations:
        if rng.random() < 0.3 or _SENTENCE_BEFORE.search(
            trace.steps[node.step][: node.equation.start]
        ):
            continue
        edits = assert_value(trace, node, node.value)
        working = _working(trace, node, rng, in_words=in_words) if edits else None
        if edits is None or working is None:
            continue
        step = trace.steps[node.step]
        opening = step[: len(step) - len(without_opening(step))]
        rest = lower_first(without_opening(apply(trace, edits)[node.step]))
        if re.match(r"(?:that is|\W*\d)", OPENING.sub("", rest)):
            continue  # the step was hardly more than its working
        steps[node.step] = f"{opening}{working if opening else upper_first(working)}, so {rest}"
    return if_changed(trace, tuple(steps))


_WORDS_FOR: Mapping[str, str] = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


def _working(trace: MathTrace, node: Node, rng: Random, *, in_words: bool) -> str | None:
    """The bare equation, in signs as it stands or in words."""
    equation, step = node.equation, trace.steps[node.step]
    combined, result = operations(node.equation), equation.result
    if result is None or len(equation.segments) > 2:
        return None
    if not in_words:
        return step[equation.start : equation.end]
    if any(not isinstance(o.right, Leaf) or is_fraction(o, step) for o in combined):
        return None
    signs = {operation.op for operation in combined}
    terms = [step[leaf.start : leaf.end].strip() for leaf in leaves(equation.lhs)]
    if len(signs) != 1 or not 2 <= len(terms) <= 5:
        return None
    sign, stated = signs.pop(), step[result.start : result.end].strip()
    if sign in "+*" and (len(terms) > 2 or rng.random() < 0.5):
        name = "sum" if sign == "+" else "product"
        return f"the {name} of {', '.join(terms[:-1])} and {terms[-1]} is {stated}"
    if len(terms) > 2:
        return None
    verb = rng.choice(("is", "leaves" if sign == "-" else "makes", "gives"))
    return f"{terms[0]} {_WORDS_FOR[sign]} {terms[1]} {verb} {stated}"


def name_numbers(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Name the numbers of a step before working with them."""
    steps = list(trace.steps)
    nodes = [node for node in trace.derivations if trace.alone(node)]
    rng.shuffle(nodes)
    for node in nodes[: rng.choice((1, 2))]:
        operands = [
            trace.steps[node.step][m.number.start : m.number.end] for m in trace.operands(node)
        ]
        sentence = without_opening(trace.steps[node.step])
        before = trace.steps[node.step][: node.equation.start]
        wordy = len(before) > 12 and sentence[:1].isalpha() and not _SENTENCE_BEFORE.search(before)
        if wordy and 2 <= len(set(operands)) == len(operands) <= 4:
            steps[node.step] = naming(operands, sentence, rng)
    return if_changed(trace, tuple(steps))


def spell_result(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Say a result once more in words of its own: "That is 40 miles"."""
    choices = []
    for node in trace.derivations[:-1]:
        step, equation = trace.steps[node.step], node.equation
        unit = step[equation.end : equation.segments[-1].unit_end].strip()
        result = equation.result
        if result and re.fullmatch(r"[a-z]+", unit) and result.value > 1:
            text = step[result.start : result.end].strip()
            choices.append((node.step, f"That makes {text} {unit}."))
    if not choices:
        return None
    at, sentence = rng.choice(choices)
    stop = "" if trace.steps[at].endswith((".", "!", "?")) else "."
    steps = list(trace.steps)
    steps[at] = f"{steps[at]}{stop} {sentence}"
    return tuple(steps)


def bare_working(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Cut the prose of a step down to its working and unit."""
    steps = list(trace.steps)
    done = False
    for node in trace.derivations[:-1]:
        step, equation = trace.steps[node.step], node.equation
        if not trace.alone(node) or rng.random() < 0.4:
            continue
        if equation.start < 12:
            continue
        working = step[equation.start : equation.segments[-1].unit_end].strip()
        steps[node.step] = working + ("." if step.endswith(".") else "")
        done = True
    return tuple(steps) if done else None


def expand_working(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work sums and products out the long way: 15 * 12 = 15 * 10 + 15 * 2 = 150 + 30 = 180."""
    edits = []
    for node in trace.derivations:
        result, lhs = node.equation.result, node.equation.lhs
        if result is None or not isinstance(lhs, Binary) or len(node.equation.segments) > 2:
            continue
        left, right = lhs.left, lhs.right
        if not isinstance(left, Leaf) or not isinstance(right, Leaf) or not trace.alone(node):
            continue
        written = trace.steps[node.step][lhs.op_start : lhs.op_end]
        whole = all(
            n.value.denominator == 1 and not n.percent for n in (left.number, right.number, result)
        )
        if whole and written in ("+", "-", "*", "x", "×") and rng.random() < 0.8:
            middle = _long_way(lhs.op, int(left.number.value), int(right.number.value), written)
            if middle:
                at = result.start
                edits.append(Replacement(node.step, at, at, f"{middle} = "))
    return apply(trace, edits) if edits else None


def _long_way(op: str, one: int, two: int, sign: str) -> str | None:
    """The steps in between, with plain numbers, or None where there is nothing to split."""
    if op == "*":
        count, other = sorted((one, two))
        if 2 <= count <= 4:
            return " + ".join([str(other)] * count)
        tens, ones = other // 10 * 10, other % 10
        if not tens or not ones:
            return None
        return f"{count} {sign} {tens} + {count} {sign} {ones} = {count * tens} + {count * ones}"
    tens, ones = two // 10 * 10, two % 10
    if not tens or not ones or one < two:
        return None
    if op == "-":
        return f"{one} - {tens} - {ones} = {one - tens} - {ones}"
    return f"{one} + {tens} + {ones} = {one + tens} + {ones}"


def verify_steps(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work one or two of the steps backwards: "Check: 15 + 9 = 24"."""
    choices = [node for node in trace.derivations[:-1] if not trace.confirmed(node)]
    lead = rng.choice(("Check: {}.", "To check: {}.", "Working back, {}.", "As a check, {}."))
    behind: dict[int, str] = {}
    # Early ones first: a flaw that cuts the end off then leaves them standing.
    for node in sorted(choices, key=lambda node: node.index + rng.random() * 2)[:2]:
        backwards = _backwards(trace, node)
        if backwards and trace.alone(node):
            behind[node.step] = lead.format(backwards)
    steps = [
        piece
        for index, step in enumerate(trace.steps)
        for piece in ((step, behind[index]) if index in behind else (step,))
    ]
    return tuple(steps) if behind else None


_INVERSE: Mapping[str, str] = {"+": "-", "-": "+", "*": "/", "/": "*"}


def _backwards(trace: MathTrace, node: Node) -> str | None:
    """The inverse of a two-operand equation, in the step's own signs."""
    lhs, result, step = node.equation.lhs, node.equation.result, trace.steps[node.step]
    if not isinstance(lhs, Binary) or not isinstance(lhs.left, Leaf) or result is None:
        return None
    if not isinstance(lhs.right, Leaf) or len(node.equation.segments) > 2 or node.value == 0:
        return None
    one, two = lhs.left.number, lhs.right.number
    if one.percent or two.percent or result.percent or one.money != result.money:
        return None
    exact = {"+": one.value + two.value, "-": one.value - two.value, "*": one.value * two.value}
    if lhs.op == "/" and two.value * result.value != one.value:
        return None
    if exact.get(lhs.op, result.value) != result.value or (lhs.op == "*" and two.value == 0):
        return None
    first, second, third = (step[n.start : n.end].strip() for n in (result, two, one))
    return f"{first} {_INVERSE[lhs.op]} {second} = {third}"
