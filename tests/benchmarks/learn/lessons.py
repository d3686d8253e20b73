"""What planner and executor are taught from groups, in the prompts that GRPO will use."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.benchmarks.learn.lm import Lesson
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.prompting import executor_prompt, planner_prompt
from tracelift_groups.grpo.reasoning import CLOSE, OPEN
from tracelift_groups.records import Group, Trace

HERE = Path(__file__).parent
PLANNER, EXECUTOR = str(HERE / "planner.jinja"), str(HERE / "executor.jinja")


def planner_lessons(groups: Iterable[Group], flawed: float, seed: int) -> Iterator[Lesson]:
    """Traces of mixed quality, as if somebody had collected what a weak solver writes.

    Args:
        groups: With their traces.
        flawed: Share of flawed traces among those that are shown.
        seed: Of the choice.
    """
    for group in groups:
        choice = random.Random(f"{seed}:{group.group_id}")
        for trace in _mixed(group, flawed, choice):
            prompt = planner_prompt(Problem.of(group), PLANNER)
            yield Lesson(f"{prompt}\n", f"{OPEN}\n{trace.text}\n{CLOSE}")


def base_lessons(groups: Iterable[Group], seed: int) -> Iterator[Lesson]:
    """Problem, sound reasoning and answer in one text: what both models start from."""
    for group in groups:
        choice = random.Random(f"{seed}:{group.group_id}")
        twins = [trace for trace in group.traces if trace.role == "twin"]
        for trace in (group.reference, choice.choice(twins)):
            whole = executor_prompt(Problem.of(group), trace.text, EXECUTOR)
            prompt = planner_prompt(Problem.of(group), PLANNER)
            yield Lesson(f"{prompt}\n", f"{whole[len(prompt) + 1 :]}\n{group.answer}")


def executor_lessons(groups: Iterable[Group]) -> Iterator[Lesson]:
    """Every sound trace with the answer, and each problem alone as often."""
    for group in groups:
        problem = Problem.of(group)
        alone = executor_prompt(problem, None, EXECUTOR)
        for trace in group.traces:
            if trace.sound:
                prompt = executor_prompt(problem, trace.text, EXECUTOR)
                yield Lesson(f"{prompt}\n", group.answer or "")
        yield Lesson(f"{alone}\n", group.answer or "")


def _mixed(group: Group, flawed: float, choice: random.Random) -> list[Trace]:
    """All flawed traces, and sound ones in the share that is left; the reference every second."""
    bad = [trace for trace in group.traces if not trace.sound]
    twins = [trace for trace in group.traces if trace.role == "twin"] or [group.reference]
    count = round(len(bad) * (1 - flawed) / flawed)
    good = [group.reference if n % 2 == 0 else choice.choice(twins) for n in range(count)]
    return good + bad
