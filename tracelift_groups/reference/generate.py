"""References that a model writes: kept only where the verifier or the tests confirm them.

Sound and flawed traces then have the same author, so that who wrote a trace says nothing of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from tracelift_groups.llm.asking import Asks, ask
from tracelift_groups.llm.request import Failed
from tracelift_groups.plan import Plan
from tracelift_groups.prompts import render_prompt
from tracelift_groups.reference import NoReference

R = TypeVar("R")


# Characters; longer ones take seconds to parse and serve nobody.
_LONGEST = 16_000


class _Reasoned(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reasoning: str


class Solved(_Reasoned):
    """A reasoning and the answer that it leads to."""

    answer: str


class Planned(_Reasoned):
    """A plan and the program that follows from it."""

    program: str


S = TypeVar("S", bound=_Reasoned)


def generated(
    plan: Plan,
    shape: type[S],
    confirm: Callable[[S], R],
    *,
    problem: str,
    domain: str,
    entry_point: str = "",
) -> Asks[R]:
    """Ask for references until one is confirmed.

    Args:
        plan: Which model, and how many samples at most.
        shape: What a reply must be.
        confirm: Gives the reference of a reply, or raises :class:`NoReference`.
        problem: The problem's text.
        domain: ``math`` or ``code``.
        entry_point: For code: what the tests call; empty for standard input and output.

    Raises:
        NoReference: ``no_confirmed_reference``, with the samples counted by what was amiss.
        Unavailable: The endpoint gave no answer.
    """
    prompt = render_prompt(
        "reference", problem=problem, domain=domain, entry_point=entry_point or None
    )
    amiss: Counter[str] = Counter()
    for sample in range(plan.samples):
        reply = yield from ask(plan.request("reference", prompt, sample), shape)
        if isinstance(reply, Failed):
            amiss[reply.reason] += 1
            continue
        if len(reply.reasoning) > _LONGEST:
            amiss["too_long"] += 1
            continue
        try:
            return confirm(reply)
        except NoReference as reason:
            amiss[reason.reason] += 1
    counts = ", ".join(f"{number} {reason}" for reason, number in sorted(amiss.items()))
    raise NoReference("no_confirmed_reference", f"{plan.samples} samples: {counts}")
