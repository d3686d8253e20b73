"""Properties that hold for any consistent word problem, on problems made up at random."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.perturb.word_problems import template
from tracelift_groups.groups import make_group
from tracelift_groups.perturb.math.checks import certify, check_sound, recheck
from tracelift_groups.perturb.math.engine import make_flaws, make_twins
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.records import Group, Seed

THINGS = "red blue green white black pink brown grey".split()
FRAMES = (
    "The {thing} boxes hold {left} {op} {right} = {value} {thing} pens.",
    "That makes {left} {op} {right} = {value} pens.",
    "With them there are {left}{op}{right}={value} pens.",
    "There are {value} {thing} pens because {left} {op} {right} = {value}.",
)


class Step(NamedTuple):
    """An equation to write: operands are values, with the index of the step they come from."""

    left: int
    op: str
    right: int
    value: int
    sources: tuple[int | None, int | None]
    frame: str


class Made(NamedTuple):
    """A problem and the graph of its solution."""

    problem: str
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        return "\n".join(
            step.frame.format(
                thing=THINGS[index % len(THINGS)],
                left=step.left,
                op=step.op,
                right=step.right,
                value=step.value,
            )
            for index, step in enumerate(self.steps)
        )

    @property
    def trace(self) -> MathTrace:
        return parse_trace(self.text, Problem(self.problem))


OPERATIONS = {
    "+": lambda a, b: Fraction(a + b),
    "-": lambda a, b: Fraction(a - b),
    "*": lambda a, b: Fraction(a * b),
    "/": Fraction,
}


@st.composite
def solutions(draw: st.DrawFn) -> Made:
    """Two to six steps; each but the first builds on an earlier result and on a given number.

    Every value stands for one thing only, so that there is one right way to read the trace.
    """
    taken: set[int] = set()
    steps: list[Step] = []
    givens: list[int] = []

    def fresh(low: int, high: int) -> int:
        value = draw(st.integers(low, high))
        assume(value not in taken)
        taken.add(value)
        givens.append(value)
        return value

    for index in range(draw(st.integers(2, 6))):
        source = None
        if index:
            source = draw(st.integers(max(0, index - 2), index - 1))
        left = steps[source].value if source is not None else fresh(13, 90)
        op = draw(st.sampled_from("+-*/"))
        if op == "/":
            divisors = [d for d in range(2, 10) if left % d == 0 and d not in taken]
            assume(divisors)
            right = draw(st.sampled_from(divisors))
            taken.add(right)
            givens.append(right)
        else:
            right = fresh(2, 9) if op == "*" else fresh(11, 99)
        result = OPERATIONS[op](left, right)
        assume(result.denominator == 1 and 10 < result < 100_000)
        value = int(result)
        assume(value not in taken)
        taken.add(value)
        steps.append(Step(left, op, right, value, (source, None), draw(st.sampled_from(FRAMES))))
    told = ", then ".join(f"{number} pens" for number in givens)
    return Made(f"A shop has {told}. How many pens are there in the end?", tuple(steps))


def few(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )


@few(100)
@given(solutions())
def test_parsing_gives_the_graph_back(made: Made) -> None:
    trace = made.trace
    assert len(trace.nodes) == len(made.steps)
    assert trace.answer == made.steps[-1].value
    assert not trace.false_equations
    for node, step in zip(trace.nodes, made.steps, strict=True):
        assert node.value == step.value
        operands = trace.operands(node)
        assert [m.number.value for m in operands] == [step.left, step.right]
        assert tuple(m.source.equation for m in operands) == step.sources
        assert [m.source.kind for m in operands] == [
            "problem" if source is None else "step" for source in step.sources
        ]
    for node in trace.nodes:
        users = {i for i, step in enumerate(made.steps) if node.index in step.sources}
        assert {user.index for user in trace.consumers(node)} == users


@few(60)
@given(solutions(), st.integers(0, 999))
def test_twins_say_the_same(made: Made, seed: int) -> None:
    reference = made.trace
    for twin in make_twins(reference, Random(seed)):
        check_sound(reference, twin.trace)
        assert twin.trace.answer == reference.answer
        assert twin.trace.text != reference.text


@few(60)
@given(solutions(), st.integers(0, 999))
def test_every_flaw_certifies_again_and_only_slips_are_false(made: Made, seed: int) -> None:
    rng = Random(seed)
    reference = made.trace
    sound = [reference, *(twin.trace for twin in make_twins(reference, rng))]
    flaws = make_flaws(sound, load_templates("math"), rng, 4)
    for flaw in flaws:
        parent = sound[flaw.parent]
        again = parse_trace(flaw.trace.steps, Problem(made.problem))
        operator = flaw.certificate.operator
        assert certify(template(flaw.kind), parent, again, operator) == flaw.certificate
        false = [node for node in again.nodes if not node.equation.holds]
        if flaw.kind == "arithmetic_error":
            (wrong,) = false
            assert wrong.step == flaw.certificate.step
            span = again.text[flaw.certificate.start : flaw.certificate.end]
            assert span.replace(",", "") == flaw.certificate.claimed
        else:
            assert not false
        if flaw.kind == "unsupported_leap":
            assert again.answer == parent.answer
        elif flaw.kind != "arithmetic_error":
            assert again.answer != parent.answer
    texts = ["".join(trace.text.split()) for trace in [*sound, *(f.trace for f in flaws)]]
    assert len(set(texts)) == len(texts)


@few(25)
@given(solutions(), st.integers(0, 99))
def test_a_group_rechecks_and_the_same_seed_gives_the_same_bytes(made: Made, run: int) -> None:
    seed = Seed(
        source="made",
        domain="math",
        problem=made.problem,
        answer=str(made.steps[-1].value),
        reasoning=made.text,
    )
    group = make_group(seed, run)
    assert isinstance(group, Group)
    assert recheck(group) == []
    again = make_group(seed, run)
    assert isinstance(again, Group)
    assert again.model_dump_json() == group.model_dump_json()


@pytest.mark.parametrize("op", sorted(OPERATIONS))
def test_the_generator_uses_every_operation(op: str) -> None:
    found: list[Made] = []

    @few(40)
    @given(solutions())
    def collect(made: Made) -> None:
        found.append(made)

    collect()
    assert any(step.op == op for made in found for step in made.steps)
    assert {len(made.steps) for made in found} >= {2, 3, 4}
