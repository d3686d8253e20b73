"""What the scripted model replies when a reasoning is to be reworded."""

from __future__ import annotations

import re
from contextlib import suppress
from random import Random

from tracelift_groups.llm.scripted.spoiling import answer_line
from tracelift_groups.perturb.code.drafts import parsed as program_of
from tracelift_groups.perturb.code.facts import facts_of
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.code.twins import lay_out, say_less, say_more, say_otherwise
from tracelift_groups.perturb.math.engine import make_twins
from tracelift_groups.perturb.math.trace import Problem, parse_trace

_SHORTER = re.compile(r"\b(?:short|brief|condens|concise|terse|fewer|less|compact)", re.I)
_LONGER = re.compile(r"\b(?:longer|more|detail|expand|fuller)", re.I)
# Sentences that a plan gains about its program: as many as the rule engine adds.
_FACTS = 3
_RARE = "infeasible_complexity"
_NUMBER = re.compile(r"\d+")


def reworded_sum(problem: str, text: str, manner: str, rng: Random) -> str:
    """Say the same of a word problem in other words; the text itself where that cannot be done.

    Args:
        problem: The problem.
        text: A sound reasoning.
        manner: How it is to be reworded, in words; only whether it says shorter or longer counts.
        rng: What is drawn at random.
    """
    parsed = parse_trace(text, Problem(problem))
    if not parsed.derivations:
        return text
    texts = [twin.trace.text for twin in make_twins(parsed, rng)] or [text]
    if _SHORTER.search(manner):
        return min(texts, key=len)
    if _LONGER.search(manner):
        return max(texts, key=len)
    return rng.choice(texts)


def reworded_plan(text: str, program: str | None, manner: str, rng: Random) -> str:
    """Say the same of a program in other words.

    Args:
        text: A sound plan.
        program: The program that it leads to, where that is known: more can be said of it then.
        manner: How it is to be reworded, in words; only whether it says shorter or longer counts.
        rng: What is drawn at random.
    """
    trace = CodeTrace(text)
    if _SHORTER.search(manner):
        trace = say_less(trace, rng)
    trace = say_otherwise(trace, rng)
    if program is not None and not _SHORTER.search(manner):
        with suppress(SyntaxError, ValueError, RecursionError):
            facts = sorted(facts_of(program_of(program)), key=lambda _: rng.random())
            # Costs first: few plans speak of them, and few programs have one to be wrong about.
            facts.sort(key=lambda fact: all(u.kind != _RARE for u in fact.untruths))
            trace = say_more(trace, facts[:_FACTS], rng)
    return lay_out(trace, rng).text


def badly_reworded(text: str, twin: str, rng: Random) -> str:
    """A rewording that must not pass: as it was, with another number, or with an answer line."""
    sort = rng.choice(("unchanged", "other_number", "answer_line"))
    numbers = list(_NUMBER.finditer(twin))
    if sort == "other_number" and numbers:
        last = numbers[-1]
        return f"{twin[: last.start()]}{int(last[0]) + 1}{twin[last.end() :]}"
    return answer_line(text, twin) if sort == "answer_line" else text
