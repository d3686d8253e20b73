"""A programming problem for the tests of the model's desk, and what may be said of it."""

from __future__ import annotations

from tests.test_groups import seed
from tracelift_groups.perturb.code.runs import Runs, Sandbox
from tracelift_groups.perturb.llm.code import CodeDesk
from tracelift_groups.perturb.template import Template, load_templates
from tracelift_groups.records import Seed
from tracelift_groups.reference.code import CodeReference, gold_reference

LOWEST = "Return the lowest number of a list, or 0 for an empty one."
LOWEST_TESTS = (
    '{"test_code": "assert lowest([3, 1, 2]) == 1\\nassert lowest([]) == 0\\n'
    'assert lowest([5]) == 5\\nassert lowest([1, 2]) == 1", "entry_point": "lowest"}'
)
LOWEST_PROGRAM = """\
def lowest(xs):
    if not xs:
        return 0
    best = xs[0]
    for x in xs:
        best = min(best, x)
    return best
"""
LOWEST_PLAN = """\
If `xs` is empty there is nothing to look at, and the function returns 0 at once.
Otherwise `best` starts as `xs[0]`, which is the first number of the list.
The loop takes every `x` of `xs` in turn, and `best` becomes `min(best, x)`.
When the loop has ended, the function returns `best`."""
HIGHEST_PLAN = LOWEST_PLAN.replace("min(best, x)", "max(best, x)")
HIGHEST_PROGRAM = LOWEST_PROGRAM.replace("min(", "max(")


def code_template(kind: str) -> Template:
    return next(one for one in load_templates("code") if one.id == kind)


def lowest_reference(runs: Runs) -> CodeReference:
    return gold_reference(LOWEST, LOWEST_PLAN, LOWEST_PROGRAM, LOWEST_TESTS, runs)


def lowest_desk(runs: Runs) -> CodeDesk:
    return CodeDesk(LOWEST, "lowest", lowest_reference(runs), Sandbox())


def lowest_seed() -> Seed:
    return seed(
        domain="code", problem=LOWEST, answer=None, reasoning=LOWEST_PLAN,
        reference_solution=LOWEST_PROGRAM, tests=LOWEST_TESTS,
    )  # fmt: skip
