from __future__ import annotations

import json

import pytest

from tests.grpo.tiny import PROBLEMS
from tracelift_groups.errors import UserError
from tracelift_groups.grpo.plugins.rows import (
    openrlhf_rows,
    planner_rows,
    problem_from,
    problem_json,
    text_of,
    verl_rows,
)
from tracelift_groups.grpo.problem import Problem

CODE = Problem("ocr-1", "code", "Print 1.", tests='[{"input": "", "output": "1"}]', tolerance=0.5)


@pytest.mark.parametrize("problem", [PROBLEMS[0], CODE])
def test_a_problem_goes_there_and_back(problem: Problem) -> None:
    assert problem_from(problem_json(problem)) == problem


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"problem_id": "x"}', "null"])
def test_something_else_is_said(text: str) -> None:
    with pytest.raises(UserError, match="no problem in the row"):
        problem_from(text)


def test_the_answer_is_in_no_prompt() -> None:
    secret = Problem("p", "math", "A riddle.", "777123")
    for rows in (planner_rows([secret]), verl_rows([secret]), openrlhf_rows([secret])):
        shown = rows[0].get("prompt") or rows[0]["input"]
        assert "777123" not in json.dumps(shown)
        assert "777123" in json.dumps(rows[0])


def test_base_models_get_a_text() -> None:
    (row,) = planner_rows([PROBLEMS[0]], chat=False)
    assert row["prompt"].endswith("\n")


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("abc", "abc"),
        ([{"role": "assistant", "content": "abc"}], "abc"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": "abc"}], "abc"),
        ([{"role": "assistant", "content": [{"type": "text", "text": "abc"}]}], "abc"),
        ([], ""),
    ],
)
def test_the_text_of_a_completion(completion: object, expected: str) -> None:
    assert text_of(completion) == expected
