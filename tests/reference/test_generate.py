"""References that a model writes: the first that is confirmed, or none with what was amiss."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from tests.replies import TRUNCATED, Ended, drive
from tests.test_groups import PROBLEM, REASONING, seed
from tracelift_groups.ground import Ground, ground_of
from tracelift_groups.groups import group_stage
from tracelift_groups.llm.request import Failed
from tracelift_groups.perturb.code.runs import Runs, Sandbox
from tracelift_groups.plan import EngineName, Plan
from tracelift_groups.records import Group, Rejected, Seed
from tracelift_groups.reference import NoReference
from tracelift_groups.reference.math import confirm_answer, free_reference
from tracelift_groups.seeds import SeedSource

TEXT = "The trays hold 6 * 14 = 84 rolls.\nAfter the sale 84 - 50 = 34 rolls are left."
GOOD = {"reasoning": TEXT, "answer": "34"}
WRONG = {"reasoning": TEXT, "answer": "84"}
NO_ANSWER = {"reasoning": TEXT, "answer": ""}
FALSE = {"reasoning": TEXT.replace("= 84 ", "= 74 "), "answer": "34"}
ELSEWHERE = {"reasoning": TEXT.replace("84 - 50 = 34", "84 + 50 = 134"), "answer": "34"}
PROSE = {"reasoning": "Multiply, then take away what was sold.", "answer": "34"}


def plan(engine: EngineName = "rule", **fields: Any) -> Plan:
    return Plan(engine=engine, reference="generate", model="writer", samples=3, **fields)


def grounded(one: Seed, how: Plan, *replies: Any) -> Ended[Ground]:
    return drive(ground_of(one, how, Random(0), Sandbox()), reference=list(replies))


def amiss(one: Seed, how: Plan, *replies: Any) -> str:
    with pytest.raises(NoReference) as none:
        grounded(one, how, *replies)
    assert none.value.reason == "no_confirmed_reference"
    return none.value.detail


def test_the_first_confirmed_sample_is_kept_and_no_more_are_asked_for() -> None:
    ended = grounded(seed(), plan(), WRONG, GOOD)
    assert ended.value.reference.text == TEXT
    assert ended.value.author == "writer"
    assert ended.value.rules is not None
    first, second = ended.asked
    assert first.prompt == second.prompt
    assert first.key != second.key
    assert (first.model, first.temperature, first.max_tokens) == ("writer", 0.7, 4096)
    assert PROBLEM in first.prompt
    assert REASONING not in first.prompt
    assert '"answer"' in first.prompt


def test_what_was_amiss_is_counted() -> None:
    assert amiss(seed(), plan(), WRONG, FALSE, WRONG) == (
        "3 samples: 1 false_equation, 2 wrong_answer"
    )
    told = amiss(seed(), plan(), NO_ANSWER, ELSEWHERE, *[TRUNCATED] * 3)
    assert told == "3 samples: 1 answer_mismatch, 1 no_answer, 1 truncated"


def test_an_endless_reasoning_is_not_even_parsed() -> None:
    endless = {**GOOD, "reasoning": GOOD["reasoning"] + " Think again." * 2000}
    assert amiss(seed(), plan(), endless, endless, endless) == "3 samples: 3 too_long"


def test_prose_without_sums_serves_a_model_and_no_rules() -> None:
    assert amiss(seed(), plan(), PROSE, PROSE, PROSE) == "3 samples: 3 no_equation"
    for engine in ("llm", "auto"):
        ground = grounded(seed(), plan(engine), PROSE).value
        assert ground.reference.text == PROSE["reasoning"]
        assert ground.rules is None
    assert grounded(seed(), plan("auto"), GOOD).value.rules is not None
    assert grounded(seed(), plan("llm"), GOOD).value.rules is None


def test_only_the_reasoning_is_kept() -> None:
    talkative = f"{TEXT}\n#### 34\nThe final answer is 34."
    ground = grounded(seed(), plan(), {**GOOD, "reasoning": talkative}).value
    assert ground.reference.text == TEXT
    assert grounded(seed(), plan("llm"), {**PROSE, "reasoning": f"{PROSE['reasoning']} \n#### 34"})


def test_an_answer_line_must_agree_with_the_answer_even_in_prose() -> None:
    contrary = {**PROSE, "reasoning": f"{PROSE['reasoning']}\nThe answer is 35."}
    assert "answer_mismatch" in amiss(seed(), plan("llm"), contrary, contrary, contrary)


def test_a_seed_without_reasoning_becomes_a_group() -> None:
    bare = seed(reasoning=None)
    made = drive(group_stage(bare, plan(), 0, Sandbox()), reference=GOOD).value.result
    assert isinstance(made, Group)
    assert [trace.author for trace in made.traces[:2]] == ["writer", "rule"]
    gold = drive(group_stage(bare, Plan(), 0, Sandbox())).value.result
    assert isinstance(gold, Rejected)
    assert gold.reason == "no_reasoning"


def test_none_confirmed_is_a_rejection_and_an_endpoint_that_is_down_another() -> None:
    for reply, reason in ((WRONG, "no_confirmed_reference"), (Failed("unavailable", "down"), None)):
        made = drive(group_stage(seed(), plan(), 0, Sandbox()), reference=reply).value.result
        assert isinstance(made, Rejected)
        assert made.reason == (reason or "model_unavailable")


@pytest.mark.parametrize(
    ("gold", "answer", "reason"),
    [
        ("34", "34", None),
        ("3/4", "0.75", None),
        ("1,200", "1200", None),
        ("\\frac{1}{2}", "\\frac{2}{4}", None),
        ("34", "43", "wrong_answer"),
        ("34", "", "no_answer"),
    ],
)
def test_answers_are_compared_by_value(gold: str, answer: str, reason: str | None) -> None:
    if reason is None:
        confirm_answer(gold, answer)
        return
    with pytest.raises(NoReference) as none:
        confirm_answer(gold, answer)
    assert none.value.reason == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Take the sale away.", None),
        ("The sale leaves 84 - 50 = 34.", None),
        ("Take the sale away. So it is \\boxed{34}.", None),
        ("Take the sale away. So it is \\boxed{35}.", "answer_mismatch"),
        ("The sale leaves 84 - 50 = 35.", "false_equation"),
        ("#### 34", "empty_reasoning"),
    ],
)
def test_what_can_be_read_of_a_free_reasoning_must_hold(text: str, reason: str | None) -> None:
    from tracelift_groups.perturb.math.trace import Problem

    if reason is None:
        trace = free_reference(Problem(PROBLEM), text, "34")
        assert "".join(trace.steps).split()
        return
    with pytest.raises(NoReference) as none:
        free_reference(Problem(PROBLEM), text, "34")
    assert none.value.reason == reason


LOWEST = {
    "problem": "Return the lowest number of a list, or 0 for an empty one.",
    "tests": json.dumps({
        "test_code": "assert lowest([3, 1]) == 1\nassert lowest([]) == 0",
        "entry_point": "lowest",
    }),
}  # fmt: skip
PROGRAM = """\
def lowest(xs):
    best = None
    for x in xs:
        if best is None or x < best:
            best = x
    return 0 if best is None else best
