"""Is a free text a sound reasoning for a problem: what the certificate of a twin says of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from tracelift_groups.perturb.math.checks import check_sound, parsed
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.trace import Problem, parse_trace
from tracelift_groups.records import Group


class Verdict(NamedTuple):
    """What the check says of a text.

    Attributes:
        outcome: ``sound``: every equation holds, every operand is given or derived, nothing of the
            reference is lost, and it ends on the gold answer. ``unsound``: one of these fails.
            ``unreadable``: there is no equation to check.
        reason: Why it is not sound.
    """

    outcome: Literal["sound", "unsound", "unreadable"]
    reason: str = ""


def soundness(group: Group, text: str) -> Verdict:
    """Check a reasoning for a group's problem against the group's reference.

    The check is the one that certifies twins, so a way of solving that the reference does not take
    counts as unsound even where it is right: a lower bound.
    """
    problem = Problem(group.problem)
    trace = parse_trace(text, problem)
    if not trace.nodes:
        return Verdict("unreadable", "no equation")
    try:
        check_sound(parsed(group.reference, problem), trace)
    except Unconfirmed as error:
        return Verdict("unsound", str(error))
    return Verdict("sound")
