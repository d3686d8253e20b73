"""The shipped templates: each example is certified as its own kind, and as no other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tracelift_groups.assets import asset
from tracelift_groups.perturb.code.checks import certify, check_sound
from tracelift_groups.perturb.code.drafts import drafts_of
from tracelift_groups.perturb.code.evidence import POSTCONDITIONS, Unconfirmed
from tracelift_groups.perturb.code.operators import OPERATOR_NAMES
from tracelift_groups.perturb.code.operators.vague import without_specifics
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.template import Template, dimensions_of, load_templates
from tracelift_groups.prompts import render_prompt
from tracelift_groups.records import Certificate
from tracelift_groups.reference.code import CodeReference
from tracelift_groups.verify.cases import read_tests

TEMPLATES = {one.id: one for one in load_templates("code")}
EXAMPLES: dict[str, dict[str, Any]] = {
    kind: yaml.safe_load(asset("perturbations", "code", f"{kind}.yaml").read_text())["example"]
    for kind in TEMPLATES
}
DIMENSIONS = (
    "task_understanding",
    "plan_quality",
    "step_coherence",
    "action_support",
    "non_leakage",
)


def reference(kind: str) -> CodeReference:
    example = EXAMPLES[kind]
    program, tests = Program(example["solution"]), read_tests(example["tests"])
    return CodeReference(CodeTrace(example["before"]), program, tests)


def program_of(kind: str) -> str | None:
    """The program that follows from an example's flawed text, as the drafts have it."""
    own = reference(kind)
    for draft in drafts_of(own.trace, own.program):
        if draft.kind == kind and draft.text == EXAMPLES[kind]["after"].strip():
            return draft.program
    return None


def certified(template: Template, kind: str, runs: Runs) -> Certificate:
    own = reference(kind)
    after = CodeTrace(EXAMPLES[kind]["after"])
    return certify(template, own, own.trace, after, program_of(kind), "", runs, f"example-{kind}")


def test_the_six_kinds_of_programs_are_shipped() -> None:
    assert sorted(TEMPLATES) == [
        "infeasible_complexity", "missing_edge_case", "off_by_one", "vague_pseudo_solution",
        "wrong_algorithm", "wrong_invariant",
    ]  # fmt: skip
    assert dimensions_of("code") == DIMENSIONS


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_names_what_the_engine_knows(kind: str) -> None:
    one = TEMPLATES[kind]
    assert one.domain == "code"
    assert {choice.name for choice in one.operators} <= OPERATOR_NAMES
    assert set(one.postconditions) <= set(POSTCONDITIONS)
    assert tuple(one.rubric.labels) == DIMENSIONS
    assert min(one.rubric.labels.values()) < 4


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_renders_as_a_prompt(kind: str) -> None:
    one = TEMPLATES[kind]
    assert one.example.solution is not None
    prompt = render_prompt(
        "perturb",
        template=one,
        problem=one.example.problem,
        trace=one.example.before,
        program=one.example.solution,
        wants_program="program_follows" in one.postconditions,
    )
    for part in (one.title, one.instruction, one.example.after, one.example.solution.strip()):
        assert part in prompt
    assert "{{" not in prompt
    assert ('"program":' in prompt) == (kind != "vague_pseudo_solution")


@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_example_passes_its_tests_and_is_sound(kind: str, runs: Runs) -> None:
    own = reference(kind)
    assert runs.whole(own.program, own.tests).verdict.value == "pass"
    check_sound(own, own.trace)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_example_is_certified_as_its_kind(kind: str, runs: Runs) -> None:
    made = certified(TEMPLATES[kind], kind, runs)
    after = EXAMPLES[kind]["after"]
    assert made.kind == kind
    assert after[made.start : made.end] == made.after
    assert made.before
    assert (made.method == "executed") is (made.input is not None)
    if kind != "vague_pseudo_solution":
        assert made.program is not None
        assert made.input
        assert made.got


@pytest.mark.parametrize("claimed", TEMPLATES)
@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_example_is_refused_as_another_kind(kind: str, claimed: str, runs: Runs) -> None:
    if claimed == kind:
        return
    with pytest.raises(Unconfirmed):
        certified(TEMPLATES[claimed], kind, runs)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_examples_flawed_text_is_no_twin(kind: str) -> None:
    with pytest.raises(Unconfirmed):
        check_sound(reference(kind), CodeTrace(EXAMPLES[kind]["after"]))


def test_the_vague_example_is_what_the_engine_writes() -> None:
    example = EXAMPLES["vague_pseudo_solution"]
    assert without_specifics(CodeTrace(example["before"])).text == example["after"].strip()
