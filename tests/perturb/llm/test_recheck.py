"""Certificates of what a model wrote, derived anew: tampering is found, a judge is believed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.perturb.llm.problems import (
    HIGHEST_PROGRAM,
    LOWEST_PLAN,
    LOWEST_PROGRAM,
    lowest_seed,
)
from tests.perturb.llm.test_code_desk import NO_GUARD, TWIN, VAGUE
from tests.replies import drive, tagged
from tests.test_groups import seed
from tracelift_groups.groups import group_stage
from tracelift_groups.llm.request import Request
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.perturb.checks import recheck
from tracelift_groups.perturb.code.runs import Runs, Sandbox
from tracelift_groups.plan import Plan
from tracelift_groups.records import Group, Trace

PLAN = Plan(engine="llm", model="writer")


@pytest.fixture(scope="module")
def math() -> Group:
    """Of word problems: what the scripted model wrote, of which a judge found some."""
    model = ScriptedModel(bad_share=0)
    tasks = dict.fromkeys(("twin", "perturb", "pair"), model.answer)
    made = drive(group_stage(seed(), PLAN, 0, Sandbox()), **tasks).value.result
    assert isinstance(made, Group)
    return made


SLIPS = {
    "wrong_algorithm": ("min(best, x)", "max(best, x)", 2, HIGHEST_PROGRAM),
    "off_by_one": ("xs[0]", "xs[1]", 1, LOWEST_PROGRAM.replace("xs[0]", "xs[1]")),
}


def flaw_of(kind: str, plan: str) -> tuple[str, str | None, int]:
    """A flawed plan, its program, and the step that a judge would name; of a plan or its twin."""
    if kind in SLIPS:
        before, after, step, program = SLIPS[kind]
        return plan.replace(before, after), program, step
    if kind == "missing_edge_case":
        return plan.split("\n", 1)[1], NO_GUARD, 0
    return (VAGUE, None, 0) if kind == "vague_pseudo_solution" else ("", "", 0)


KINDS = (*SLIPS, "missing_edge_case", "vague_pseudo_solution")
STEPS = {
    text: step
    for kind in KINDS
    for text, _, step in (flaw_of(kind, LOWEST_PLAN), flaw_of(kind, TWIN))
}


def write_flaw(request: Request) -> dict[str, str]:
    kind = re.search(r"<kind>(\w+)</kind>", request.prompt)
    assert kind is not None
    plan, program, _ = flaw_of(kind[1], tagged("reasoning", request.prompt))
    return {"reasoning": plan} if program is None else {"reasoning": plan, "program": program}


def compare(request: Request) -> dict[str, str]:
    for which in "ab":
        text = tagged(f"reasoning-{which}", request.prompt)
        if text in STEPS:
            return {"why": "", "flawed": which, "quote": text.split("\n")[STEPS[text]]}
    return {"why": "", "flawed": "neither", "quote": ""}


@pytest.fixture(scope="module")
def code(runs: Runs) -> Group:
    stage = group_stage(lowest_seed(), PLAN, 0, Sandbox())
    twins = [{"reasoning": TWIN}, *[{"reasoning": ""}] * 6]
    made = drive(stage, twin=twins, perturb=write_flaw, pair=compare).value
    assert isinstance(made.result, Group), made
    return made.result


def changed(group: Group, kind: str, **fields: Any) -> Group:
    """The group with other fields in the certificate of one kind, and in its trace."""
    traces = []
    for trace in group.traces:
        certificate = trace.certificate
        if certificate is None or trace.kind != kind:
            traces.append(trace)
            continue
        other = certificate.model_copy(update=fields)
        traces.append(trace.model_copy(update={"certificate": other}))
    return group.model_copy(update={"traces": tuple(traces)})


def with_text(group: Group, trace_id: str, before: str, after: str) -> Group:
    traces = []
    for trace in group.traces:
        if trace.trace_id != trace_id:
            traces.append(trace)
            continue
        assert before in trace.text
        steps = tuple(step.replace(before, after) for step in trace.steps)
        text = trace.text.replace(before, after)
        traces.append(trace.model_copy(update={"text": text, "steps": steps}))
    return group.model_copy(update={"traces": tuple(traces)})


def flawed(group: Group) -> list[Trace]:
    return [trace for trace in group.traces if trace.role == "flawed"]


def test_what_was_written_is_confirmed(math: Group) -> None:
    assert recheck(math) == []
    assert {trace.author for trace in math.traces if trace.role != "reference"} == {"writer"}
    methods = [trace.certificate.method for trace in flawed(math) if trace.certificate]
    assert "symbolic" in methods


@pytest.mark.parametrize(
    "fields",
    [{"severity": "minor"}, {"answer_after": "999"}, {"before": "x"}, {"step": 0, "claimed": "7"}],
)
def test_a_certificate_that_was_tampered_with_is_found(math: Group, fields: dict[str, Any]) -> None:
    for trace in flawed(math):
        certificate = trace.certificate
        assert certificate is not None and trace.kind is not None
        if all(getattr(certificate, name) == value for name, value in fields.items()):
            continue
        (told,) = recheck(changed(math, trace.kind, **fields))
        assert told.startswith(f"{trace.trace_id}: the texts give another certificate: ")
        assert any(name in told for name in fields)


def test_a_twin_that_was_tampered_with_is_found(math: Group) -> None:
    twin = next(trace for trace in math.traces if trace.role == "twin")
    told = recheck(with_text(math, twin.trace_id, "34", "35"))
    assert any(line.startswith(f"{twin.trace_id}: ") for line in told)


def test_a_written_text_that_is_its_parents_is_found(math: Group) -> None:
    one = flawed(math)[0]
    parent = next(trace for trace in math.traces if trace.trace_id == one.parent_id)
    same = one.model_copy(update={"text": parent.text, "steps": parent.steps})
    traces = tuple(same if trace is one else trace for trace in math.traces)
    (told,) = recheck(math.model_copy(update={"traces": traces}))
    assert told == f"{one.trace_id}: the text is its parent's"


@pytest.mark.parametrize("lost", ["certificate", "parent_id"])
def test_without_certificate_or_parent_nothing_is_confirmed(math: Group, lost: str) -> None:
    one = flawed(math)[0]
    bare = one.model_copy(update={lost: None})
    traces = tuple(bare if trace is one else trace for trace in math.traces)
    told = recheck(math.model_copy(update={"traces": traces}))
    assert any(one.trace_id in line for line in told)


def test_programs_are_run_again(code: Group) -> None:
    assert recheck(code) == []
    kinds = {trace.kind: trace for trace in flawed(code)}
    assert set(kinds) == set(KINDS)
    for kind in KINDS:
        certificate = kinds[kind].certificate
        assert certificate is not None
        assert certificate.judge == "writer"
        assert certificate.quote
        assert certificate.method == ("judged" if kind == "vague_pseudo_solution" else "executed")


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        ("wrong_algorithm", {"got": "2"}, "got"),
        ("wrong_algorithm", {"program": LOWEST_PROGRAM}, "the program is the verified one"),
        ("wrong_algorithm", {"program": "def lowest("}, "never closed"),
        ("missing_edge_case", {"program": HIGHEST_PROGRAM}, "no guard is gone"),
        ("vague_pseudo_solution", {"program": HIGHEST_PROGRAM}, "no one program"),
        ("wrong_algorithm", {"judge": None}, "no judge has found it"),
        ("vague_pseudo_solution", {"judge": None}, "no judge has found it"),
    ],
)
def test_of_programs_too(code: Group, kind: str, fields: dict[str, Any], named: str) -> None:
    (told,) = recheck(changed(code, kind, **fields))
    assert told.startswith(f"{code.group_id}/{kind}: ")
    assert named in told


def test_a_judges_own_words_are_not_compared(code: Group) -> None:
    for kind in KINDS:
        assert recheck(changed(code, kind, judge="another", quote="other words")) == []


def test_a_reference_that_does_not_pass_is_found(code: Group) -> None:
    broken = code.model_copy(update={"reference_solution": HIGHEST_PROGRAM})
    told = recheck(broken)
    assert any(line.startswith(f"{code.reference.trace_id}: ") for line in told)
