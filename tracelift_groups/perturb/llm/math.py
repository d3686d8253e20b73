"""Word problems: proved from the texts where they can be read, else refuted or left to a judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from tracelift_groups.perturb.llm.desk import (
    Flaw,
    Twin,
    Unsuitable,
    check_band,
    check_flaw,
    check_length,
    check_twin,
    judged,
)
from tracelift_groups.perturb.llm.shapes import Perturbed, PerturbedPlan
from tracelift_groups.perturb.made import BY_MODEL, Text
from tracelift_groups.perturb.math.checks import certify, check_sound, unread
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.numbers import plain
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.perturb.template import Template
from tracelift_groups.records import Severity
from tracelift_groups.reference.math import clean

_UNKNOWN_SHARE = 0.5  # of a flaw whose effect cannot be read: moderate, on every template's scale


class MathDesk:
    """Reads what a model writes about one word problem."""

    def __init__(self, problem: Problem, reference: MathTrace) -> None:
        self._problem, self._reference = problem, reference

    @property
    def problem(self) -> str:
        """The problem's text."""
        return self._problem.text

    @property
    def program(self) -> None:
        """Word problems have none."""
        return None

    def twin(self, reasoning: str) -> Twin:
        """Read a rewording: proven where every step of it can be followed."""
        text = cleaned(reasoning)
        check_twin(self._reference.text, text)  # first: a long text takes long to parse
        trace = _parsed(text, self._problem)
        with _unreadable():
            try:
                check_sound(self._reference, trace)
            except Unconfirmed as unproven:
                if objection := _unsound(self._reference, trace):
                    raise Unsuitable("unsound", objection) from unproven
                return Twin(trace, proven=False)
        return Twin(trace, proven=readable(self._reference))

    def flaw(self, template: Template, parent: Text, reply: Perturbed | PerturbedPlan) -> Flaw:
        """Read a flaw: proven where the postconditions of its kind hold in the texts."""
        assert isinstance(parent, MathTrace)
        text = cleaned(reply.reasoning)
        check_band(parent.text, text, template.limits.shortest, template.limits.longest)
        trace = _parsed(text, self._problem)
        found = check_flaw(template, parent.text, trace.text)
        with _unreadable():
            try:
                certificate = certify(template, parent, trace, BY_MODEL)
            except Unconfirmed as unproven:
                if objection := _refuted(template, parent, trace):
                    raise Unsuitable("not_the_kind", objection) from unproven
            else:
                return Flaw(trace, certificate, proven=True)
            answers = _plain(parent.answer), _plain(trace.answer)
            severity = _severity(template, parent, trace)
        if not (readable(parent) and readable(trace)):
            answers = None, None
        return Flaw(trace, judged(template, trace, found, severity, answers), proven=False)


def cleaned(reasoning: str) -> str:
    """Take the reasoning out of what a model wrote.

    Raises:
        Unsuitable: Nothing is left of it, or it is far too long.
    """
    check_length(reasoning)
    text = clean(reasoning)
    check_length(text)
    return text


def _parsed(text: str, problem: Problem) -> MathTrace:
    with _unreadable():
        trace = parse_trace(text, problem)
        return parse_trace(trace.steps, problem, separator=trace.separator)


@contextmanager
def _unreadable() -> Iterator[None]:
    """Numbers of a model may be of any size; what breaks the arithmetic is no reasoning."""
    try:
        yield
    except (ArithmeticError, RecursionError, ValueError) as error:
        raise Unsuitable("unreadable", f"{type(error).__name__}: {error}"[:200]) from error


def readable(trace: MathTrace) -> bool:
    """Whether a trace states its arithmetic such that its answer can be read."""
    return bool(trace.derivations) and not unread(trace) and not trace.opaque


def _unsound(reference: MathTrace, trace: MathTrace) -> str | None:
    """What refutes a rewording; None where nothing that can be read does."""
    if false := [node for node in trace.false_equations if not reference.false_equations]:
        return f"step {false[0].step} states an equation that does not hold"
    if readable(reference) and readable(trace) and trace.answer != reference.answer:
        return f"it ends on {_plain(trace.answer)}, the reference on {_plain(reference.answer)}"
    return None


def _refuted(template: Template, parent: MathTrace, trace: MathTrace) -> str | None:
    """What shows that a text has no flaw of the kind; None where nothing that can be read does."""
    conditions = template.postconditions
    both = readable(parent) and readable(trace)
    if "equations_true" in conditions and trace.false_equations and not parent.false_equations:
        return f"step {trace.false_equations[0].step} states an equation that does not hold"
    if "one_equation_false" in conditions and readable(trace) and not trace.false_equations:
        return "every equation holds"
    if not both:
        return None
    derived = {node.value for node in parent.derivations}
    if "answer_changed" in conditions and trace.answer == parent.answer:
        return "the answer is still the same"
    if "derivation_missing" in conditions and len(trace.derivations) >= len(parent.derivations):
        return "no step is gone"
    if "intermediate_presented" in conditions and trace.answer not in derived:
        return "it does not end on an intermediate value"
    return None


def _plain(value: Fraction | None) -> str | None:
    return None if value is None else plain(value)


def _severity(template: Template, parent: MathTrace, trace: MathTrace) -> Severity:
    scale = template.rubric.severity
    if not (readable(parent) and readable(trace)):
        share = _UNKNOWN_SHARE
    elif scale.measure == "steps":
        lost = len(parent.derivations) - len(trace.derivations)
        share = max(0, lost) / len(parent.derivations)
    elif parent.answer and trace.answer is not None:
        share = float(abs(trace.answer - parent.answer) / abs(parent.answer))
    else:
        share = _UNKNOWN_SHARE
    return scale.grade(share)
