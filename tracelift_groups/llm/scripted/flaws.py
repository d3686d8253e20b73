"""What the scripted model replies when a flaw is wanted: the rule engine's drafts, unchecked."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import NamedTuple

from tracelift_groups.llm.scripted.reading import Asked
from tracelift_groups.llm.scripted.spoiling import SPOILED
from tracelift_groups.perturb.code.drafts import Draft, drafts_of, parsed
from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.operators.vague import without_specifics
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.math.operators import OPERATORS
from tracelift_groups.perturb.math.trace import Problem, parse_trace
from tracelift_groups.perturb.template import OperatorChoice, Template


class Flawed(NamedTuple):
    """A flawed plan, and the program that follows from it where one does."""

    text: str
    program: str | None


def flaw(asked: Asked, bad: bool, rng: Random) -> dict[str, str]:
    """Make a flaw of the kind that is asked for; without an idea, repeat the text.

    Args:
        asked: The prompt.
        bad: Reply with something that no check must let through.
        rng: What is drawn at random.
    """
    text, template = asked.texts[0], asked.template
    made: Flawed | None = None
    if template is not None and template.domain == "math":
        made = Flawed(math_flaw(template, asked.problem, text, rng) or text, None)
    elif template is not None:
        made = code_flaw(template, text, asked.program or "", rng)
    flawed = made.text if made else text
    if bad:
        flawed = SPOILED[rng.choice(sorted(SPOILED))](text, flawed)
    if not asked.wants_program:
        return {"reasoning": flawed}
    program = made.program if made else None
    return {"reasoning": flawed, "program": program or asked.program or ""}


def math_flaw(template: Template, problem: str, text: str, rng: Random) -> str | None:
    """The first draft of the operators of a kind, or None where none applies."""
    trace = parse_trace(text, Problem(problem))
    if not trace.derivations:  # such as one in letters alone: the operators have nothing to change
        return None
    for choice in _by_weight(template, rng):
        if choice.name not in OPERATORS:
            continue
        for draft in OPERATORS[choice.name](trace, rng):
            if draft.steps and all(step.strip() for step in draft.steps):
                return trace.separator.join(draft.steps)
    return None


def code_flaw(template: Template, text: str, program: str, rng: Random) -> Flawed | None:
    """A draft of a kind that the rest of the text goes with, if there is one; None for none."""
    trace = CodeTrace(text)
    try:
        sound = parsed(program)
    except (SyntaxError, ValueError, RecursionError):
        return None
    drafts = drafts_of(trace, sound)
    vague = partial(_vague, trace, program)
    drafts.append(Draft("vague_pseudo_solution", "drop_specifics", None, vague))
    weights = {choice.name: choice.weight for choice in template.operators}
    own = [one for one in drafts if one.kind == template.id and one.operator in weights]
    own.sort(key=lambda one: -(rng.random() ** (1 / weights[one.operator])))
    for consistent in (True, False):
        for draft in own:
            if consistent and not draft.consistent:
                continue
            if draft.text and CodeTrace(draft.text).key != trace.key:
                return Flawed(draft.text, draft.program)
    return None


def _vague(trace: CodeTrace, program: str) -> str:
    return without_specifics(trace, said_by(parsed(program))).text


def _by_weight(template: Template, rng: Random) -> list[OperatorChoice]:
    return sorted(template.operators, key=lambda choice: -(rng.random() ** (1 / choice.weight)))
