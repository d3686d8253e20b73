"""Missing work: results asserted without derivation, and traces that stop too soon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from tracelift_groups.perturb.math.expression import Binary, Bracket, Node, extent
from tracelift_groups.perturb.math.numbers import render
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
from tracelift_groups.perturb.math.sentences import naming
from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.perturb.math.trace import Node as Step

_OPENING = re.compile(r"^(?:first|next|then|now|finally|after that|second|third)\b", re.IGNORECASE)


def assert_result(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """State one result without its working."""
    for step in _needed(trace, rng):
        edits = assert_value(trace, step, step.value)
        if edits is not None:
            yield Draft("assert_result", apply(trace, edits))


def drop_derivation(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Leave a step out; a later one uses its number out of nowhere."""
    for step in _needed(trace, rng):
        if trace.alone(step):
            yield Draft("drop_derivation", apply(trace, [], drop=[step.step]))


def jump_ahead(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Leave several steps out and state where they end."""
    for step in _needed(trace, rng):
        before = {
            index
            for index in trace.serving(step)
            if trace.alone(trace.nodes[index]) and not trace.confirmed(trace.nodes[index])
        }
        if not before:
            continue
        edits = assert_value(trace, step, step.value)
        if edits is not None:
            gone = {trace.nodes[index].step for index in before} - {step.step}
            yield Draft("jump_ahead", apply(trace, edits, drop=gone))


def vague_working(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Name the numbers that a result comes from, but not what is done with them."""
    for step in _needed(trace, rng):
        edits = assert_value(trace, step, step.value)
        operands = [
            trace.steps[step.step][m.number.start : m.number.end] for m in trace.operands(step)
        ]
        if edits is None or not 2 <= len(operands) <= 4 or len(set(operands)) < len(operands):
            continue
        steps = list(apply(trace, edits))
        steps[step.step] = naming(operands, steps[step.step], rng)
        yield Draft("vague_working", tuple(steps))


def _needed(trace: MathTrace, rng: Random) -> list[Step]:
    """Derived results that the problem does not give and that a later step uses."""
    found = [
        step
        for step in trace.derivations
        if trace.consumers(step)
        and not trace.problem.states(step.value)
        and not trace.uncertain(step)
        and not trace.confirmed(step)
    ]
    rng.shuffle(found)
    return found


def conclude_early(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Put an intermediate value into the closing sentence."""
    last = trace.derivations[-1]
    closing = len(trace.steps) - 1
    for step in _intermediate(trace, rng):
        if step.step >= closing:
            continue
        frame = _closing_frame(trace, last, closing, step)
        if frame is None:
            continue
        kept = [*apply(trace, frame)]
        end = kept[closing]
        yield Draft("conclude_early", (*kept[: step.step + 1], end))


def _closing_frame(
    trace: MathTrace, last: Step, closing: int, step: Step
) -> list[Replacement] | None:
    """Rewrite the closing sentence to state the result of ``step``."""
    if closing in trace.opaque or _mentions_later(trace, closing, last, step):
        return None
    if last.step == closing:
        result = step.equation.result
        like = result if result and not last.equation.result else None
        return assert_value(trace, last, step.value, like)
    said = [m for m in trace.mentions if m.step == closing and m.number.value == last.value]
    if not said or any(node.step == closing for node in trace.nodes):
        return None
    edits = []
    for mention in said:
        text = render(step.value, mention.number.style)
        if text is None:
            return None
        edits.append(Replacement(closing, mention.number.start, mention.number.end, text))
    return edits


def _mentions_later(trace: MathTrace, closing: int, last: Step, step: Step) -> bool:
    """Whether the closing sentence speaks of results that would be gone."""
    return any(
        m.step == closing
        and m.equation is None
        and m.source.equation not in (None, last.index)
        and (m.source.equation or 0) > step.index
        for m in trace.mentions
    )


def stop_early(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """End on an intermediate step, as if it were the last."""
    for step in _intermediate(trace, rng):
        if step.step < len(trace.steps) - 1 and not _OPENING.match(trace.steps[step.step]):
            yield Draft("stop_early", trace.steps[: step.step + 1])


def _intermediate(trace: MathTrace, rng: Random) -> list[Step]:
    """Results that are not the answer, later ones first more often than not."""
    found = [
        step
        for step in trace.derivations[:-1]
        if step.value != trace.answer and step.equation.result and not _repeats(trace, step)
    ]
    if rng.random() < 0.3:
        rng.shuffle(found)
        return found
    return found[::-1]


def _repeats(trace: MathTrace, step: Step) -> bool:
    """Whether the step's line also holds the next derivation."""
    return any(node.step == step.step and node.index > step.index for node in trace.nodes)


def cut_expression(trace: MathTrace, rng: Random) -> Iterator[Draft]:
    """Leave the last operation of the last expression out: 5 * 3 + 2 stops at 5 * 3."""
    last = trace.derivations[-1]
    equation, result = last.equation, last.equation.result
    if result is None or len(equation.segments) != 2 or last.step in trace.opaque:
        return
    cuts = list(_cuts(equation.lhs, last.step))
    rng.shuffle(cuts)
    for cut in cuts:
        value = reworked(trace.steps[last.step], equation, cut)
        if value is None or not plausible(as_written(value, result, equation), last.value, result):
            continue
        edits = propagate(trace, last, as_written(value, result, equation))
        if edits is not None:
            yield Draft("cut_expression", apply(trace, [*edits, *cut]))


def _cuts(node: Node, step: int) -> Iterator[list[Replacement]]:
    """Remove the outermost operation with either of its sides."""
    if isinstance(node, Bracket):
        yield from _cuts(node.inner, step)
        return
    if not isinstance(node, Binary):
        return
    if not isinstance(node.left, Binary | Bracket) and not isinstance(node.right, Binary | Bracket):
        return
    (start, _, _), (_, _, end) = extent(node.left), extent(node.right)
    for kept in (node.left, node.right):
        if isinstance(kept, Binary | Bracket):
            inner = kept.inner if isinstance(kept, Bracket) else kept
            inner_start, _, inner_end = extent(inner)
            yield [
                Replacement(step, start, inner_start, ""),
                Replacement(step, inner_end, end, ""),
            ]
