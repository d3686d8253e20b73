"""Flaws in sentences that say a fact: the fact denied, and the program that would make it so."""

from __future__ import annotations

from collections.abc import Iterator

from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.program import Program


def deny_fact(sentence: str, program: Program) -> Iterator[Proposal]:
    """Turn a sentence that says a fact of the program into each of its untruths."""
    saying = said_by(program).get(sentence)
    if saying is None:
        return
    for false in saying.fact.untruths:
        if false.program is None:
            continue
        text = false.wordings[saying.wording] if false.wordings else ""
        yield Proposal(false.kind, false.operator, text, false.program)
