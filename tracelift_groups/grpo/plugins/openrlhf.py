"""OpenRLHF: ``--reward.remote_url …/openrlhf.py`` (``--remote_rm_url`` before), lists of samples.

OpenRLHF takes a number for every sample and swallows exceptions, so an invalid score gets the
verifier's part where that is known; ``extra_logs`` has the share. ``TLG_REWARD`` names the reward's
file (:mod:`.setup`); the rows are those of :func:`.rows.openrlhf_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracelift_groups.grpo.plugins.rows import problem_from
from tracelift_groups.grpo.plugins.setup import named_file, shared_reward
from tracelift_groups.grpo.plugins.verl import as_dict
from tracelift_groups.grpo.reward import Rollout


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], **_: Any
) -> dict[str, Any]:
    """Score some samples, all under way at once.

    Args:
        queries: Prompts with what the planner wrote after them.
        prompts: The prompts.
        labels: The problems, as :func:`.rows.openrlhf_rows` writes them.

    Returns:
        ``rewards``, ``scores`` in [0, 1] for filters (the executor's success), ``extra_logs``.
    """
    import torch

    prefilled = named_file().prefilled
    rollouts = [
        Rollout(problem_from(label), query[len(prompt) :], prefilled)
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]
    rows = [as_dict(score) for score in shared_reward()(rollouts)]
    columns = {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}
    return {
        "rewards": columns.pop("score"),
        "scores": columns["success"],
        "extra_logs": columns,
    }
