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


def model_input(tokenizer: Any, prompt: str, prefill: str = "") -> list[int]:
    """Return the tokens that a local model continues.

    Args:
        tokenizer: With a chat template, the prompt becomes the user's turn; without, the text.
        prompt: What is asked.
        prefill: The first words of the reply, given to the model.
    """
    if getattr(tokenizer, "chat_template", None):
        turns = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        # The template writes the special tokens itself.
        ids: list[int] = tokenizer(f"{text}{prefill}", add_special_tokens=False)["input_ids"]
        return ids
    return continuation(tokenizer, f"{prompt}\n{prefill}")


def continuation(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text that is continued as it stands."""
    ids: list[int] = tokenizer(text)["input_ids"]
    end = tokenizer.eos_token_id
    return ids[:-1] if len(ids) > 1 and ids[-1] == end else ids  # some end every text
