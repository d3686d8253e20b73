"""How stages ask: again where a reply is no use, side by side, and counted."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, ConfigDict, Field

from tests.replies import TRUNCATED, USAGE, drive
from tracelift_groups.llm.asking import (
    ATTEMPTS,
    Asks,
    Tally,
    Unavailable,
    ask,
    metered,
    read_as,
    schema_of,
    together,
    unasked,
)
from tracelift_groups.llm.request import (
    Failed,
    FailureReason,
    Reply,
    Request,
    Usage,
)
from tracelift_groups.llm.scripted.schema import smallest
from tracelift_groups.perturb.llm.shapes import PairVerdict, Perturbed, PerturbedPlan, Reworded
from tracelift_groups.reference.generate import Planned, Solved


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")

    x: int


class Book(BaseModel):
    """Its fields are named as the words of a schema are."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(title="Of the book")
    properties: Point
    required: list[Point]


def request(sample: int = 0, **fields: Any) -> Request:
    return Request(task="t", prompt="p", sample=sample, **{"model": "m", **fields})


GOOD = {"x": 1}
REFUSED = Failed("refused", "no")
ENDING = ("too_long", "bad_request")
AGAIN = ("truncated", "refused", "empty", "unparsable")


def test_a_good_reply_is_asked_for_once() -> None:
    ended = drive(ask(request(), Point), t=GOOD)
    assert ended.value == Point(x=1)
    (only,) = ended.asked
    assert only.schema == schema_of(Point)
    assert (only.sample, only.prompt, only.temperature) == (0, "p", 0.7)


@pytest.mark.parametrize("bad", ["no JSON", '{"x": "one"}', '{"x": 1, "y": 2}', "{}", "[1]", ""])
def test_a_reply_of_another_shape_is_asked_for_again(bad: str) -> None:
    ended = drive(ask(request(), Point), t=[bad, GOOD])
    assert ended.value == Point(x=1)
    assert len(ended.asked) == 2


def test_each_try_is_another_sample_and_no_sample_is_asked_twice() -> None:
    keys = [
        one.key
        for sample in range(3)
        for one in drive(ask(request(sample), Point), t=TRUNCATED).asked
    ]
    assert len(keys) == len(set(keys)) == 3 * ATTEMPTS
    ended = drive(ask(request(2), Point, attempts=2), t=[REFUSED, GOOD])
    assert [one.sample for one in ended.asked] == [4, 5]


@pytest.mark.parametrize("reason", AGAIN)
def test_the_last_of_all_failures_is_returned(reason: FailureReason) -> None:
    last = Failed(reason, "the last")
    ended = drive(ask(request(), Point), t=[REFUSED, TRUNCATED, last])
    assert ended.value == last
    assert len(ended.asked) == ATTEMPTS


@pytest.mark.parametrize("reason", ENDING)
def test_what_cannot_get_better_is_not_asked_for_again(reason: FailureReason) -> None:
    ended = drive(ask(request(), Point), t=[TRUNCATED, Failed(reason)])
    assert ended.value == Failed(reason)
    assert len(ended.asked) == 2


def test_an_endpoint_without_an_answer_ends_the_stage() -> None:
    with pytest.raises(Unavailable, match="gone"):
        drive(ask(request(), Point), t=Failed("unavailable", "gone"))


def test_every_failure_is_dealt_with() -> None:
    assert {*AGAIN, *ENDING, "unavailable"} == set(get_args(FailureReason))


def test_what_is_wrong_with_a_reply_is_told_with_its_place() -> None:
    told = read_as(Reply('{"title": "a", "properties": {"x": "y"}, "required": []}', USAGE), Book)
    assert isinstance(told, Failed)
    assert told.reason == "unparsable"
    assert told.detail.startswith("properties.x: ")
    assert told.usage == USAGE


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every part of a schema that describes an object."""
    if isinstance(schema, list):
        return [found for one in schema for found in objects(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for one in schema.values() for found in objects(one)]


@pytest.mark.parametrize(
    "shape", [Book, Solved, Planned, Reworded, Perturbed, PerturbedPlan, PairVerdict]
)
def test_a_schema_is_one_that_strict_servers_take(shape: type[BaseModel]) -> None:
    schema = schema_of(shape)
    assert schema.name == shape.__name__.lower()
    found = objects(dict(schema.body))
    assert found
    for one in found:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
        assert not isinstance(one.get("title"), str)
    shape.model_validate(smallest(schema.body))


def test_titles_go_and_properties_of_that_name_stay() -> None:
    body = schema_of(Book).body
    assert list(body["properties"]) == ["title", "properties", "required"]
    assert body["properties"]["title"] == {"type": "string"}
    point = body["$defs"]["Point"]
    assert point["properties"] == {"x": {"type": "integer"}}
    assert "title" not in body
    assert "title" not in point


def counting(name: str, rounds: int, width: int = 1) -> Asks[str]:
    """A stage that asks so often, so many at once, and returns what it was told."""
    heard = ""
    for turn in range(rounds):
        answers = yield [
            Request("t", name, f"{name}{turn}{place}", sample=place) for place in range(width)
        ]
        assert len(answers) == width
        heard += "".join(one.text for one in answers if isinstance(one, Reply))
    return heard


def echo(asked: Request) -> str:
    return f"[{asked.prompt}]"


def test_stages_side_by_side_get_their_own_answers() -> None:
    stages = [counting("a", 2), counting("b", 0), counting("c", 3, width=2), counting("d", 1)]
    ended = drive(together(stages), t=echo)
    assert ended.value == [
        "[a00][a10]",
        "",
        "[c00][c01][c10][c11][c20][c21]",
        "[d00]",
    ]
    assert [[one.prompt for one in requests] for requests in ended.rounds] == [
        ["a00", "c00", "c01", "d00"],
        ["a10", "c10", "c11"],
        ["c20", "c21"],
    ]


@pytest.mark.parametrize("stages", [[], [counting("a", 0)]])
def test_stages_that_ask_nothing_wait_for_nothing(stages: list[Asks[str]]) -> None:
    ended = drive(together(stages))
    assert ended.value == [""] * len(stages)
    assert ended.rounds == []


def test_calls_and_tokens_are_counted_by_model() -> None:
    answers = [
        Reply("", Usage(10, 5)),
        Reply("", Usage(1, None)),
        Failed("refused", usage=Usage(3, 2)),
        Failed("truncated"),
    ]
    value, tallies = drive(metered(together([counting("a", 2), counting("b", 2)])), t=answers).value
    assert value == ["", ""]
    # In the order of the calls: a, b, a, b.
    assert tallies == {"a": Tally(2, 13, 7, 0), "b": Tally(2, 1, 0, 2)}


def test_a_stage_that_asks_nothing_costs_nothing() -> None:
    assert unasked(metered(counting("a", 0))) == ("", {})


def test_a_stage_that_asks_needs_a_model() -> None:
    with pytest.raises(AssertionError, match="without one"):
        unasked(counting("a", 1))
