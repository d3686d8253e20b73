"""Every operator of every template: what it proposes, and where it proposes nothing."""

from __future__ import annotations

from random import Random

import pytest

from tests.perturb.math.operator_cases import FLAWS, IDLE
from tests.perturb.word_problems import KINDS, SEEDS, bakery, drafts, template, traced
from tracelift_groups.perturb.math.checks import certify
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.operators import OPERATORS
from tracelift_groups.perturb.math.trace import Problem, parse_trace
from tracelift_groups.perturb.template import load_templates

NAMED = {choice.name: one.id for one in load_templates("math") for choice in one.operators}

# What else is true of the flaw: a rate turned around is another operation, and whoever takes a
# rate for a total, or leaves the last operation out, overlooks a quantity.
ALSO = {
    "wrong_direction": {"wrong_operation"},
    "rate_as_total": {"missing_condition"},
    "total_as_rate": {"missing_condition"},
    "cut_expression": {"missing_condition"},
}


def test_every_operator_that_a_template_names_exists_and_has_its_cases() -> None:
    assert set(NAMED) == set(OPERATORS)
    assert set(FLAWS) == set(NAMED)
    assert set(IDLE) == set(NAMED)


@pytest.mark.parametrize("operator", sorted(FLAWS))
def test_an_operator_proposes_the_flaw(operator: str) -> None:
    case = FLAWS[operator]
    assert case.after in drafts(operator, traced(case.problem, case.before))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operator", sorted(FLAWS))
def test_the_flaw_certifies_as_the_kind_whose_template_names_the_operator(
    operator: str, kind: str
) -> None:
    case = FLAWS[operator]
    parent, flawed = traced(case.problem, case.before), traced(case.problem, case.after)
    if kind == NAMED[operator] or kind in ALSO.get(operator, ()):
        certificate = certify(template(kind), parent, flawed, operator)
        assert (certificate.kind, certificate.operator) == (kind, operator)
    else:
        with pytest.raises(Unconfirmed):
            certify(template(kind), parent, flawed, operator)


@pytest.mark.parametrize("operator", sorted(IDLE))
def test_an_operator_proposes_nothing_where_there_is_nothing_to_do(operator: str) -> None:
    case = IDLE[operator]
    assert drafts(operator, traced(case.problem, case.text)) == set()


@pytest.mark.parametrize("operator", sorted(FLAWS))
def test_drafts_carry_the_operators_name_and_depend_on_the_generator_alone(operator: str) -> None:
    case = FLAWS[operator]
    trace = traced(case.problem, case.before)
    for seed in range(SEEDS):
        one = list(OPERATORS[operator](trace, Random(seed)))
        assert one == list(OPERATORS[operator](trace, Random(seed)))
        assert {draft.operator for draft in one} == {operator}


@pytest.mark.parametrize("operator", sorted(set(FLAWS) - {"drop_derivation", "stop_early"}))
def test_steps_with_unknowns_are_left_alone(operator: str) -> None:
    case = FLAWS[operator]
    steps = [f"{step} Let x be so." for step in case.before.split("\n")]
    trace = parse_trace(steps, Problem(case.problem))
    assert trace.opaque == frozenset(range(len(steps)))
    assert drafts(operator, trace) == set()


def test_a_parent_is_never_proposed_as_its_own_flaw() -> None:
    for operator in OPERATORS:
        assert bakery().text not in drafts(operator, bakery())
