"""What a group is built on: its verified reference, the rules that apply, and the model's desk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from tracelift_groups.llm.asking import Asks
from tracelift_groups.perturb.code.runs import Sandbox, sandbox_of
from tracelift_groups.perturb.llm.desk import Desk
from tracelift_groups.perturb.made import Flawed, Text
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.plan import Plan
from tracelift_groups.records import Seed
from tracelift_groups.reference import NoReference

MIN_FLAWED = 4
MIN_KINDS_CODE = 3
# A reference that rules cannot build on; a model can.
_BEYOND_RULES = frozenset({"no_equation", "bad_answer"})


class Rules(NamedTuple):
    """The rule engine for one problem.

    Attributes:
        twins: Gives sound rewordings of the reference.
        flaws: Gives certified flaws of the sound traces that it is given.
    """

    twins: Callable[[], Sequence[Text]]
    flaws: Callable[[Sequence[Any]], Sequence[Flawed]]


class Ground(NamedTuple):
    """What a group is built on.

    Attributes:
        reference: The verified trace.
        author: Who wrote it.
        rules: The rule engine; None where it is not wanted, or cannot read the reference.
        desk: What is made of a model's replies.
        program: For code: the verified program.
    """

    reference: Text
    author: str
    rules: Rules | None
    desk: Desk
    program: str | None = None


def ground_of(seed: Seed, plan: Plan, rng: Random, sandbox: Sandbox) -> Asks[Ground]:
    """Find or make the reference of a seed.

    Raises:
        NoReference: There is none; with the reason.
        Unavailable: The endpoint gave no answer.
    """
    if seed.domain == "math":
        return (yield from _math(seed, plan, rng))
    return (yield from _code(seed, plan, rng, sandbox))


def _math(seed: Seed, plan: Plan, rng: Random) -> Asks[Ground]:
    from tracelift_groups.perturb.llm.math import MathDesk
    from tracelift_groups.perturb.math.engine import make_flaws, make_twins
    from tracelift_groups.perturb.math.trace import MathTrace, Problem
    from tracelift_groups.reference.generate import Solved, generated
    from tracelift_groups.reference.math import confirm_answer, free_reference, gold_reference

    problem, answer = Problem(seed.problem), seed.answer
    if answer is None:
        raise NoReference("no_answer", "the seed has no gold answer")

    def read(reasoning: str) -> tuple[MathTrace, bool]:
        try:
            return gold_reference(problem, reasoning, answer), plan.engine != "llm"
        except NoReference as none:
            if plan.engine == "rule" or none.reason not in _BEYOND_RULES:
                raise
        return free_reference(problem, reasoning, answer), False

    def confirmed(solved: Solved) -> tuple[MathTrace, bool]:
        confirm_answer(answer, solved.answer)
        return read(solved.reasoning)

    if plan.reference == "generate":
        trace, by_rule = yield from generated(
            plan, Solved, confirmed, problem=seed.problem, domain="math"
        )
    elif seed.reasoning is None:
        raise NoReference("no_reasoning", "the seed has no gold reasoning")
    else:
        trace, by_rule = read(seed.reasoning)
    rules = Rules(
        lambda: [twin.trace for twin in make_twins(trace, rng)],
        lambda sound: make_flaws(sound, load_templates("math"), rng, MIN_FLAWED),
    )
    return Ground(trace, _author(seed, plan), rules if by_rule else None, MathDesk(problem, trace))


def _code(seed: Seed, plan: Plan, rng: Random, sandbox: Sandbox) -> Asks[Ground]:
    from tracelift_groups.perturb.code.engine import Engine
    from tracelift_groups.perturb.llm.code import CodeDesk
    from tracelift_groups.reference.code import CodeReference, gold_reference, usable_tests
    from tracelift_groups.reference.generate import Planned, generated
    from tracelift_groups.verify.extract import extract_program

    def read(reasoning: str | None, program: str | None) -> CodeReference:
        return gold_reference(seed.problem, reasoning, program, seed.tests, sandbox_of(sandbox))

    if plan.reference == "generate":
        reference = yield from generated(
            plan,
            Planned,
            lambda made: read(made.reasoning, extract_program(made.program) or made.program),
            problem=seed.problem,
            domain="code",
            entry_point=usable_tests(seed.problem, seed.tests).entry_point,
        )
    else:
        reference = read(seed.reasoning, seed.reference_solution)
    rules = None
    if plan.engine != "llm":
        templates, runs = load_templates("code"), sandbox_of(sandbox)
        engine = Engine(reference, templates, seed.seed_id, rng, runs)
        rules = Rules(engine.twins, lambda sound: engine.flaws(sound, MIN_FLAWED, MIN_KINDS_CODE))
    desk = CodeDesk(seed.problem, seed.seed_id, reference, sandbox)
    return Ground(reference.trace, _author(seed, plan), rules, desk, reference.program.source)


def _author(seed: Seed, plan: Plan) -> str:
    return plan.author if plan.reference == "generate" else seed.author
