"""verl: ``custom_reward_function.path=…/verl.py``, one call for each sample.

verl wants the same keys for every sample and drops the scores of a whole batch for one None, so
an invalid score cannot be left out: it gets the verifier's part where that is known, and
``tlg_valid`` 0, which a run should watch. ``TLG_REWARD`` names the reward's file (:mod:`.setup`);
the rows are those of :func:`.rows.verl_rows`.
"""

from __future__ import annotations

from typing import Any

from tracelift_groups.grpo.plugins.rows import problem_from
from tracelift_groups.grpo.plugins.setup import named_file, shared_reward
from tracelift_groups.grpo.reward import Rollout, Score

_PARTS = ("success", "baseline", "uplift", "rm", "judge", "length", "format_ok", "leaked")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    **_: Any,
) -> dict[str, float]:
    """Score one sample.

    Args:
        data_source: Not looked at.
        solution_str: What the planner wrote.
        ground_truth: The problem, as :func:`.rows.verl_rows` writes it.
        extra_info: Not looked at.

    Returns:
        ``score``, ``tlg_valid`` and what was measured; 0 for what was not.
    """
    return as_dict(shared_reward()([_rollout(solution_str, ground_truth)])[0])


async def acompute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    **_: Any,
) -> dict[str, float]:
    """The same for verl's asynchronous reward loop, where samples are under way at once."""
    (score,) = await shared_reward().ascore([_rollout(solution_str, ground_truth)])
    return as_dict(score)


def as_dict(score: Score) -> dict[str, float]:
    """A score with the same keys whatever became of it."""
    parts = {name: float(score.parts.get(name, 0.0)) for name in _PARTS}
    value = parts["success"] if score.value is None else score.value
    return {"score": value, "tlg_valid": float(score.valid), **parts}


def _rollout(solution: str, ground_truth: str) -> Rollout:
    return Rollout(problem_from(ground_truth), solution, named_file().prefilled)
