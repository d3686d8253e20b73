"""The fixed planner-executor protocol on benchmarks: what the planner's reasoning changes.

A planner writes a reasoning for each problem; the executor answers from problem and reasoning, and
from the problem alone; a verifier judges both. A planner that writes no reasoning that can be used
has not helped: the executor counts as having failed with it. A call that came to nothing leaves
the problem out of both sides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tracelift_groups.grpo.benchmarks import Benchmark
from tracelift_groups.grpo.executor import Executor
from tracelift_groups.grpo.formulas import share
from tracelift_groups.grpo.models import Model
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.prompting import PLANNER, planner_prompt
from tracelift_groups.grpo.reasoning import OPEN, Format, Reasoning, extract
from tracelift_groups.llm.request import Failed, Request
from tracelift_groups.rm.metrics import Estimate, Wins, ratio

OnDone = Callable[[int, int], None]


@dataclass(frozen=True)
class Protocol:
    """How the planner is asked; how the executor is, is in its own settings.

    Attributes:
        temperature: Of the planner; 0 takes the most likely reasoning.
        max_tokens_math: Most tokens of a reasoning about a word problem.
        max_tokens_code: Most tokens of a plan for a program.
        prompt: A prompt of ``prompts/``, or the path of a ``.jinja`` file.
        prefill: Whether the planner goes on from the opening tag, as a base model does.
        repeats: Executor runs on each side.
    """

    temperature: float = 0.0
    max_tokens_math: int = 512
    max_tokens_code: int = 1024
    prompt: str = PLANNER
    prefill: bool = False
    repeats: int = 1


class Outcome(NamedTuple):
    """What became of one problem.

    Attributes:
        problem: The problem.
        reasoning: What the planner wrote; None where its call came to nothing.
        with_it: Share of the executor's runs with the reasoning that solve it; None if not known.
        without: The same without it.
        missing: Why something is not known.
    """

    problem: Problem
    reasoning: Reasoning | None
    with_it: float | None
    without: float | None
    missing: str = ""

    @property
    def valid(self) -> bool:
        """Whether both sides are known."""
        return self.with_it is not None and self.without is not None


async def run_benchmark(
    benchmark: Benchmark,
    planner: Model,
    executor: Executor,
    protocol: Protocol,
    *,
    width: int = 32,
    on_done: OnDone = lambda done, total: None,
) -> list[Outcome]:
    """Put every problem through planner and executor, many at a time.

    Returns:
        The outcomes, in the order of the problems.

    Raises:
        UserError: There is something to mend, or an endpoint is down; what was answered is kept.
    """
    found: dict[int, Outcome] = {}
    waiting = iter(enumerate(benchmark.problems))

    async def work() -> None:
        for number, problem in waiting:
            found[number] = await _outcome(problem, planner, executor, protocol)
            on_done(len(found), len(benchmark.problems))

    workers = [asyncio.create_task(work()) for _ in range(width)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
    return [found[number] for number in range(len(benchmark.problems))]


async def _outcome(
    problem: Problem, planner: Model, executor: Executor, protocol: Protocol
) -> Outcome:
    reasoning, baseline = await asyncio.gather(
        _reasoning(problem, planner, protocol), executor.run(problem, None, protocol.repeats)
    )
    without = None if baseline.passed is None else share(baseline.passed)
    if isinstance(reasoning, str):
        return Outcome(problem, None, None, without, reasoning)
    if not reasoning.usable:
        return Outcome(problem, reasoning, 0.0, without, baseline.missing)
    runs = await executor.run(problem, reasoning.text, protocol.repeats)
    with_it = None if runs.passed is None else share(runs.passed)
    return Outcome(problem, reasoning, with_it, without, runs.missing or baseline.missing)


async def _reasoning(problem: Problem, planner: Model, protocol: Protocol) -> Reasoning | str:
    """What the planner wrote, or why that is not known."""
    prompt = planner_prompt(problem, protocol.prompt)
    math = problem.domain == "math"
    request = Request(
        task="plan",
        model=planner.name,
        prompt=f"{prompt}\n{OPEN}" if protocol.prefill else prompt,
        temperature=protocol.temperature,
        max_tokens=protocol.max_tokens_math if math else protocol.max_tokens_code,
        api="completions" if protocol.prefill else planner.api,
    )
    (answer,) = await planner.ask([request])
    if not isinstance(answer, Failed):
        return extract(answer.text, problem.domain, prefilled=protocol.prefill)
    if answer.reason == "truncated":
        return Reasoning("", Format.UNCLOSED)
    if answer.reason in ("empty", "refused", "too_long"):
        return Reasoning("", Format.EMPTY)
    return f"planner: {answer.reason} {answer.detail}".strip()


def report_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Sum up outcomes, with 95 % bootstrap intervals over problems.

    Returns:
        ``problems``, ``invalid`` (and ``invalid_reasons``), ``with_reasoning``,
        ``without_reasoning`` and their paired difference ``uplift`` as ``[value, low, high]``,
        ``won`` and ``lost`` (problems that the reasoning solved, or spoilt), ``formats``,
        ``leaked`` and ``mean_length`` (characters).
    """
    valid = [one for one in outcomes if one.valid]
    with_it = np.array([one.with_it for one in valid], dtype=np.float64)
    without = np.array([one.without for one in valid], dtype=np.float64)
    written = [one.reasoning for one in outcomes if one.reasoning is not None]
    usable = [one for one in written if one.usable]
    reasons = Counter(one.missing.partition(" ")[0].rstrip(":") for one in outcomes if one.missing)
    return {
        "problems": len(outcomes),
        "invalid": len(outcomes) - len(valid),
        "invalid_reasons": dict(sorted(reasons.items())),
        "with_reasoning": _estimate(with_it),
        "without_reasoning": _estimate(without),
        "uplift": _estimate(with_it - without),
        "won": int((with_it > without).sum()),
        "lost": int((with_it < without).sum()),
        "formats": dict(sorted(Counter(str(one.format) for one in written).items())),
        "leaked": sum(one.leaked for one in written),
        "mean_length": sum(len(one.text) for one in usable) / len(usable) if usable else 0.0,
    }


