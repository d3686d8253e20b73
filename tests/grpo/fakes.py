"""Executors and reward models whose every reply is a function of what they are asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tracelift_groups.grpo.models import Model
from tracelift_groups.llm.request import Answer, Failed, Reply, Request
from tracelift_groups.llm.session import Session
from tracelift_groups.rm.item import Item

_REASONING = re.compile(r"<reasoning>\n(.*)\n</reasoning>", re.DOTALL)
UNAVAILABLE = Failed("unavailable", "cut off")


def reasoning_in(prompt: str) -> str | None:
    """The reasoning in an executor's prompt; None in a baseline's."""
    found = _REASONING.search(prompt)
    return found[1] if found else None


@dataclass
class FakeExecutor:
    """Replies by a function of the reasoning (None for a baseline) and the repeat."""

    reply: Callable[[str | None, int], str | Failed]
    asked: list[Request] = field(default_factory=list)

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        await asyncio.sleep(0)
        said = self.reply(reasoning_in(request.prompt), request.sample)
        return Reply(said) if isinstance(said, str) else said

    def model(self) -> Model:
        return Model("fake", Session(self), samples_itself=True)


@dataclass
class FakeRm:
    """Scores by a function of the reasoning."""

    score_of: Callable[[str], float | None]
    batches: list[list[Item]] = field(default_factory=list)
    closed: bool = False

    async def score(self, items: Sequence[Item]) -> list[float | None]:
        self.batches.append(list(items))
        await asyncio.sleep(0)
        return [self.score_of(item.reasoning) for item in items]

    async def close(self) -> None:
        self.closed = True
