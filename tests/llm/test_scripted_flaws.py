"""The scripted model's flaws, held against the checks that flaws must pass, and its judgements."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.llm.scripted_server import told
from tests.llm.test_scripted import CODE, MATH, runs  # noqa: F401 - a fixture
from tracelift_groups.llm.scripted.spoiling import SPOILED
from tracelift_groups.perturb.code.checks import certify as certify_plan
from tracelift_groups.perturb.code.engine import Engine
from tracelift_groups.perturb.code.evidence import Unconfirmed as UnconfirmedPlan
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.math.checks import certify
from tracelift_groups.perturb.math.engine import make_twins
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.trace import MathTrace, Problem, parse_trace
from tracelift_groups.perturb.template import Template, dimensions_of, load_templates
from tracelift_groups.prompts import render_prompt
from tracelift_groups.records import Seed
from tracelift_groups.reference.code import CodeReference
from tracelift_groups.reference.code import gold_reference as code_reference
from tracelift_groups.reference.math import gold_reference
from tracelift_groups.verify.cases import read_tests

KINDS = {one.id: one for one in (*load_templates("math"), *load_templates("code"))}
MATH_KINDS = [one.id for one in load_templates("math")]
CODE_KINDS = [one.id for one in load_templates("code")]


def reference_of(seed: Seed) -> MathTrace:
    assert seed.reasoning is not None and seed.answer is not None
    return gold_reference(Problem(seed.problem), seed.reasoning, seed.answer)


def flawed(
    kind: str, problem: str, trace: str, program: str | None = None, bad_share: float = 0.0, **ask
) -> dict[str, str]:
    wants = program is not None and "program_fails" in KINDS[kind].postconditions
    prompt = render_prompt(
        "perturb",
        template=KINDS[kind],
        problem=problem,
        trace=trace,
        program=program,
        wants_program=wants or kind == "infeasible_complexity",
    )
    return told(prompt, bad_share=bad_share, **ask)


def certified(template: Template, parent: MathTrace, text: str) -> bool:
    try:
        certify(template, parent, parse_trace(text, parent.problem), "scripted")
    except Unconfirmed:
        return False
    return True


def certified_plan(
    template: Template,
    reference: CodeReference,
    reply: dict[str, str],
    runs: Runs,  # noqa: F811
) -> bool:
    trace = CodeTrace(reply["reasoning"])
    program = reply.get("program")
    try:
        certify_plan(
            template, reference, reference.trace, trace, program, "scripted", runs, "scripted"
        )
    except UnconfirmedPlan:
        return False
    return True


# --- flaws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MATH_KINDS)
def test_flaws_of_word_problems_certify(kind):
    references = [reference_of(seed) for seed in MATH[:20]]
    made = [
        certified(KINDS[kind], one, flawed(kind, one.problem.text, one.text)["reasoning"])
        for one in references
    ]
    assert sum(made) >= 14


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("missing_edge_case", 2),
        ("off_by_one", 8),
        ("vague_pseudo_solution", 6),
        ("wrong_algorithm", 8),
        ("wrong_invariant", 3),
    ],
)
def test_flaws_of_plans_certify(kind, least, runs):  # noqa: F811
    made = 0
    for seed in CODE[:12]:
        reference = code_reference(
            seed.problem, seed.reasoning, seed.reference_solution, seed.tests, runs
        )
        reply = flawed(kind, seed.problem, reference.trace.text, reference.program.source)
        made += certified_plan(KINDS[kind], reference, reply, runs)
    assert made >= least


@pytest.mark.parametrize("kind", CODE_KINDS)
def test_flaws_of_the_examples_certify(kind, runs):  # noqa: F811
    example = KINDS[kind].example
    assert example.solution is not None and example.tests is not None
    tests = read_tests(example.tests)
    reference = CodeReference(CodeTrace(example.before), Program(example.solution), tests)
    replies = [
        flawed(kind, example.problem, example.before, example.solution, sample=sample)
        for sample in range(4)
    ]
    assert any(certified_plan(KINDS[kind], reference, reply, runs) for reply in replies)


def test_a_program_comes_where_it_is_wanted():
    seed = CODE[0]
    for kind in CODE_KINDS:
        reply = flawed(kind, seed.problem, seed.reasoning or "", seed.reference_solution)
        assert ("program" in reply) == (kind != "vague_pseudo_solution")


def test_without_an_idea_the_text_is_repeated():
    text = "He has some left."
    assert flawed("arithmetic_error", "How many?", text) == {"reasoning": text}
    reply = flawed("off_by_one", "How many?", text, "not a program (")
    assert reply == {"reasoning": text, "program": "not a program ("}


def test_a_share_of_the_flaws_is_useless_in_every_way():
    met: Counter[str] = Counter()
    total = 0
    for seed in MATH[:40]:
        parent = reference_of(seed)
        for sample in range(8):
            good = flawed("wrong_operation", seed.problem, parent.text, sample=sample)["reasoning"]
            text = flawed(
                "wrong_operation", seed.problem, parent.text, sample=sample, bad_share=0.15
            )["reasoning"]
            total += 1
            for name, spoil in SPOILED.items():
                if text != good and text == spoil(parent.text, good):
                    met[name] += 1
    assert set(met) == set(SPOILED)
    assert 0.11 < met.total() / total < 0.19


@pytest.mark.parametrize("name", ["unchanged", "gives_away", "not_local"])
def test_what_is_useless_does_not_certify(name):
    for seed in MATH[:10]:
        parent = reference_of(seed)
        for kind in MATH_KINDS:
            text = flawed(kind, seed.problem, parent.text)["reasoning"]
            if text.count("\n"):  # one line may be another: that is as local as it gets
                assert not certified(KINDS[kind], parent, SPOILED[name](parent.text, text))


# --- pairs ---------------------------------------------------------------------------------------


def judged(problem: str, first: str, second: str, **ask) -> dict[str, str]:
    return told(render_prompt("pair", problem=problem, first=first, second=second), **ask)


def test_the_flawed_one_of_a_pair_is_found_whichever_comes_first():
    right = total = 0
    for seed in MATH[:20]:
        parent = reference_of(seed)
        for kind in MATH_KINDS:
            text = flawed(kind, seed.problem, parent.text)["reasoning"]
            if not certified(KINDS[kind], parent, text):
                continue
            one, two = (
                judged(seed.problem, *pair) for pair in ((text, parent.text), (parent.text, text))
            )
            assert {one["flawed"], two["flawed"]} in ({"a", "b"}, {"neither"})
            assert one["quote"] == two["quote"]
            assert one["quote"] in text + parent.text
            total += 1
            right += one["flawed"] == "a"
    assert right / total > 0.9


def test_of_an_unknown_problem_the_arithmetic_tells():
    problem = "A baker fills 6 trays with 14 rolls each and sells 50 rolls. How many are left?"
    sound = "The trays hold 6 * 14 = 84 rolls.\nThen 84 - 50 = 34 rolls are left."
    false = "The trays hold 6 * 14 = 74 rolls.\nThen 74 - 50 = 24 rolls are left."
    reply = judged(problem, sound, false)
    assert (reply["flawed"], reply["quote"]) == ("b", "The trays hold 6 * 14 = 74 rolls.")
    out_of_nowhere = "The trays hold 6 * 14 = 84 rolls.\nThen 84 - 30 = 54 rolls are left."
    assert judged(problem, out_of_nowhere, sound)["flawed"] == "a"
    less = "The trays hold 6 * 14 = 84 rolls."
    assert judged(problem, less, sound)["flawed"] == "a"


def test_of_twins_neither_is_flawed():
    said: Counter[str] = Counter()
    for number, seed in enumerate(MATH[:30]):
        parent = reference_of(seed)
        for twin in make_twins(parent, Random(number)):
            said[judged(seed.problem, parent.text, twin.trace.text)["flawed"]] += 1
    assert said["neither"] / said.total() > 0.9


def test_pairs_of_plans(runs):  # noqa: F811
    said: Counter[str] = Counter()
    for number, seed in enumerate(CODE[:8]):
        reference = code_reference(
            seed.problem, seed.reasoning, seed.reference_solution, seed.tests, runs
        )
        plan = reference.trace.text
        for twin in Engine(reference, [], "x", Random(number), runs).twins():
            said["twin", judged(seed.problem, plan, twin.text)["flawed"]] += 1
        text = flawed("off_by_one", seed.problem, plan, reference.program.source)["reasoning"]
        said["flaw", judged(seed.problem, plan, text)["flawed"]] += 1
        unknown = (
            judged("Another problem.", plan, text)["flawed"],
            judged("Another problem.", text, plan)["flawed"],
        )
        assert unknown in (("a", "b"), ("b", "a"), ("neither", "neither"))
    assert said["twin", "neither"] >= 20
    assert said["flaw", "b"] >= 6


def test_some_pairs_are_judged_wrongly_on_purpose():
    seed = MATH[0]
    parent = reference_of(seed)
    text = flawed("arithmetic_error", seed.problem, parent.text)["reasoning"]
    said = Counter(
        judged(seed.problem, text, parent.text, sample=sample, bad_share=0.3)["flawed"]
        for sample in range(400)
    )
    assert set(said) == {"a", "b"}
    assert 20 < said["b"] < 60  # a third of 0.3


# --- rubric --------------------------------------------------------------------------------------


def scored(domain: str, problem: str, trace: str, **ask) -> dict[str, int]:
    names = dimensions_of("math" if domain == "math" else "code")
    prompt = render_prompt(
        "judge",
        domain=domain,
        problem=problem,
        trace=trace,
        dimensions=dict.fromkeys(names, "what it means"),
    )
    reply = told(prompt, **ask)
    assert list(reply) == list(names)
    assert all(one["reason"] and 0 <= one["score"] <= 10 for one in reply.values())
    return {name: one["score"] for name, one in reply.items()}


def test_a_false_equation_costs_points_where_it_belongs():
    seed = MATH[0]
    parent = reference_of(seed)
    sound = scored("math", seed.problem, parent.text)
    assert min(sound.values()) >= 9
    text = flawed("arithmetic_error", seed.problem, parent.text)["reasoning"]
    scores = scored("math", seed.problem, text)
    assert scores["calculation_correctness"] <= 4
    assert all(scores[name] < sound[name] for name in sound)
    several = {tuple(scored("math", seed.problem, text, sample=n).values()) for n in range(6)}
    assert len(several) > 1


def test_another_value_costs_points_though_the_arithmetic_is_true():
    seed = MATH[0]
    text = flawed("wrong_operation", seed.problem, reference_of(seed).text)["reasoning"]
    assert min(scored("math", seed.problem, text).values()) <= 4


def test_plans_are_scored_by_what_their_program_bears_out():
    seed = CODE[0]
    assert min(scored("code", seed.problem, seed.reasoning or "").values()) >= 9
    text = flawed("off_by_one", seed.problem, seed.reasoning or "", seed.reference_solution)
    assert min(scored("code", seed.problem, text["reasoning"]).values()) <= 4
    text = flawed(
        "vague_pseudo_solution", seed.problem, seed.reasoning or "", seed.reference_solution
    )
    assert scored("code", seed.problem, text["reasoning"])["plan_quality"] <= 4


@pytest.mark.parametrize("kind", MATH_KINDS)
def test_a_text_whose_sums_cannot_be_read_is_repeated(kind):
    text = "Let the income be p.\nThe rent was 40% of p, which is (40/100)*p = 2p/5."
    assert flawed(kind, "What was the income?", text) == {"reasoning": text}
