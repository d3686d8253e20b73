"""What the planner and the executor are given to read."""

from __future__ import annotations

from typing import Any

from tracelift_groups.grpo.problem import Problem
from tracelift_groups.prompts import render_prompt

PLANNER, EXECUTOR = "planner", "executor"


def planner_prompt(problem: Problem, template: str = PLANNER) -> str:
    """Ask for the reasoning.

    Args:
        problem: The problem; neither its answer nor its tests are shown.
        template: Name of a prompt in ``prompts/``, or the path of a ``.jinja`` file.
    """
    return render_prompt(template, problem=problem.text, domain=problem.domain)


def executor_prompt(problem: Problem, reasoning: str | None, template: str = EXECUTOR) -> str:
    """Ask for the answer or the program, from a reasoning or, for the baseline, from none."""
    return render_prompt(
        template,
        problem=problem.text,
        domain=problem.domain,
        reasoning=reasoning,
        entry_point=problem.entry_point,
    )


def as_model_input(tokenizer: Any, prompt: str, prefill: str = "") -> str:
    """Return the text that a local model continues.

    Args:
        tokenizer: With a chat template, the prompt becomes the user's turn; without, the text.
        prompt: What is asked.
        prefill: The first words of the reply, given to the model.
    """
    if getattr(tokenizer, "chat_template", None):
        turns = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return f"{text}{prefill}"
    return f"{prompt}\n{prefill}"
