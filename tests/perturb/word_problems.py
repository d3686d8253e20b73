"""What the tests of the math rules share: short ways to parse, draft and compare traces."""

from __future__ import annotations

from random import Random

from tracelift_groups.perturb.math.operators import OPERATORS
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.perturb.template import Template, load_templates

SEEDS = 12

# Three steps that feed each other; no number stands for two things.
BAKERY = "A baker fills 6 trays with 14 rolls each, sells 50 rolls and packs the rest by 2."
BAKERY_TEXT = """\
The trays hold 6 * 14 = 84 rolls.
After the sale 84 - 50 = 34 rolls are left.
They fill 34 / 2 = 17 bags."""


def traced(problem: str, text: str) -> MathTrace:
    """Parse a text as the trace of a problem."""
    return parse_trace(text, Problem(problem))


def bakery() -> MathTrace:
    return traced(BAKERY, BAKERY_TEXT)


def drafts(operator: str, trace: MathTrace, seeds: int = SEEDS) -> set[str]:
    """The texts that an operator proposes over several random seeds."""
    return {
        trace.separator.join(draft.steps)
        for seed in range(seeds)
        for draft in OPERATORS[operator](trace, Random(seed))
    }


def template(kind: str) -> Template:
    return next(one for one in load_templates("math") if one.id == kind)


KINDS = tuple(one.id for one in load_templates("math"))
