"""Twins that look different: signs, number formats, the order of operands, how steps open."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from tracelift_groups.perturb.math.equation import operations
from tracelift_groups.perturb.math.expression import Binary, Leaf, extent, is_fraction
from tracelift_groups.perturb.math.numbers import read_numbers, render
from tracelift_groups.perturb.math.rewrite import Replacement, apply, if_changed
from tracelift_groups.perturb.math.sentences import (
    lower_first,
    upper_first,
    without_opening,
)
from tracelift_groups.perturb.math.trace import CHECK, MathTrace

_OPENINGS: Mapping[str, tuple[str, ...]] = {
    "first": ("First, ", "To start, ", "To begin with, "),
    "middle": ("Then ", "Next, ", "After that, ", "Now "),
    "last": ("So ", "Finally, ", "Therefore, ", "In the end, "),
}
_SIGNS: Mapping[str, tuple[str, ...]] = {"*": ("*", "x", "×"), "/": ("/", "÷")}


def restyle_signs(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Write the signs in another style, with or without spaces, all through."""
    times, over = rng.choice(_SIGNS["*"]), rng.choice(_SIGNS["/"])
    spaced = rng.random() < 0.7
    edits: dict[tuple[int, int], Replacement] = {}
    for node in trace.nodes:
        step = trace.steps[node.step]
        if node.step in trace.opaque:
            continue
        for operation in operations(node.equation):
            written = step[operation.op_start : operation.op_end]
            if (
                (written.isalpha() and len(written) > 1)
                or not written
                or is_fraction(operation, step)
            ):
                continue
            sign = {"*": times, "/": over}.get(operation.op, operation.op)
            edit = _around(node.step, step, operation.op_start, operation.op_end, sign, spaced)
            edits[edit.step, edit.start] = edit
        for one, two in zip(node.equation.segments, node.equation.segments[1:], strict=False):
            at = step.find("=", one.end, two.start + 1)
            if at >= 0:
                edit = _around(node.step, step, at, at + 1, "=", spaced)
                edits[edit.step, edit.start] = edit
    return if_changed(trace, apply(trace, edits.values()))


def _around(step: int, text: str, start: int, end: int, sign: str, spaced: bool) -> Replacement:
    """Replace a sign and the spaces around it; a letter never touches its operands."""
    while start > 0 and text[start - 1] == " ":
        start -= 1
    while end < len(text) and text[end] == " ":
        end += 1
    wide = spaced or sign == "x" or text[start - 1].isalpha() or text[end].isalpha()
    return Replacement(step, start, end, f" {sign} " if wide else sign)


def restyle_numbers(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Write thousands separators, leading zeros and idle decimals another way, all through."""
    commas = rng.random() < 0.5
    edits = []
    for index, step in enumerate(trace.steps):
        if index in trace.opaque:
            continue
        for number in read_numbers(step):
            style = number.style._replace(thousands=commas, leading_zero=True)
            if number.value.denominator == 1 and number.style.decimals:
                style = style._replace(decimals=0)
            text = render(number.value, style)
            year = 1900 <= number.value <= 2100 and not number.money
            if text and not year and text != step[number.start : number.end]:
                edits.append(Replacement(index, number.start, number.end, text))
    return if_changed(trace, apply(trace, edits))


def commute(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Swap the operands of a sum or a product, units and all."""
    edits = []
    for node in trace.derivations:
        lhs, step = node.equation.lhs, trace.steps[node.step]
        if not isinstance(lhs, Binary) or lhs.op not in "+*" or node.step in trace.opaque:
            continue
        if lhs.op_start == lhs.op_end or rng.random() < 0.4:
            continue
        if not isinstance(lhs.left, Leaf) or not isinstance(lhs.right, Leaf):
            continue
        (start, one_end, one_unit), (two_start, two_end, two_unit) = map(
            extent, (lhs.left, lhs.right)
        )
        if (one_unit > one_end) != (two_unit > two_end):  # "3 bags * 4" would lose the reader
            continue
        one, two = step[start:one_unit], step[two_start:two_unit]
        edits += [
            Replacement(node.step, start, one_unit, two),
            Replacement(node.step, two_start, two_unit, one),
        ]
    return if_changed(trace, apply(trace, edits))


def openings(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Begin steps with connectives, or without those that they had."""
    steps = list(trace.steps)
    strip = rng.random() < 0.5
    for index, step in enumerate(steps):
        if index in trace.opaque or CHECK.match(step):
            continue
        bare = without_opening(step)
        if strip:
            steps[index] = upper_first(bare)
        elif rng.random() < 0.6 and bare[0].isalpha():
            place = "first" if index == 0 else "last" if index == len(steps) - 1 else "middle"
            steps[index] = rng.choice(_OPENINGS[place]) + lower_first(bare)
    return if_changed(trace, tuple(steps))
