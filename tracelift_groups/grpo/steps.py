"""What a step of training says of itself: averages for the log, the monitor and the summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracelift_groups.grpo.reasoning import Format, extract
from tracelift_groups.grpo.rollout import Completion

_PARTS = ("success", "baseline", "uplift", "rm", "judge")
_GAMES = (Format.SEVERAL, Format.UNCLOSED)


def sums(groups: Sequence[Sequence[Completion]]) -> dict[str, list[float]]:
    """Sum and number of each figure over a process's completions, to be added over processes.

    Returns:
        name -> [sum, number]; the mean is over the completions that have the figure.
    """
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        entry = found.setdefault(name, [0.0, 0.0])
        entry[0] += value
        entry[1] += 1

    for group in groups:
        add("groups_learnt_from", float(any(one.counts for one in group)))
        for one in group:
            _add_completion(add, one)
    return found


def _add_completion(add: Any, one: Completion) -> None:
    score = one.score
    add("invalid", float(not score.valid))
    add("truncated", float(not one.sampled.finished))
    add("tokens", float(len(one.sampled.ids)))
    for logprob in one.sampled.logprobs:  # their mean, negated, estimates the entropy of a token
        add("entropy", -logprob)
    add("no_reasoning", float(not score.parts.get("format_ok", 1.0)))
    add("tag_games", float(score.reason in _GAMES and one.sampled.finished))
    add("leaked", score.parts.get("leaked", 0.0))
    if score.value is not None:
        add("reward", score.value)
    if score.parts.get("format_ok"):
        add("length", score.parts["length"])
    # Without a reasoning nothing is measured, and the executor gets nowhere.
    parts = {"success": 0.0} if score.parts.get("format_ok") == 0.0 else score.parts
    for name in _PARTS:
        if score.valid and name in parts:
            add(name, parts[name])


def means(summed: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean of each figure."""
    return {name: total / number for name, (total, number) in summed.items() if number}


def over_steps(rows: Iterable[Mapping[str, Any]], last: int) -> dict[str, float]:
    """The mean of each figure over the last steps of a log."""
    kept = list(rows)[-last:]
    names = dict.fromkeys(name for row in kept for name in row if name != "step")
    return {
        name: sum(values) / len(values)
        for name in names
        if (values := [row[name] for row in kept if isinstance(row.get(name), int | float)])
    }


def sample_row(step: int, one: Completion) -> dict[str, Any]:
    """A completion for the sample log, with the reasoning that the executor was given."""
    rollout = one.rollout
    domain = rollout.problem.domain
    return {
        "step": step,
        "problem_id": rollout.problem.problem_id,
        "problem": rollout.problem.text,
        "completion": rollout.completion,
        "reasoning": extract(rollout.completion, domain, prefilled=rollout.prefilled).text,
        "value": one.score.value,
        "advantage": one.advantage,
        "parts": dict(one.score.parts),
        "reason": one.score.reason,
    }
