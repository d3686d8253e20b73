"""Files and batches of the scripted model's server, asked by the real client."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.llm.scripted_server import asked, client_of, scripted
from tests.llm.test_scripted import MATH, solve
from tracelift_groups.llm.scripted.faults import Faults

URL = "/v1/chat/completions"


def line(number: int, url: str = URL, **body: Any) -> str:
    messages = [{"role": "user", "content": solve(MATH[number])}]
    body = {"model": "scripted", "messages": messages, "seed": 0, **body}
    return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": url, "body": body})


def begun(client: openai.OpenAI, text: str, url: Any = URL) -> Any:
    file = client.files.create(file=("calls.jsonl", text.encode()), purpose="batch")
    assert (file.filename, file.bytes, file.purpose) == (
        "calls.jsonl",
        len(text.encode()),
        "batch",
    )
    return client.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h")


def rows(client: openai.OpenAI, file: str | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(text) for text in client.files.content(file).text.splitlines()]


def test_a_batch_is_done_after_some_polls(scripted_server):
    served = scripted_server(batch_polls=3)
    client = client_of(served)
    text = "\n".join(line(number) for number in range(5)) + "\n"
    batch = begun(client, text)
    assert batch.status == "validating"
    assert [client.batches.retrieve(batch.id).status for _ in range(2)] == ["in_progress"] * 2
    assert served.stats.received.total() == 0
    done = client.batches.retrieve(batch.id)
    assert (done.status, done.error_file_id) == ("completed", None)
    assert (done.request_counts.total, done.request_counts.completed) == (5, 5)
    got = rows(client, done.output_file_id)
    assert [row["custom_id"] for row in got] == ["c0", "c1", "c2", "c3", "c4"]
    for number, row in enumerate(got):
        assert row["response"]["status_code"] == 200
        content = row["response"]["body"]["choices"][0]["message"]["content"]
        assert content == scripted().text(asked(solve(MATH[number]), schema=None))
    assert client.batches.retrieve(batch.id).output_file_id == done.output_file_id
    assert served.stats.answered.total() == 5
    assert client.files.content(batch.input_file_id).text == text
    assert client.files.retrieve(batch.input_file_id).purpose == "batch"


def test_lines_that_fail_or_come_too_late_stand_in_the_error_file(scripted_server):
    text = "\n".join(line(number) for number in range(40))
    faults = Faults(0.3, transport=("server_error",), content=())
    client = client_of(scripted_server(batch_polls=1, faults=faults, batch_expired=0.2))
    done = client.batches.retrieve(begun(client, text).id)
    assert done.status == "expired"
    failed = rows(client, done.error_file_id)
    late = [row for row in failed if row["error"]]
    assert {row["error"]["code"] for row in late} == {"batch_expired"}
    assert {row["response"]["status_code"] for row in failed if row["response"]} == {500}
    assert 0 < len(late) < len(failed) < 40
    whole = rows(client, done.output_file_id)
    assert len(whole) + len(failed) == 40
    assert (done.request_counts.completed, done.request_counts.failed) == (len(whole), len(failed))


def test_a_line_for_another_model_fails_by_itself(scripted_server):
    client = client_of(scripted_server(batch_polls=1, model="scripted"))
    done = client.batches.retrieve(begun(client, f"{line(0, model='other')}\n{line(1)}").id)
    assert done.status == "completed"
    (failed,) = rows(client, done.error_file_id)
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("c0", 404)
    assert len(rows(client, done.output_file_id)) == 1


def test_text_completions_in_a_batch(scripted_server):
    client = client_of(scripted_server(batch_polls=1))
    url = "/v1/completions"
    body = {"model": "m", "prompt": "Hello"}
    text = json.dumps({"custom_id": "a", "method": "POST", "url": url, "body": body})
    done = client.batches.retrieve(begun(client, text, url).id)
    (row,) = rows(client, done.output_file_id)
    assert row["response"]["body"]["object"] == "text_completion"


def test_a_batch_can_be_cancelled(scripted_server):
    client = client_of(scripted_server())
    batch = begun(client, line(0))
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.batches.retrieve(batch.id).status == "cancelled"
    assert client.batches.retrieve(batch.id).output_file_id is None
    with pytest.raises(openai.BadRequestError, match="cancelled"):
        client.batches.cancel(batch.id)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no JSON", "invalid_json_line"),
        (line(0, url="/v1/completions"), "invalid_json_line"),
        (f"{line(0)}\n{line(0)}", "duplicate_custom_id"),
        ("\n", "empty_file"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_batch(scripted_server, text, code):
    client = client_of(scripted_server())
    batch = begun(client, text)
    assert batch.status == "failed"
    assert code in [error.code for error in batch.errors.data]


def test_what_is_not_there(scripted_server):
    client = client_of(scripted_server())
    for call in (client.files.retrieve, client.files.content, client.batches.retrieve):
        with pytest.raises(openai.NotFoundError):
            call("none")
    with pytest.raises(openai.NotFoundError):
        client.batches.create(
            input_file_id="none", endpoint="/v1/completions", completion_window="24h"
        )
    with pytest.raises(openai.BadRequestError):
        begun(client, line(0), "/v1/embeddings")
    with pytest.raises(openai.BadRequestError):
        client.post("/files", body={"purpose": "batch"}, cast_to=object)
