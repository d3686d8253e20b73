"""verifiers: a reward function for a ``Rubric``, or by its path in a task's TOML.

An invalid score raises, as verifiers wants it of a judge that is broken: it is an error of the
rollout, never a zero. ``TLG_REWARD`` names the reward's file (:mod:`.setup`); the dataset's
``info`` (or ``answer``) holds the problem as :func:`.rows.problem_json` writes it.
"""

from __future__ import annotations

from typing import Any

from tracelift_groups.grpo.plugins.rows import COLUMN, problem_from, text_of
from tracelift_groups.grpo.plugins.setup import named_file, shared_reward
from tracelift_groups.grpo.reward import Rollout


class InvalidScore(RuntimeError):  # noqa: N818 - what happened, as verifiers shows it
    """The executor, the verifier or the reward model failed; nothing is known of the rollout."""


async def executor_grounded(
    completion: Any = None, answer: str = "", info: Any = None, trace: Any = None, **_: Any
) -> float:
    """Score one rollout.

    Args:
        completion: Messages or a text (verifiers 0.x).
        answer: The problem, where ``info`` has none.
        info: With the problem under ``tlg_problem``.
        trace: The rollout (verifiers 1.x): its ``completion`` and its task's ``answer`` and
            ``info`` are taken.

    Raises:
        InvalidScore: Nothing is known.
    """
    if trace is not None:
        task = getattr(trace, "task", trace)
        completion = getattr(trace, "completion", completion)
        answer, info = getattr(task, "answer", answer), getattr(task, "info", info)
    row = info.get(COLUMN, answer) if isinstance(info, dict) else answer
    rollout = Rollout(problem_from(row), text_of(completion), named_file().prefilled)
    (score,) = await shared_reward().ascore([rollout])
    if score.value is None:
        raise InvalidScore(score.reason)
    return score.value
