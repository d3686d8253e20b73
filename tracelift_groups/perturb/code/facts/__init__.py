"""What a program does, said in sentences that can be read back and checked.

A twin says more than its reference by such sentences, and a flaw may be a false one: the program
that would make it true is known, and is run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tracelift_groups.perturb.code.facts.cost import cost_facts
from tracelift_groups.perturb.code.facts.fact import Fact, Untruth
from tracelift_groups.perturb.code.facts.flow import flow_facts
from tracelift_groups.perturb.code.facts.method import method_facts
from tracelift_groups.perturb.code.facts.state import state_facts
from tracelift_groups.perturb.code.program import Program

__all__ = ["Fact", "Saying", "Untruth", "facts_of", "said_by"]


class Saying(NamedTuple):
    """A sentence that says a fact: which one, and in which of its wordings."""

    fact: Fact
    wording: int


def facts_of(program: Program) -> tuple[Fact, ...]:
    """Return what can be said of a program; of two facts with the same words, the first.

    A sentence that is true of two places in the program (two loops over ``range(n)``) is kept,
    but nothing false is made of it: which place would be meant?
    """
    return _facts_of(program.source)


@lru_cache(maxsize=64)
def _facts_of(source: str) -> tuple[Fact, ...]:
    program = Program(source)
    kept: dict[str, Fact] = {}
    found = (cost_facts, state_facts, method_facts, flow_facts)
    for fact in (fact for facts in found for fact in facts(program)):
        same = kept.get(fact.wordings[0])
        kept[fact.wordings[0]] = fact if same is None else same._replace(untruths=())
    return tuple(kept.values())


def said_by(program: Program) -> dict[str, Saying]:
    """Return every sentence that says a fact of this program."""
    return _said_by(program.source)


@lru_cache(maxsize=64)
def _said_by(source: str) -> dict[str, Saying]:
    return {
        sentence: Saying(fact, number)
        for fact in _facts_of(source)
        for number, sentence in enumerate(fact.wordings)
    }