"""
IDEA = (
    "We keep the lowest number met so far in `best`, which is `None` at first. Each number is "
    "compared with it, and a lower one takes its place. In the end we return `best`, or 0 where "
    "the list was empty."
)


def code_seed(**fields: Any) -> Seed:
    return seed(domain="code", answer=None, reasoning=None, **{**LOWEST, **fields})


def test_a_plan_is_kept_whose_program_passes_the_tests(runs: Runs) -> None:
    wrong = {"reasoning": IDEA, "program": PROGRAM.replace("return 0 if", "return 1 if")}
    fenced = {
        "reasoning": f"{IDEA}\n\nHere is the program:\n```python\npass\n```",
        "program": f"```python\n{PROGRAM}```",
    }
    ended = grounded(code_seed(), plan(), wrong, fenced)
    assert ended.value.reference.text == IDEA
    assert ended.value.program is not None
    assert ended.value.program.strip() == PROGRAM.strip()
    assert ended.value.author == "writer"
    assert "`lowest`" in ended.asked[0].prompt
    assert '"program"' in ended.asked[0].prompt


def test_programs_that_fail_are_counted(runs: Runs) -> None:
    told = amiss(
        code_seed(),
        plan("llm"),
        {"reasoning": IDEA, "program": "def lowest(xs):\n    return 1"},
        {"reasoning": IDEA, "program": "def lowest(xs:"},
        {"reasoning": "Take the lowest.", "program": PROGRAM},
    )
    assert told == "3 samples: 1 program_does_not_parse, 1 reference_wrong_answer, 1 thin_reasoning"


def test_without_tests_nothing_is_asked(runs: Runs) -> None:
    with pytest.raises(NoReference) as none:
        grounded(code_seed(tests=None), plan())
    assert none.value.reason == "no_tests"


@pytest.mark.parametrize(
    ("row", "domain"),
    [
        ({"problem": PROBLEM, "answer": "34"}, "math"),
        ({"problem": LOWEST["problem"], "tests": json.loads(LOWEST["tests"])}, "code"),
    ],
)
def test_rows_without_reasoning_are_seeds_where_a_model_writes_it(
    row: dict[str, Any], domain: str, tmp_path: Any
) -> None:
    file = tmp_path / "seeds.jsonl"
    file.write_text(json.dumps(row) + "\n")
    (bare,) = SeedSource("jsonl", file=file, bare=True)
    assert isinstance(bare, Seed)
    assert (bare.domain, bare.reasoning, bare.reference_solution) == (domain, None, None)
    (gold,) = SeedSource("jsonl", file=file)
    assert isinstance(gold, Rejected)
