"""TRL: a reward function of a whole batch; invalid scores are None, which TRL leaves out.

Written for trl 1.16: ``f(prompts, completions, completion_ids, **columns, log_metric)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracelift_groups.grpo.plugins.rows import COLUMN, problem_from, text_of
from tracelift_groups.grpo.reward import Rollout, ScoreRollouts

_LOGGED = ("success", "baseline", "uplift", "rm", "judge", "leaked", "format_ok", "length")


def reward_function(reward: ScoreRollouts, *, prefilled: bool = False) -> Callable[..., Any]:
    """Make a reward function for ``GRPOTrainer(reward_funcs=…)``.

    The dataset has the columns of :func:`.rows.planner_rows`.

    Args:
        reward: A :class:`..reward.Reward`, or anything like it.
        prefilled: Whether prompts end with the opening tag.
    """

    def executor_grounded(
        completions: Sequence[Any],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        rollouts = [
            Rollout(problem_from(row), text_of(completion), prefilled)
            for row, completion in zip(columns[COLUMN], completions, strict=True)
        ]
        scores = reward(rollouts)
        if log_metric is not None:
            log_metric("tlg/invalid", sum(not one.valid for one in scores) / len(scores))
            for name in _LOGGED:
                known = [one.parts[name] for one in scores if one.valid and name in one.parts]
                if known:
                    log_metric(f"tlg/{name}", sum(known) / len(known))
        return [one.value for one in scores]

    return executor_grounded
