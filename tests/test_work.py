"""Seeds for which an endpoint had no answer are tried once more, in the end."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.test_groups import bundled
from tracelift_groups.llm.request import Answer, Failed, Request
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.llm.session import Waiting
from tracelift_groups.plan import Plan
from tracelift_groups.work import Job, ask_for_groups

SEEDS = bundled(4)
JOB = Job(Plan(rubric="judge", model="m"))
DOWN = Failed("unavailable", "no answer")


class Answers:
    """A session whose answers a function may replace; it counts what each problem was asked."""

    def __init__(self, instead: Callable[[int, int], Answer | None]) -> None:
        self.model, self.instead = ScriptedModel(bad_share=0), instead
        self.asked: Counter[int] = Counter()

    async def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        number = next(n for n, one in enumerate(SEEDS) if one.problem in requests[0].prompt)
        self.asked[number] += 1
        instead = self.instead(number, self.asked[number])
        return [instead or self.model.answer(request) for request in requests]

    async def drain(self, limit_s: float | None = None) -> None:
        return


def lines(session: Any) -> tuple[int, list[dict[str, Any]]]:
    told: list[str] = []
    waiting = asyncio.run(
        ask_for_groups(SEEDS, JOB, session, width=1, threads=0, on_line=told.append)
    )
    return waiting, [json.loads(line) for line in told]


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_seed_without_an_answer_is_tried_once_more(times: int) -> None:
    session = Answers(lambda number, count: DOWN if number == 1 and count <= times else None)
    waiting, told = lines(session)
    assert waiting == 0
    others = [one.seed_id for one in (SEEDS[0], SEEDS[2], SEEDS[3])]
    ids = [one["id"] for one in told]
    # It comes last where it was tried again.
    assert ids == ([*others, SEEDS[1].seed_id] if times else [one.seed_id for one in SEEDS])
    assert all("group" in one for one in told if one["id"] in others)
    line = next(one for one in told if one["id"] == SEEDS[1].seed_id)
    if times < 2:
        assert "group" in line
    else:
        assert line["rejected"]["reason"] == "model_unavailable"
    assert line["spent"]["m"]["calls"] > 0


def test_seeds_whose_answers_come_later_are_counted() -> None:
    class Later(Answers):
        async def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
            answers = await super().ask_all(requests)
            if SEEDS[2].problem in requests[0].prompt:
                raise Waiting
            return answers

    waiting, told = lines(Later(lambda *_: None))
    assert waiting == 1
    assert len(told) == 3
