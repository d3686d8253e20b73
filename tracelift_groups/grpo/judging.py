"""A language model's verdict on a reasoning, for the ablation that puts it in the reward."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tracelift_groups.grpo.models import Model
from tracelift_groups.llm.asking import Unavailable
from tracelift_groups.plan import Plan
from tracelift_groups.rm.item import Item
from tracelift_groups.rubric.judge import judgements, rubric_of


async def judge_all(judge: Model, items: Sequence[Item]) -> list[float | None]:
    """Ask for the rubric's points of every item.

    Returns:
        The mean of the points scaled to [0, 1], as build's judges give it; None where the judge
        gave no answer that can be read.
    """
    plan = Plan(rubric="judge", model=judge.name, api=judge.api)
    return list(await asyncio.gather(*(_verdict(judge, plan, item) for item in items)))


async def _verdict(judge: Model, plan: Plan, item: Item) -> float | None:
    stage = judgements(item.problem, [item.reasoning], item.domain, plan)
    try:
        (given,) = await judge.follow(stage)
    except Unavailable:
        return None
    return rubric_of(given).total if given else None
