"""Twins with other steps: merged, split, worked in brackets, reordered, with facts restated."""

from __future__ import annotations

import re
from fractions import Fraction
from random import Random

from tracelift_groups.perturb.math.equation import operations
from tracelift_groups.perturb.math.expression import Binary, Leaf, extent, leaves
from tracelift_groups.perturb.math.expression import Node as Tree
from tracelift_groups.perturb.math.numbers import read_numbers, render
from tracelift_groups.perturb.math.rewrite import Replacement, apply
from tracelift_groups.perturb.math.sentences import (
    OPENING,
)
from tracelift_groups.perturb.math.trace import CHECK, MathTrace

_SENTENCE = re.compile(r"[^.?!]+(?:\.\d[^.?!]*)*[.?!]")
_LONGEST_EXPRESSION = 6
# A sentence that refers back makes no sense on its own.
_REFERS_BACK = re.compile(
    r"\b(?:he|she|they|it|this|that|these|those|his|her|their|them|him|its|if|then|remaining|rest"
    r"|another|also|other|the same|how)\b",
    re.IGNORECASE,
)


def merge_lines(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Put two neighbouring steps into one line."""
    if len(trace.steps) < 2:
        return None
    at = rng.randrange(len(trace.steps) - 1)
    one, two = trace.steps[at], trace.steps[at + 1]
    stop = "" if one.endswith((".", ":", "!", "?", ",")) else "."
    return (*trace.steps[:at], f"{one}{stop} {two}", *trace.steps[at + 2 :])


def split_sum(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work a sum of three or more terms out in two steps."""
    choices = []
    for node in trace.derivations:
        lhs = node.equation.lhs
        if not isinstance(lhs, Binary) or lhs.op not in "+-" or len(node.equation.segments) > 2:
            continue
        if node.step in trace.opaque or not isinstance(lhs.left, Binary):
            continue
        if all(op.op in "+-" for op in operations(node.equation)):
            choices.append(node)
    if not choices:
        return None
    node = rng.choice(choices)
    step, lhs = trace.steps[node.step], node.equation.lhs
    assert isinstance(lhs, Binary)
    start, _, end = extent(lhs.left)
    value = _sum(lhs.left)
    first = next(leaves(lhs.left)).number
    text = render(value, first.style) if value is not None else None
    if text is None:
        return None
    stop = "." if step.rstrip().endswith(".") or trace.separator == " " else ""
    extra = f"{step[start:end]} = {text}{stop}"
    lead = rng.choice(("To begin with, ", ""))
    rest = step[:start] + text + step[end:]
    return (*trace.steps[: node.step], lead + extra, rest, *trace.steps[node.step + 1 :])


def _sum(tree: Tree) -> Fraction | None:
    if isinstance(tree, Leaf):
        return tree.number.value
    if not isinstance(tree, Binary) or tree.op not in "+-":
        return None
    left, right = _sum(tree.left), _sum(tree.right)
    if left is None or right is None:
        return None
    return left + right if tree.op == "+" else left - right


def inline_step(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Leave a step out and work it out in brackets where its result is used."""
    choices = []
    for node in trace.derivations:
        users = trace.consumers(node)
        uses = [m for m in trace.mentions_of(node) if m.equation != node.index]
        later = [m for m in uses if m.step != node.step]
        if len(users) != 1 or len(later) != 1 or not trace.alone(node):
            continue
        elsewhere = users[0].step != node.step and later[0].equation is not None
        if elsewhere and not trace.uncertain(node):
            choices.append((node, later[0]))
    if not choices:
        return None
    node, use = rng.choice(choices)
    if {node.step, use.step} & trace.opaque or not isinstance(node.equation.lhs, Binary):
        return None
    working = _without_units(trace.steps[node.step], node.equation.lhs)
    edit = Replacement(use.step, use.number.start, use.number.end, f"({working})")
    return apply(trace, [edit], drop=[node.step])


def _without_units(step: str, tree: Tree) -> str:
    """An expression's text with the words behind its numbers left out."""
    start, end, _ = extent(tree)
    text = step[start:end]
    for leaf in reversed(list(leaves(tree))):
        if leaf.unit_end < end:
            text = text[: leaf.end - start] + text[leaf.unit_end - start :]
    return text


def inline_all(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work steps out in brackets wherever that leaves expressions of at most six numbers."""
    done: tuple[str, ...] | None = None
    for _ in range(len(trace.nodes)):
        steps = inline_step(trace, rng)
        if steps is None:
            break
        trace = trace.with_steps(steps)
        if any(sum(1 for _ in leaves(n.equation.lhs)) > _LONGEST_EXPRESSION for n in trace.nodes):
            break
        done = steps
    return done


def swap_steps(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Exchange two neighbouring steps that do not depend on each other."""
    choices = []
    for at in range(len(trace.steps) - 2):
        one, two = trace.steps[at], trace.steps[at + 1]
        feeds = any(
            m.step == at + 1 and m.source.equation is not None
            and trace.nodes[m.source.equation].step == at
            for m in trace.mentions
        )  # fmt: skip
        if feeds or {at, at + 1} & trace.opaque or _REFERS_BACK.search(two):
            continue
        if any(CHECK.match(step) for step in (one, two)):
            continue
        if not OPENING.match(two) and not OPENING.match(one):
            choices.append(at)
    if not choices:
        return None
    at = rng.choice(choices)
    return (*trace.steps[:at], trace.steps[at + 1], trace.steps[at], *trace.steps[at + 2 :])


def restate_given(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Say a fact of the problem before the step that uses it."""
    choices = []
    for match in _SENTENCE.finditer(trace.problem.text):
        sentence = match[0].strip()
        if _REFERS_BACK.search(sentence) or not 20 <= len(sentence) <= 110 or "?" in sentence:
            continue
        values = {number.value for number in read_numbers(sentence)}
        user = next(
            (
                m.step
                for m in trace.mentions
                if m.equation is not None
                and m.source.kind == "problem"
                and m.number.value in values
            ),
            None,
        )
        if user is not None and sentence.rstrip(".") not in trace.text:
            choices.append((user, sentence))
    if not choices:
        return None
    at, sentence = rng.choice(choices)
    return (*trace.steps[:at], sentence, *trace.steps[at:])


def state_goal(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Begin by saying what is asked, in the problem's words."""
    found = re.search(r"(?:^|[.!?]\s+)((?:How|What)\b[^.?!]*)\?\s*$", trace.problem.text.strip())
    if not found or len(found[1]) > 110 or read_numbers(found[1]):
        return None
    question = found[1][0].lower() + found[1][1:]
    lead = rng.choice(("We want to know {}.", "The question is {}.", "What is asked: {}."))
    return (lead.format(question), *trace.steps)


def drop_filler(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Leave out a line that works nothing out and brings no number of its own."""
    known: set[Fraction] = {node.value for node in trace.nodes} | set(trace.problem.values)
    choices = [
        index
        for index, _ in enumerate(trace.steps)
        if index not in trace.opaque
        and not any(node.step == index for node in trace.nodes)
        and all(m.number.value in known for m in trace.mentions if m.step == index)
    ]
    if not choices or len(trace.steps) < 2:
        return None
    at = rng.choice(choices)
    return (*trace.steps[:at], *trace.steps[at + 1 :])
