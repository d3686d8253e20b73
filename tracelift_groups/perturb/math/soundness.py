"""Whether a free text is a sound reasoning for a problem, as far as certificates can tell.

A text is held against a sound reference by what certifies twins: every equation holds, every
operand is given by the problem, worked out before, or a constant of the reference; every quantity
that the reference uses is used; no operation of its derivation is missing; it ends on the answer,
and on one that it worked out. What a machine cannot read is neither sound nor unsound.

Two limits: a way of solving with fewer operations than the reference's counts as unsound, and
what the words around the equations say is not read.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from tracelift_groups.perturb.math.checks import check_sound, unread
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.evidence.pair import stated
from tracelift_groups.perturb.math.numbers import plain
from tracelift_groups.perturb.math.trace import MathTrace, parse_trace

Outcome = Literal["sound", "unsound", "unreadable"]


class Soundness(NamedTuple):
    """What the check says of a text.

    Attributes:
        outcome: The verdict.
        reason: Empty where it is sound. Unsound: ``false_equation``, ``wrong_answer`` or
            ``unsupported``. Unreadable: ``no_equation``, ``unknowns`` or ``unread_equation``.
        detail: For people.
    """

    outcome: Outcome
    reason: str = ""
    detail: str = ""


def soundness(reference: MathTrace, text: str) -> Soundness:
    """Check a text.

    Args:
        reference: A sound trace of the problem.
        text: A reasoning, whoever wrote it; empty is unreadable.
    """
    trace = parse_trace(text, reference.problem)
    if not trace.derivations:
        return Soundness("unreadable", "no_equation", "no explicit arithmetic")
    if unread(trace) > unread(reference):
        return Soundness("unreadable", "unread_equation", "an equals sign belongs to no equation")
    found = _judged(reference, trace)
    if found.outcome == "unsound" and trace.opaque - reference.opaque:
        return Soundness("unreadable", "unknowns", f"a letter stands for a number; {found.detail}")
    return found


def _judged(reference: MathTrace, trace: MathTrace) -> Soundness:
    if trace.false_equations:
        said = stated(trace, trace.false_equations[0])
        return Soundness("unsound", "false_equation", f"'{said}' does not hold")
    if trace.answer != reference.answer:
        said = "no number" if trace.answer is None else plain(trace.answer)
        return Soundness("unsound", "wrong_answer", f"it ends on {said}")
    if trace.answer not in {node.value for node in trace.derivations}:
        return Soundness("unsound", "unsupported", "the answer is not worked out")
    try:
        check_sound(reference, trace)
    except Unconfirmed as why:
        return Soundness("unsound", "unsupported", str(why))
    return Soundness("sound")
