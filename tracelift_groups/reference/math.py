"""Gold reasoning made a reference trace: cleaned of annotations, verified against the answer."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from tracelift_groups.perturb.math.equation import read_equations
from tracelift_groups.perturb.math.numbers import plain, read_numbers
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.reference import NoReference
from tracelift_groups.verify.answers import stated_answers
from tracelift_groups.verify.math import MathVerifier
from tracelift_groups.verify.verdict import Verdict

_ANNOTATION = re.compile(r"<<([^<>]*)>>")
_ANSWER_LINE = re.compile(
    r"^\s*(?:####.*|(?:so\s+|thus,?\s+|therefore,?\s+)?the\s+(?:final\s+)?answer\s+is\b.*"
    r"|answer\s*[:=].*|\\boxed\{.*)$",
    re.IGNORECASE,
)
_ANSWER_TAIL = re.compile(
    r"(?<=[.!?])\s+(?:so\s+|thus,?\s+|therefore,?\s+)?the\s+(?:final\s+)?answer\s+is\b[^\n]*$",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[ \t\u00a0]+")


class Annotation(NamedTuple):
    """One ``<<expression=result>>`` of a gold rationale."""

    expression: str
    result: str


def clean(reasoning: str) -> str:
    """Return the reasoning alone: no ``<<…>>``, no final-answer line, tidy spaces.

    A marker is removed whole, so that "48/2 = <<48/2=24>>24" becomes "48/2 = 24". Where the prose
    skips the working ("that's $<<18*9=162>>162") the marker's expression is written out: what the
    annotator worked out is part of the derivation.
    """
    lines = []
    for line in reasoning.splitlines():
        if _ANSWER_LINE.match(line):
            continue
        tidy = _SPACES.sub(" ", _unmark(_ANSWER_TAIL.sub("", line))).strip()
        if tidy:
            lines.append(tidy)
    return "\n".join(lines)


def _unmark(line: str) -> str:
    pieces: list[str] = []
    position = 0
    for match in _ANNOTATION.finditer(line):
        before = line[position : match.start()]
        expression, _, result = match[1].rpartition("=")
        worked = len(read_numbers(expression)) > 1 and not expression.startswith(("+", "-"))
        if worked:
            before = _worked_out(before, expression, line[match.end() :], result)
        pieces.append(before)
        position = match.end()
    return "".join([*pieces, line[position:]])


def _worked_out(before: str, expression: str, after: str, result: str) -> str:
    """Return ``before`` such that it ends with the working of the result that follows.

    What the prose leaves out is added: the equals sign ("20 * .50 $10"), or the annotation's
    expression ("so that's $162", "6 hours = 360 minutes").
    """
    stem = before.rstrip()
    sign = stem[-1] if stem.endswith(("$", "€", "£")) else ""
    stem = stem[: len(stem) - len(sign)].rstrip()
    pretty = re.sub(r"\s*([-+*/])\s*", r" \1 ", expression.strip())
    ways = (before, f"{stem} = {sign}", f"{stem} {pretty} = {sign}")
    stated = read_numbers(result)
    for way in ways:
        equations = read_equations(way + (after or result))
        if any(
            e.holds and e.result and stated and e.result.value == stated[0].value
            for e in equations
            if e.end > len(way)
        ):
            return way
    return before


def gold_reference(problem: Problem, reasoning: str, answer: str) -> MathTrace:
    """Clean and verify a seed's own reasoning.

    Raises:
        NoReference: With the reason: ``empty_reasoning``, ``bad_answer``, ``no_equation``,
            ``false_equation`` or ``answer_mismatch``.
    """
    text = clean(reasoning)
    if not text:
        raise NoReference("empty_reasoning", "nothing is left once the answer line is removed")
    gold = read_answer(answer)
    trace = parse_trace(text, problem)
    if not trace.derivations:
        raise NoReference("no_equation", "no explicit arithmetic such as 'a * b = c' to build on")
    _check_equations(trace)
    if trace.answer != gold:
        found = "no number" if trace.answer is None else plain(trace.answer)
        raise NoReference("answer_mismatch", f"the reasoning ends on {found}, not {plain(gold)}")
    return trace


def free_reference(problem: Problem, reasoning: str, answer: str) -> MathTrace:
    """Clean a reasoning that need not state its arithmetic in full, for a model to build on.

    What can be read of it must hold: its equations, and the answer where it names one.

    Raises:
        NoReference: ``empty_reasoning``, ``false_equation`` or ``answer_mismatch``.
    """
    text = clean(reasoning)
    if not text:
        raise NoReference("empty_reasoning", "nothing is left once the answer line is removed")
    trace = parse_trace(text, problem)
    trace = parse_trace(trace.steps, problem, separator=trace.separator)
    _check_equations(trace)
    stated = stated_answers(reasoning)
    if stated.way in ("boxed", "hashes", "sentence"):
        result = _verifier().verify(answer, reasoning)
        if result.valid and result.verdict is not Verdict.PASS:
            raise NoReference("answer_mismatch", f"the reasoning's answer: {result.detail}")
    return trace


def confirm_answer(gold: str, answer: str) -> None:
    """Compare the answer that a model gives with the gold one.

    Raises:
        NoReference: ``wrong_answer``, ``no_answer``, or ``verifier_failed``, which says nothing.
    """
    result = _verifier().verify(gold, answer)
    if not result.valid:
        raise NoReference("verifier_failed", result.detail)
    if result.verdict is not Verdict.PASS:
        raise NoReference(result.verdict.value, result.detail)


@lru_cache(maxsize=1)
def _verifier() -> MathVerifier:
    """This process's verifier of answers."""
    return MathVerifier()


def _check_equations(trace: MathTrace) -> None:
    if trace.false_equations:
        node = trace.false_equations[0]
        step = trace.steps[node.step]
        stated = step[node.equation.start : node.equation.end]
        raise NoReference("false_equation", f"step {node.step}: '{stated}' does not hold")


def read_answer(answer: str) -> Fraction:
    """Return the value of a gold answer such as ``1,200``, ``$3.50`` or ``-4``.

    Raises:
        NoReference: ``bad_answer`` where it is not one number.
    """
    text = answer.strip().replace("−", "-")
    numbers = read_numbers(text)
    if len(numbers) != 1:
        raise NoReference("bad_answer", f"the gold answer '{answer}' is not one number")
    return -numbers[0].value if "-" in text[: numbers[0].start] else numbers[0].value
