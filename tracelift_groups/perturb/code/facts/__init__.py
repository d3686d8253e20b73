"""What a program does, said in sentences that can be read back and checked.

A twin says more than its reference by such sentences, and a flaw may be a false one: the program
that would make it true is known, and is run.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import NamedTuple

from tracelift_groups.perturb.code.facts.cost import cost_facts
from tracelift_groups.perturb.code.facts.fact import Fact, Untruth
from tracelift_groups.perturb.code.facts.flow import flow_facts
from tracelift_groups.perturb.code.facts.method import method_facts
from tracelift_groups.perturb.code.facts.state import state_facts
from tracelift_groups.perturb.code.program import Program

__all__ = ["Fact", "Saying", "Untruth", "facts_of", "said_by"]


_CODE = re.compile(r"`[^`]*`")
_LOOP = re.compile(r"\b(?:loop|pass|passes|repeats?)\b")


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
    nodes = list(ast.walk(program.tree))
    loops = sum(isinstance(node, ast.For | ast.While) for node in nodes)
    places = sum(isinstance(node, ast.FunctionDef) for node in nodes) + _has_main(program)
    kept: dict[str, Fact] = {}
    found = (cost_facts, state_facts, method_facts, flow_facts)
    for told in (fact for facts in found for fact in facts(program)):
        fact = _placed(program, told, loops, places)
        if fact is None:
            continue
        same = kept.get(fact.wordings[0])
        kept[fact.wordings[0]] = fact if same is None else same._replace(untruths=())
    return tuple(kept.values())


def _placed(program: Program, fact: Fact, loops: int, places: int) -> Fact | None:
    """Say which function a fact is about, where there are several.

    With several loops, "the loop" and "each pass" say too little: those wordings are left out, and
    a fact that has no others is none.
    """
    usable = [
        number
        for number, words in enumerate(fact.wordings)
        if loops < 2 or not _LOOP.search(_CODE.sub("", words))
    ]
    prefix = ""
    if places > 1:
        function = program.around(fact.where, ast.FunctionDef) if fact.where else None
        named = isinstance(function, ast.FunctionDef)
        prefix = f"In `{function.name}`, " if named else "In the main part, "  # type: ignore[union-attr]
    if not usable:
        return None

    def placed(wordings: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix + _lowered(wordings[i], prefix) for i in usable) if wordings else ()

    untruths = tuple(one.reworded(placed(one.wordings)) for one in fact.untruths)
    return fact._replace(wordings=placed(fact.wordings), untruths=untruths)


def _has_main(program: Program) -> bool:
    """Whether anything but definitions and imports stands outside functions."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    return any(not isinstance(node, kinds) for node in program.tree.body)


def _lowered(sentence: str, prefix: str) -> str:
    return sentence[0].lower() + sentence[1:] if prefix else sentence


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