def _estimate(values_N: Any) -> list[float] | None:
    if not len(values_N):
        return None
    found: Estimate = ratio(Wins(values_N, np.ones(len(values_N))), np.arange(len(values_N)))
    return [round(float(one), 4) for one in found]


def examples(outcomes: Sequence[Outcome], count: int) -> list[dict[str, Any]]:
    """Some problems that the reasoning spoilt and some that it solved, for people."""
    valid = [one for one in outcomes if one.valid and one.reasoning is not None]
    changed = sorted(valid, key=lambda one: (one.with_it or 0.0) - (one.without or 0.0))
    lost = [one for one in changed if one.with_it < one.without]  # type: ignore[operator]
    won = [one for one in reversed(changed) if one.with_it > one.without]  # type: ignore[operator]
    return [
        {
            "problem_id": one.problem.problem_id,
            "problem": one.problem.text,
            "reasoning": one.reasoning.text if one.reasoning else "",
            "format": str(one.reasoning.format) if one.reasoning else "",
            "with_reasoning": one.with_it,
            "without_reasoning": one.without,
        }
        for one in [*lost[:count], *won[:count]]
    ]


def markdown(reports: dict[str, dict[str, Any]], about: dict[str, str]) -> str:
    """The table of a report."""
    lines = ["# Planner evaluation", ""]
    lines += [f"- {name}: {text}" for name, text in about.items()]
    lines += [
        "",
        "Success of the executor, in per cent, with 95 % bootstrap intervals over problems.",
        "",
        "| | problems | invalid | with reasoning | without | uplift | no reasoning | leaked |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in reports.items():
        unusable = sum(count for kind, count in one["formats"].items() if kind != Format.OK)
        cells = [name, one["problems"], one["invalid"]]
        cells += [_percent(one[key]) for key in ("with_reasoning", "without_reasoning", "uplift")]
        lines.append(f"| {' | '.join(map(str, [*cells, unusable, one['leaked']]))} |")
    return "\n".join([*lines, ""])


def _percent(estimate: list[float] | None) -> str:
    if estimate is None:
        return ""
    value, low, high = (100 * one for one in estimate)
    return f"{value:.1f} ({low:.1f} {high:.1f})"
