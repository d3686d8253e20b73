"""Problems as rows of other trainers' datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.prompting import PLANNER, planner_prompt

COLUMN = "tlg_problem"


def problem_json(problem: Problem) -> str:
    """Write a problem, with what verifies it, as one text."""
    return json.dumps(
        {
            "problem_id": problem.problem_id,
            "domain": problem.domain,
            "text": problem.text,
            "answer": problem.answer,
            "tests": problem.tests,
            "tolerance": problem.tolerance,
        },
        ensure_ascii=False,
    )


def problem_from(text: str) -> Problem:
    """Read what :func:`problem_json` wrote.

    Raises:
        UserError: It is something else.
    """
    try:
        return Problem(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"no problem in the row ({error})",
            where=COLUMN,
            way_out="make the dataset with tracelift_groups.grpo.plugins.rows",
        ) from error


def planner_rows(
    problems: Iterable[Problem], template: str = PLANNER, *, chat: bool = True
) -> list[dict[str, Any]]:
    """Rows with ``prompt`` (messages; a text for base models), ``problem_id`` and the problem."""
    rows = []
    for problem in problems:
        prompt = planner_prompt(problem, template)
        rows.append(
            {
                "prompt": [{"role": "user", "content": prompt}] if chat else f"{prompt}\n",
                "problem_id": problem.problem_id,
                COLUMN: problem_json(problem),
            }
        )
    return rows


def verl_rows(problems: Iterable[Problem], template: str = PLANNER) -> list[dict[str, Any]]:
    """Rows of verl's Parquet files; ``reward_model.ground_truth`` holds the problem."""
    return [
        {
            "data_source": f"tracelift_groups/{row['problem_id'].partition('-')[0]}",
            "prompt": row["prompt"],
            "reward_model": {"style": "rule", "ground_truth": row[COLUMN]},
            "extra_info": {"problem_id": row["problem_id"]},
        }
        for row in planner_rows(problems, template)
    ]


def openrlhf_rows(problems: Iterable[Problem], template: str = PLANNER) -> list[dict[str, Any]]:
    """Rows for OpenRLHF: ``input`` (messages) and ``label``."""
    return [
        {"input": row["prompt"], "label": row[COLUMN]} for row in planner_rows(problems, template)
    ]


def text_of(completion: Any) -> str:
    """The text of a completion: itself, or the last message of a list of them."""
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"] if completion else ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if isinstance(part, dict))
