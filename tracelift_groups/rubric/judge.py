"""Labels from judges: points from 0 to 10 a dimension, with reasons, for each trace by itself.

Buckets and total are those of the published system: ``label = min(4, points // 2)`` and
``total = points / 10``; of several judgements the mean counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import yaml
from pydantic import BaseModel, ConfigDict, Field, create_model

from tracelift_groups.assets import asset
from tracelift_groups.llm.asking import Asks, ask, together
from tracelift_groups.llm.request import Failed
from tracelift_groups.plan import Plan
from tracelift_groups.prompts import render_prompt
from tracelift_groups.records import Domain, Judgement, Rubric

_BUCKET = 2
_BEST = 4
_POINTS = 10


class _Scored(BaseModel):
    """Points for one dimension; the reason comes first, so that it is not made up afterwards."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    score: int = Field(ge=0, le=_POINTS)


@lru_cache(maxsize=1)
def _meanings() -> dict[str, dict[str, str]]:
    text = asset("perturbations", "dimensions.yaml").read_text(encoding="utf-8")
    meanings: dict[str, dict[str, str]] = yaml.safe_load(text)
    return meanings


def meanings_of(domain: Domain) -> dict[str, str]:
    """The dimensions of a domain, and what each asks."""
    return _meanings()[domain]


@lru_cache(maxsize=2)
def _shape(domain: Domain) -> type[BaseModel]:
    fields = dict.fromkeys(meanings_of(domain), (_Scored, ...))
    return create_model(  # type: ignore[no-any-return, call-overload]
        "Scores", __config__=ConfigDict(extra="forbid"), **fields
    )


def judgements(
    problem: str, texts: Sequence[str], domain: Domain, plan: Plan
) -> Asks[list[tuple[Judgement, ...]]]:
    """Ask every judge for every trace.

    Returns:
        For each text what the judges said, in the order of judges and samples. A call that came
        to nothing is left out: it is no zero.
    """
    asked = [
        _judgement(problem, text, domain, plan, judge, sample)
        for text in texts
        for judge in plan.judges or (plan.author,)
        for sample in range(plan.judge_samples)
    ]
    given = yield from together(asked)
    each = len(asked) // max(1, len(texts))
    return [
        tuple(one for one in given[start : start + each] if one is not None)
        for start in range(0, len(given), max(1, each))
    ]


def _judgement(
    problem: str, text: str, domain: Domain, plan: Plan, judge: str, sample: int
) -> Asks[Judgement | None]:
    prompt = render_prompt(
        "judge", problem=problem, trace=text, domain=domain, dimensions=meanings_of(domain)
    )
    reply = yield from ask(plan.judge_request("judge", prompt, judge, sample), _shape(domain))
    if isinstance(reply, Failed):
        return None
    said: dict[str, _Scored] = {name: getattr(reply, name) for name in meanings_of(domain)}
    return Judgement(
        judge=judge,
        sample=sample,
        scores={name: one.score for name, one in said.items()},
        reasons={name: one.reason for name, one in said.items()},
    )


def rubric_of(given: Sequence[Judgement]) -> Rubric:
    """Labels and total of one or more judgements."""
    names = given[0].scores
    means = {name: sum(one.scores[name] for one in given) / len(given) for name in names}
    return Rubric(
        labels={name: min(_BEST, int(mean // _BUCKET)) for name, mean in means.items()},
        total=round(sum(means.values()) / (_POINTS * len(means)), 6),
    )
