"""The scripted model's server, asked by the real client."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from typing import Any

import openai
import pytest
from click.testing import CliRunner

from tests.llm.scripted_server import ANY_OBJECT, asked, client_of, scripted
from tests.llm.test_scripted import MATH, solve
from tracelift_groups.commands import doctor
from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Request, Schema
from tracelift_groups.llm.scripted.endpoint import Behaviour
from tracelift_groups.llm.scripted.faults import CONTENT, TRANSPORT, Faults
from tracelift_groups.llm.scripted.server import serve

FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "any", "schema": {"type": "object"}}}
SAID: Any = [{"role": "user", "content": "Hello"}]


def chat(client: openai.OpenAI, prompt: str, **options: Any) -> Any:
    messages: Any = [{"role": "user", "content": prompt}]
    return client.chat.completions.create(**{"model": "scripted", "messages": messages, **options})


# --- the protocol --------------------------------------------------------------------------------


def test_chat_gives_what_the_model_says_in_process(scripted_server):
    served = scripted_server()
    got = chat(client_of(served), solve(MATH[0]), seed=3, response_format=FORMAT)
    request = asked(solve(MATH[0]), sample=3)
    assert got.choices[0].message.content == scripted().text(request)
    assert (got.object, got.model) == ("chat.completion", "scripted")
    assert got.choices[0].finish_reason == "stop"
    assert got.usage.prompt_tokens == -(-len(request.prompt) // 4)
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens


def test_the_key_of_a_request_is_the_clients_own(scripted_server):
    served = scripted_server()
    request = Request("t", "scripted", "Hello", ANY_OBJECT, sample=2, max_tokens=50)
    chat(
        client_of(served),
        "Hello",
        seed=2,
        response_format=FORMAT,
        max_tokens=50,
        temperature=request.temperature,
    )
    assert list(served.stats.received) == [request.key]


def test_text_completions(scripted_server):
    client = client_of(scripted_server())
    got = client.completions.create(model="m", prompt=solve(MATH[0]), max_tokens=2048)
    request = asked(solve(MATH[0]), model="m", schema=None, api="completions")
    assert got.choices[0].text == scripted().text(request)
    assert got.object == "text_completion"


def test_messages_may_come_in_parts(scripted_server):
    served = scripted_server()
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    client_of(served).chat.completions.create(model="scripted", messages=parts)
    chat(client_of(served), "Hello")
    assert list(served.stats.received.values()) == [2]


def test_several_choices_are_several_samples(scripted_server):
    got = chat(client_of(scripted_server(0.5)), solve(MATH[0]), n=4, seed=1, response_format=FORMAT)
    texts = [scripted(0.5).text(asked(solve(MATH[0]), sample)) for sample in (4, 5, 6, 7)]
    assert [choice.message.content for choice in got.choices] == texts
    assert len(set(texts)) > 1
    assert got.usage.completion_tokens == sum(-(-len(text) // 4) for text in texts)


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_long_reply_is_cut_off(scripted_server, limit):
    got = chat(client_of(scripted_server()), solve(MATH[0]), **{limit: 5})
    assert got.choices[0].finish_reason == "length"
    assert len(got.choices[0].message.content) == 20
    assert got.usage.completion_tokens == 5


def test_structured_output_as_the_server_likes_it(scripted_server):
    shape = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "probe", "schema": shape}}

    def content(structured: str, **options: Any) -> str:
        client = client_of(scripted_server(structured=structured))
        return str(chat(client, "Hello", **options).choices[0].message.content)

    assert json.loads(content("honoured", response_format=wanted)) == {"ok": False}
    assert json.loads(content("honoured", response_format={"type": "json_object"})) == {}
    assert content("ignored", response_format=wanted) == scripted().text(
        asked("Hello", schema=None)
    )
    with pytest.raises(openai.BadRequestError, match="response_format"):
        content("refused", response_format=wanted)
    assert content("refused") == content("ignored")


def test_models(scripted_server):
    client = client_of(scripted_server(model="mine"))
    assert [model.id for model in client.models.list()] == ["mine"]
    assert client.models.retrieve("mine").id == "mine"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        chat(client, "Hello")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")
    assert chat(client_of(scripted_server()), "Hello", model="org/other").model == "org/other"


def test_a_key_that_is_wanted(scripted_server):
    served = scripted_server(api_key="sk-secret")
    with pytest.raises(openai.AuthenticationError) as error:
        chat(client_of(served, key="sk-guess"), "Hello")
    assert "sk-" not in str(error.value)
    assert chat(client_of(served, key="sk-secret"), "Hello").choices


def test_a_prompt_beyond_the_context_is_refused(scripted_server):
    client = client_of(scripted_server(context_tokens=100))
    with pytest.raises(openai.BadRequestError) as error:
        chat(client, "word " * 100)
    assert error.value.code == "context_length_exceeded"
    assert chat(client, "word " * 10).choices


@pytest.mark.parametrize(
    "body",
    [
        {"messages": SAID},
        {"model": "m"},
        {"model": "m", "messages": []},
        {"model": "m", "messages": [{"role": "user"}]},
        {"model": "m", "messages": SAID, "stream": True},
        {"model": "m", "messages": SAID, "seed": "x"},
        {"model": "m", "messages": SAID, "response_format": {"type": "json_schema"}},
        {"model": "m", "messages": SAID, "response_format": "json"},
    ],
)
def test_a_bad_request_is_told_so(scripted_server, body):
    with pytest.raises(openai.BadRequestError):
        client_of(scripted_server()).post("/chat/completions", body=body, cast_to=object)


def test_many_connections_at_once_and_one_kept_open(scripted_server):
    served = scripted_server(latency_s=0.05)

    async def ask_all() -> None:
        async with openai.AsyncOpenAI(base_url=served.base_url, api_key="k") as client:
            calls = [
                client.chat.completions.create(model="m", messages=SAID, seed=number)
                for number in range(30)
            ]
            await asyncio.gather(*calls)

    asyncio.run(ask_all())
    assert served.stats.received.total() == served.stats.answered.total() == 30
    assert served.stats.most_in_flight > 10
    assert served.stats.in_flight == 0

    port = int(served.base_url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        replies = connection.makefile("rb")
        for _ in range(2):
            connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            assert replies.readline() == b"HTTP/1.1 200 \r\n"
            length = 0
            while (line := replies.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            assert json.loads(replies.read(length))["object"] == "list"
        connection.sendall(b"no HTTP\r\n\r\n")
        assert replies.readline().startswith(b"HTTP/1.1 400")


def test_latency(scripted_server):
    served = scripted_server(latency_s=0.2, jitter_s=0.2)
    client = client_of(served, timeout=0.15)
    with pytest.raises(openai.APITimeoutError):
        chat(client, "Hello")
    assert served.stats.answered.total() == 0  # the caller has left
    assert chat(client_of(served), "Hello").choices
    assert served.stats.repeated == 0


# --- what is counted -----------------------------------------------------------------------------


def test_stats_over_http(scripted_server):
    served = scripted_server()
    for _ in range(2):
        chat(client_of(served), "Hello")
    address = served.base_url.removesuffix("/v1") + "/stats"
    with urllib.request.urlopen(address, timeout=10) as reply:
        stats = json.load(reply)
    assert (stats["received"], stats["answered"], stats["repeated"]) == (2, 2, 1)
    assert list(stats["requests"].values()) == [{"received": 2, "answered": 2}]
    assert (stats["in_flight"], stats["most_in_flight"], stats["faults"]) == (0, 1, {})
    assert (stats["input_tokens"], stats["output_tokens"] > 0) == (4, True)


# --- faults --------------------------------------------------------------------------------------


def test_faults_have_their_share_and_come_again():
    faults, other = Faults(share=0.3, seed=1), Faults(share=0.3, seed=2)
    keys = [f"key {number}" for number in range(4000)]

    def drawn(which: Faults) -> list[str | None]:
        return [which.in_transport(key, 0) or which.in_content(key) for key in keys]

    met = Counter(drawn(faults))
    share = 1 - met[None] / len(keys)
    assert 0.28 < share < 0.32
    assert {kind: count for kind, count in met.items() if kind} == pytest.approx(
        dict.fromkeys((*TRANSPORT, *CONTENT), 0.3 / 8 * 4000), rel=0.25
    )
    assert drawn(faults) == drawn(Faults(share=0.3, seed=1)) != drawn(other)


def test_faults_of_transport_go_away_and_those_of_content_stay():
    faults = Faults(share=0.8)
    for key in map(str, range(50)):
        assert any(faults.in_transport(key, seen) is None for seen in range(30))
    first, second = (Faults(0.5, (), ("empty",), seed) for seed in (1, 2))
    assert any(first.in_content(key) != second.in_content(key) for key in map(str, range(50)))
    only = Faults(share=1.0, transport=(), content=("empty",))
    assert only.in_content("key") == "empty"
    assert only.in_transport("key", 0) is None
    none = Faults(share=1.0, transport=("cut",), content=())
    assert (none.in_transport("key", 9), none.in_content("key")) == ("cut", None)
    assert Faults(share=1.0, transport=(), content=()).in_content("key") is None


def faulty(scripted_server: Any, fault: str, **options: Any) -> Any:
    transport, content = ((fault,), ()) if fault in TRANSPORT else ((), (fault,))
    return scripted_server(faults=Faults(1.0, transport, content, **options))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate_limited", openai.RateLimitError),
        ("server_error", openai.InternalServerError),
        ("cut", openai.APIConnectionError),
    ],
)
def test_faults_of_transport(scripted_server, fault, error):
    served = faulty(scripted_server, fault, retry_after_s=2.5)
    with pytest.raises(error) as told:
        chat(client_of(served), solve(MATH[0]))
    if fault == "rate_limited":
        assert told.value.response.headers["retry-after"] == "2.5"
    assert served.stats.faults == {fault: 1}
    assert served.stats.answered.total() == 0


def test_a_timeout_leaves_the_caller_waiting(scripted_server):
    served = faulty(scripted_server, "timeout")
    with pytest.raises(openai.APITimeoutError):
        chat(client_of(served, timeout=0.2), "Hello")
    served = faulty(scripted_server, "timeout", hang_s=0.05)
    with pytest.raises(openai.APIConnectionError) as error:
        chat(client_of(served), "Hello")
    assert not isinstance(error.value, openai.APITimeoutError)


def test_faults_of_content(scripted_server):
    prompt = solve(MATH[0])
    whole = scripted().text(asked(prompt))

    def choice(fault: str, prompt: str = prompt, **options: Any) -> Any:
        served = faulty(scripted_server, fault)
        got = chat(client_of(served), prompt, response_format=FORMAT, **options).choices[0]
        assert served.stats.faults == {fault: 1}
        assert served.stats.answered.total() == 1
        return got

    cut = choice("truncated")
    assert (cut.finish_reason, cut.message.content) == ("length", whole[: len(whole) // 2])
    broken = choice("bad_json")
    assert broken.finish_reason == "stop"
    assert whole.startswith(broken.message.content)
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(broken.message.content)
    assert (choice("empty").finish_reason, choice("empty").message.content) == ("stop", "")
    ways = {
        (got.finish_reason, got.message.content, bool(got.message.refusal))
        for got in (choice("refused", seed=seed) for seed in range(8))
    }
    assert ways == {("stop", None, True), ("content_filter", None, False)}


def test_the_client_gets_through_faults_of_transport(scripted_server):
    faults = Faults(0.6, transport=("server_error", "cut"), content=())
    served = scripted_server(faults=faults)
    client = client_of(served, max_retries=20)
    client._calculate_retry_timeout = lambda *_, **__: 0.0  # type: ignore[method-assign]
    for number in range(10):
        assert chat(client, f"Hello {number}").choices
    assert served.stats.answered.total() == 10
    assert served.stats.received.total() == 10 + served.stats.faults.total() > 12
    assert served.stats.repeated == 0


# --- from the command line -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_doctor_serves_until_it_is_stopped(number):
    command = [sys.executable, "-m", "tracelift_groups", "doctor", "--serve-scripted"]
    options = ["--latency-ms", "1", "--faults", "1", "--fault-seed", "3"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = line.split()[-1]
            assert line == f"scripted model at {address}\n"
            client = openai.OpenAI(base_url=address, api_key="k", max_retries=0)
            assert [model.id for model in client.models.list()] == ["scripted"]
            os.kill(process.pid, number)
            assert process.wait(10) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()


def test_what_doctor_is_told_wrong():
    with pytest.raises(UserError, match="--serve-scripted"):
        CliRunner().invoke(doctor.command, ["--faults", "0.1"], catch_exceptions=False)
    result = CliRunner().invoke(doctor.command, ["--serve-scripted", "--faults", "1.5"])
    assert result.exit_code == 2


def test_a_port_that_is_taken(scripted_server):
    port = int(scripted_server().base_url.split(":")[2].split("/")[0])

    async def again() -> None:
        async with serve(scripted(), Behaviour(), port=port):
            pass

    with pytest.raises(UserError, match="--port 0"):
        asyncio.run(again())


def test_open_connections_are_closed_at_the_end():
    async def left() -> bytes:
        async with serve(scripted(), Behaviour()) as served:
            port = int(served.base_url.split(":")[2].split("/")[0])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        return await asyncio.wait_for(reader.read(), 2)

    assert asyncio.run(left()).endswith(b"}")


def test_what_breaks_the_model_is_an_error_and_told(scripted_server, caplog):
    broken = Schema("broken", {"$ref": "#/nowhere"})
    wanted: Any = {"name": broken.name, "schema": broken.body}
    with pytest.raises(openai.InternalServerError):
        chat(
            client_of(scripted_server()),
            "Hello",
            response_format={"type": "json_schema", "json_schema": wanted},
        )
    assert "no reply to /v1/chat/completions" in caplog.text
    assert "Traceback" in caplog.text
