"""Drives stages by hand: what a model replies is said in the test, by task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from tracelift_groups.llm.asking import Asks
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Usage

T = TypeVar("T")

USAGE = Usage(10, 5)
TRUNCATED = Failed("truncated", "cut off")


class Ended(NamedTuple, Generic[T]):
    """What a stage returned, and what it asked: one list for each time that it waited."""

    value: T
    rounds: list[list[Request]]

    @property
    def asked(self) -> list[Request]:
        return [request for requests in self.rounds for request in requests]

    @property
    def tasks(self) -> list[str]:
        return [request.task for request in self.asked]


def drive(stage: Asks[T], **by_task: Any) -> Ended[T]:
    """Run a stage to its end.

    Args:
        stage: The stage.
        by_task: For each task what is replied: one thing for every call, a list that is used up in
            order, or a function of the request. A reply is a dict (as JSON), a text, or an answer.
    """
    left = {
        task: iter(replies) if isinstance(replies, list) else replies
        for task, replies in by_task.items()
    }
    rounds: list[list[Request]] = []
    answers: list[Answer] | None = None
    while True:
        try:
            requests = next(stage) if answers is None else stage.send(answers)
        except StopIteration as stop:
            return Ended(stop.value, rounds)
        rounds.append(list(requests))
        answers = [_answer(left[request.task], request) for request in requests]


def _answer(replies: Any, request: Request) -> Answer:
    if isinstance(replies, Callable):  # type: ignore[arg-type]  # a function of the request
        given = replies(request)
    elif isinstance(replies, Iterable) and not isinstance(replies, str | Mapping):
        given = next(iter(replies))
    else:
        given = replies
    if isinstance(given, Failed | Reply):
        return given
    return Reply(given if isinstance(given, str) else json.dumps(given), USAGE)


def tagged(name: str, prompt: str) -> str:
    """What stands between the tags of a prompt."""
    return prompt.split(f"<{name}>\n", 1)[1].split(f"\n</{name}>", 1)[0]
