"""What the tests of the code engine share: short programs, and short ways to ask about them."""

from __future__ import annotations

import json
import re
from typing import Any

from tracelift_groups.assets import asset
from tracelift_groups.perturb.code.facts import Fact, facts_of
from tracelift_groups.perturb.code.operators import SENTENCE_OPERATORS, Proposal
from tracelift_groups.perturb.code.program import Program

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in asset("data", "seeds", "code.jsonl").read_text("utf-8").splitlines()
]

LOWEST = """\
def lowest(xs):
    if not xs:
        return 0
    best = xs[0]
    for x in xs:
        best = min(best, x)
    return best
"""
TOTAL = """\
def total(n):
    result = 0
    for i in range(1, n + 1):
        result += i
    return result
"""


def facts(source: str, form: str) -> list[Fact]:
    """The facts of one form that a program gives."""
    return [fact for fact in facts_of(Program(source)) if fact.form == form]


def fact(source: str, form: str) -> Fact:
    """The only fact of a form."""
    (only,) = facts(source, form)
    return only


def quoted(sentence: str) -> list[str]:
    """The code that a sentence quotes."""
    return re.findall(r"`([^`]+)`", sentence)


def proposed(operator: str, sentence: str, source: str) -> list[Proposal]:
    """What one operator proposes for a sentence."""
    return list(SENTENCE_OPERATORS[operator](sentence, Program(source)))


def plain(source: str) -> str:
    """A program in the layout that changed programs have."""
    return Program(source).plain
