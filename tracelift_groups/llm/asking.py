"""How a stage asks a model: a generator that yields requests and is sent their answers.

A stage is written as if the answers were there at once::

    def reworded(text: str) -> Asks[str | None]:
        answer, = yield [Request(task="twin", model="m", prompt=text)]
        return answer.text if isinstance(answer, Reply) else None

Whoever drives it decides where the answers come from: an endpoint with hundreds of calls under
way, a batch that is collected tomorrow, a cache, a script. The stage is a pure function of its
arguments and the answers.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tracelift_groups.llm.jsonreply import find_json
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Schema

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Asks = Generator[Sequence[Request], Sequence[Answer], T]
"""A stage that yields lists of requests, is sent as many answers, and returns a ``T``."""

ATTEMPTS = 3


class Unavailable(Exception):  # noqa: N818 - an outcome that is recorded, not a failure
    """The endpoint did not give an answer, however often it was asked: nothing is known."""


@dataclass
class Tally:
    """Calls of one model and their tokens; ``unmeasured`` calls had no count from the server."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    unmeasured: int = 0

    def add(self, answer: Answer) -> None:
        """Count one call."""
        self.calls += 1
        self.input_tokens += answer.usage.input_tokens or 0
        self.output_tokens += answer.usage.output_tokens or 0
        self.unmeasured += answer.usage.output_tokens is None


@lru_cache(maxsize=64)
def schema_of(shape: type[BaseModel]) -> Schema:
    """The JSON schema of a reply's shape, without the titles that say nothing to a model.

    Kept: to work one out takes 0.4 ms, a fifth of all that a call takes here.
    """
    return Schema(shape.__name__.lower(), _bare(shape.model_json_schema()))


def _bare(schema: object) -> dict[str, object]:
    assert isinstance(schema, dict)
    return {
        name: _bare(value)
        if isinstance(value, dict) and name != "properties"
        else {key: _bare(one) for key, one in value.items()}
        if name == "properties" and isinstance(value, dict)
        else value
        for name, value in schema.items()
        if name != "title"
    }


def ask(request: Request, shape: type[M], attempts: int = ATTEMPTS) -> Asks[M | Failed]:
    """Ask until a reply has the shape.

    A reply that is truncated, refused, empty or has another shape is asked for again as the next
    sample of the same request.

    Returns:
        The reply as a ``shape``, or the last failure.

    Raises:
        Unavailable: The endpoint gave no answer.
    """
    request = replace(request, schema=schema_of(shape))
    failed = Failed("empty", "nothing was asked")
    for attempt in range(attempts):
        (answer,) = yield [replace(request, sample=request.sample * attempts + attempt)]
        read = answer if isinstance(answer, Failed) else read_as(answer, shape)
        if not isinstance(read, Failed):
            return read
        failed = read
        if failed.reason == "unavailable":
            raise Unavailable(failed.detail)
        if failed.reason in ("too_long", "bad_request"):
            break
    return failed


def read_as(reply: Reply, shape: type[M]) -> M | Failed:
    """Read a reply as JSON of a shape, or say why it is none."""
    try:
        return shape.model_validate(find_json(reply.text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Failed("unparsable", f"{where}: {first['msg']}".strip(": "), reply.usage)
    except (json.JSONDecodeError, ValueError, RecursionError) as error:
        return Failed("unparsable", f"no JSON object: {error}", reply.usage)


def together(stages: Sequence[Asks[T]]) -> Asks[list[T]]:
    """Run stages side by side, so that what they ask at the same time is under way together."""
    results: dict[int, T] = {}
    waiting: dict[int, Sequence[Request]] = {}

    def advance(index: int, answers: Sequence[Answer] | None) -> None:
        try:
            stage = stages[index]
            waiting[index] = next(stage) if answers is None else stage.send(answers)
        except StopIteration as stop:
            results[index] = stop.value

    for index in range(len(stages)):
        advance(index, None)
    while waiting:
        asked = dict(waiting)
        waiting.clear()
        answers = yield [request for requests in asked.values() for request in requests]
        position = 0
        for index, requests in asked.items():
            advance(index, answers[position : position + len(requests)])
            position += len(requests)
    return [results[index] for index in range(len(stages))]


def metered(stage: Asks[T]) -> Asks[tuple[T, dict[str, Tally]]]:
    """Run a stage and count what it asks, by model; an answer from a cache counts like another."""
    tallies: dict[str, Tally] = {}
    answers: Sequence[Answer] | None = None
    while True:
        try:
            requests = next(stage) if answers is None else stage.send(answers)
        except StopIteration as stop:
            return stop.value, tallies
        answers = yield requests
        for request, answer in zip(requests, answers, strict=True):
            tallies.setdefault(request.model, Tally()).add(answer)


def unasked(stage: Asks[T]) -> T:
    """Run a stage that asks nothing."""
    try:
        next(stage)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("a stage asked a model in a build without one")
