from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.llm.conftest import KEY, QUICK
from tests.llm.fake_server import Call, FakeServer, Send, chat, error
from tracelift_groups.errors import UserError
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.client import Endpoint, EndpointDown, Patience
from tracelift_groups.llm.limiter import Stopped
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Schema, Usage
from tracelift_groups.llm.settings import ModelSettings

Settings = Callable[..., ModelSettings]
REQUEST = Request(task="t", model="m", prompt="2 + 2?")
SCHEMA = Schema("number", {"type": "object", "properties": {"n": {"type": "integer"}}})
ENFORCED = Send(chat('{"tint": "red"}'))


def ask(settings: ModelSettings, *requests: Request, cache: Cache | None = None) -> list[Answer]:
    """Ask all at once."""

    async def main() -> list[Answer]:
        endpoint = Endpoint(settings, cache=cache, patience=QUICK)
        try:
            return list(await asyncio.gather(*(endpoint.ask(one) for one in requests)))
        finally:
            await endpoint.close()

    return asyncio.run(main())


def numbered(count: int) -> list[Request]:
    return [Request(task="t", model="m", prompt=str(n)) for n in range(count)]


def test_chat(server: FakeServer, settings_of: Settings) -> None:
    server.say(Send(chat("4", reasoning_content="thinking")))
    assert ask(settings_of(), REQUEST) == [Reply("4", Usage(10, 5))]
    (call,) = server.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    body = call.body
    assert isinstance(body.pop("seed"), int)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "2 + 2?"}],
        "temperature": 0.7,
        "max_tokens": 2048,
    }


def test_completions(server: FakeServer, settings_of: Settings) -> None:
    server.say(Send({"choices": [{"text": " 4", "finish_reason": "stop"}]}))
    request = Request(task="t", model="m", prompt="2 + 2 =", api="completions")
    assert ask(settings_of(api="completions"), request) == [Reply(" 4", Usage())]
    assert server.calls[0].path == "/v1/completions"
    assert server.calls[0].body["prompt"] == "2 + 2 ="


def test_samples_of_one_prompt_have_seeds_of_their_own(
    server: FakeServer, settings_of: Settings
) -> None:
    ask(settings_of(), REQUEST, Request(task="t", model="m", prompt="2 + 2?", sample=1))
    first, second = server.bodies()
    assert first.pop("seed") != second.pop("seed")
    assert first == second


@pytest.mark.parametrize(
    ("send", "answer"),
    [
        (chat("par", "length"), Failed("truncated", "the reply reached 5 tokens", Usage(10, 5))),
        (
            chat("", "content_filter"),
            Failed("refused", "stopped by a content filter", Usage(10, 5)),
        ),
        (chat(None, refusal="I won't."), Failed("refused", "I won't.", Usage(10, 5))),
        (chat("  \n"), Failed("empty", "", Usage(10, 5))),
        (chat(None), Failed("empty", "", Usage(10, 5))),
        (chat([{"type": "text", "text": "4"}, 1]), Reply("4", Usage(10, 5))),  # type: ignore[arg-type]
        (chat("half \ud83d"), Reply("half ?", Usage(10, 5))),
    ],
)
def test_endings(server: FakeServer, settings_of: Settings, send: object, answer: Answer) -> None:
    server.say(Send(send))
    assert ask(settings_of(), REQUEST) == [answer]
    assert len(server.calls) == 1


FAULTS = {
    "500": error("boom", 500),
    "503": Send(b"<html>busy</html>", 503),
    "408": error("slow", 408),
    "409": error("conflict", 409),
    "no JSON": Send(b"<html>hello</html>"),
    "half a JSON": Send(b'{"choices": [{"mess'),
    "no choices": Send({"choices": []}),
    "a list": Send([1]),
    "an error in a success": Send({"error": {"message": "upstream", "code": 502}}),
    "a cut body": Send(chat("4"), cut=True),
    "a cut connection": Send(b"", cut=True),
    "a hang": Send(chat("4"), delay_s=5.0),
    "drips": Send(chat("4"), drip_s=0.02),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_tried_again(server: FakeServer, settings_of: Settings, fault: str) -> None:
    server.say(FAULTS[fault], FAULTS[fault], Send(chat("4")))
    assert ask(settings_of(timeout_s=0.15), REQUEST) == [Reply("4", Usage(10, 5))]
    assert len(server.calls) == 3


def test_a_call_that_is_never_answered_is_unavailable_while_others_are(
    server: FakeServer, settings_of: Settings
) -> None:
    def script(call: Call) -> Send:
        return error("boom", 500) if call.body["messages"][0]["content"] == "0" else Send(chat("4"))

    server.script = script
    answers = ask(settings_of(), *numbered(3))
    assert answers[0] == Failed("unavailable", "500 boom")
    assert answers[1:] == [Reply("4", Usage(10, 5))] * 2


def test_a_single_poisonous_request_does_not_look_like_an_endpoint_that_is_down(
    server: FakeServer, settings_of: Settings
) -> None:
    def script(call: Call) -> Send:
        return error("boom", 500) if call.body["max_tokens"] == 2048 else Send(chat("OK"))

    server.script = script
    assert ask(settings_of(), REQUEST) == [Failed("unavailable", "500 boom")]
    assert len(server.calls) == 4


def test_a_check_up_may_meet_faults_too(server: FakeServer, settings_of: Settings) -> None:
    server.say(*[error("boom", 500)] * 5, Send(chat("OK")))
    assert ask(settings_of(), REQUEST) == [Failed("unavailable", "500 boom")]
    assert len(server.calls) == 6


def test_an_endpoint_that_is_down_ends_the_run(server: FakeServer, settings_of: Settings) -> None:
    server.say(error("boom", 500))
    with pytest.raises(EndpointDown, match=r"does not answer \(500 boom\).*the same command"):
        ask(settings_of(), REQUEST)
    assert len(server.calls) == 6  # three attempts and three checks


def test_429_is_no_attempt_and_is_waited_for(server: FakeServer, settings_of: Settings) -> None:
    server.say(*[error("slow down", 429)] * 9, Send(chat("4")))
    assert ask(settings_of(), REQUEST) == [Reply("4", Usage(10, 5))]
    assert len(server.calls) == 10


def test_429_for_ever_ends(server: FakeServer, settings_of: Settings) -> None:
    server.say(error("slow down", 429))
    with pytest.raises(EndpointDown, match="429 slow down"):
        ask(settings_of(), REQUEST)
    assert len(server.calls) == Patience().throttles + 1 + 3


def test_429_lowers_the_calls_under_way(server: FakeServer, settings_of: Settings) -> None:
    """A server with room for four: after the first refusals hardly any more follow."""

    def script(_: Call) -> Send:
        if server.under_way > 4:
            return error("slow down", 429, code="rate_limit_exceeded")
        return Send(chat("4"), delay_s=0.005)

    server.script = script
    answers = ask(settings_of(concurrency=16), *numbered(200))
    assert answers == [Reply("4", Usage(10, 5))] * 200
    assert server.most_under_way > 4
    assert len(server.calls) < 320, len(server.calls)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_all_back(server: FakeServer, settings_of: Settings, status: int) -> None:
    times: list[float] = []

    def script(_: Call) -> Send:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            return Send({"error": {}}, status, {"retry-after-ms": "150"})
        return Send(chat("4"))

    server.script = script
    ask(settings_of(concurrency=1), *numbered(3))
    assert times[1] - times[0] >= 0.14


def test_a_pause_until_tomorrow_ends_the_run(server: FakeServer, settings_of: Settings) -> None:
    server.say(Send({"error": {"message": "daily limit"}}, 429, {"retry-after": "86400"}))
    with pytest.raises(EndpointDown, match="1440 minutes"):
        ask(settings_of(), REQUEST)


MISTAKES = {
    "401": (error("Incorrect API key provided: sk-pla**cdef", 401), "refuses the key in OPENAI_AP"),
    "403": (error("country not supported", 403), "refuses the key in OPENAI_API_KEY"),
    "404": (error("The model `m` does not exist", 404, code="model_not_found"), "no model 'm'"),
    "400 model": (error("m is not a valid model ID", 400, code="model_not_found"), "no model 'm'"),
    "quota": (error("You exceeded", 429, code="insufficient_quota"), "no credit"),
    "402": (error("Insufficient credits", 402), "no credit"),
    "max_tokens": (
        error("max_tokens is too large: 2048. At most 100.", 400, param="max_tokens"),
        "too large.*give another --max-tokens",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_end_the_run_in_one_line(
    server: FakeServer, settings_of: Settings, mistake: str
) -> None:
    send, message = MISTAKES[mistake]
    server.say(send)
    with pytest.raises(UserError, match=message) as caught:
        ask(settings_of(), REQUEST)
    assert not isinstance(caught.value, EndpointDown)
    assert "\n" not in str(caught.value)
    assert len(server.calls) == 1


def test_a_server_that_cannot_be_reached(settings_of: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(UserError, match=r"cannot connect.*check --base-url"):
            ask(settings_of(base_url=url), REQUEST)
    with pytest.raises(UserError, match="cannot connect"):
        ask(settings_of(base_url="http://no-such-host.invalid/v1"), REQUEST)


@pytest.mark.parametrize(
    "send",
    [
        error("maximum context length is 4096 tokens", 400, code="context_length_exceeded"),
        error("'max_tokens' is too large: 9. This model's maximum context length is 8 tokens"),
        Send({"detail": "Prompt is too long"}, 422),
        Send(b"too large", 413),
    ],
)
def test_a_prompt_that_does_not_fit(server: FakeServer, settings_of: Settings, send: Send) -> None:
    server.say(send)
    (answer,) = ask(settings_of(), REQUEST)
    assert isinstance(answer, Failed)
    assert answer.reason == "too_long"


def test_other_refusals(server: FakeServer, settings_of: Settings) -> None:
    server.say(error("filtered", 400, code="content_filter"))
    assert ask(settings_of(), REQUEST) == [Failed("refused", "400 filtered")]
    server.say(error("messages: bad"))
    assert ask(settings_of(), REQUEST) == [Failed("bad_request", "400 messages: bad")]


@pytest.mark.parametrize(
    ("name", "send"),
    [
        ("temperature", error("Only the default (1) value is supported", param="temperature")),
        ("seed", Send({"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs"}]}, 422)),
        ("temperature", Send({"object": "error", "message": "Unsupported: `temperature`"}, 400)),
        ("seed", Send({"detail": "Unexpected keys in the request: {'seed'}"}, 422)),
    ],
)
def test_a_refused_parameter_is_left_out_from_then_on(
    server: FakeServer, settings_of: Settings, name: str, send: Send
) -> None:
    server.script = lambda call: send if name in call.body else Send(chat("4"))
    answers = ask(settings_of(concurrency=4), *numbered(20))
    assert answers == [Reply("4", Usage(10, 5))] * 20
    refused = [body for body in server.bodies() if name in body]
    assert 1 <= len(refused) <= 4
    assert len(server.calls) == 20 + len(refused)


def test_learning_takes_no_attempts(server: FakeServer, settings_of: Settings) -> None:
    def script(call: Call) -> Send:
        for name in ("seed", "temperature"):
            if name in call.body:
                return error("no", param=name)
        return Send(chat("4"))

    server.script = script
    assert ask(settings_of(attempts=1), REQUEST) == [Reply("4", Usage(10, 5))]


def test_max_tokens_is_called_by_its_new_name(server: FakeServer, settings_of: Settings) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    refusal = error(message, param="max_tokens", code="unsupported_parameter")
    server.script = lambda call: refusal if "max_tokens" in call.body else Send(chat("4"))
    ask(settings_of(concurrency=1), *numbered(2))
    assert [body.get("max_completion_tokens") for body in server.bodies()] == [None, 2048, 2048]


def test_a_message_that_quotes_the_prompt_teaches_nothing(
    server: FakeServer, settings_of: Settings
) -> None:
    server.say(error("cannot parse 'what is the temperature?'"))
    (answer,) = ask(settings_of(), REQUEST)
    assert isinstance(answer, Failed)
    assert len(server.calls) == 1


def with_schema(count: int = 3) -> list[Request]:
    return [Request(task="t", model="m", prompt=str(n), schema=SCHEMA) for n in range(count)]


@pytest.mark.parametrize(
    ("probed", "sends_schema"),
    [(ENFORCED, True), (Send(chat("Hello!")), False), (Send(chat('{"hi": 1}')), False)],
)
def test_schemas_are_sent_where_the_probe_says_that_they_count(
    server: FakeServer, settings_of: Settings, tmp_path: Path, probed: Send, sends_schema: bool
) -> None:
    def script(call: Call) -> Send:
        hello = "hello" in call.body["messages"][0]["content"]
        return probed if hello else Send(chat('{"n": 1}'))

    server.script = script
    cache = Cache(tmp_path / "cache.sqlite")
    ask(settings_of(), *with_schema(), cache=cache)
    probe, *rest = server.bodies()
    assert probe["response_format"]["json_schema"]["strict"] is True
    assert "JSON" not in probe["messages"][0]["content"]
    assert len(rest) == 3
    for body in rest:
        assert ("response_format" in body) is sends_schema
    if sends_schema:
        assert rest[0]["response_format"]["json_schema"] == {
            "name": "number",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"n": {"type": "integer"}},
                "required": ["n"],
                "additionalProperties": False,
            },
        }
    before = len(server.calls)
    ask(settings_of(), *with_schema(1), cache=cache)
    assert len(server.calls) == before + 1, "the verdict is remembered"
    cache.close()


def test_a_server_that_refuses_schemas(
    server: FakeServer, settings_of: Settings, tmp_path: Path
) -> None:
    refusal = error("this server knows no 'response_format'")
    server.script = lambda call: refusal if "response_format" in call.body else Send(chat("{}"))
    cache = Cache(tmp_path / "cache.sqlite")
    assert ask(settings_of(), *with_schema(), cache=cache) == [Reply("{}", Usage(10, 5))] * 3
    assert len(server.calls) == 2 + 3
    ask(settings_of(), *with_schema(1), cache=cache)
    assert len(server.calls) == 2 + 3 + 1
    cache.close()


def test_a_probe_without_an_answer_is_not_remembered(
    server: FakeServer, settings_of: Settings, tmp_path: Path
) -> None:
    server.say(Send(chat("Hel", "length")), Send(chat("{}")))
    cache = Cache(tmp_path / "cache.sqlite")
    ask(settings_of(), *with_schema(1), cache=cache)
    assert cache.fact(server.url, "m", "structured output (chat)") is None
    cache.close()


def test_a_local_server_needs_no_key(
    server: FakeServer, settings_of: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    ask(settings_of(), REQUEST)
    assert server.calls[0].headers["authorization"] == "Bearer none"
    server.say(error("who are you", 401))
    with pytest.raises(UserError, match="wants a key - set OTHER_KEY, or name"):
        ask(settings_of(api_key_env="OTHER_KEY"), REQUEST)


def test_openai_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        Endpoint(ModelSettings("gpt-5-mini"))


def test_the_parts_of_an_address_reach_the_server(
    server: FakeServer, settings_of: Settings
) -> None:
    url = server.url.replace("http://", "http://me:secret-word@") + "/?api-version=1"
    settings = settings_of(base_url=url)
    ask(settings, REQUEST)
    (call,) = server.calls
    assert call.path == "/v1/chat/completions?api-version=1"
    assert call.headers["authorization"].startswith("Basic ")
    assert settings.shown_url == server.url
    assert "secret-word" not in repr(settings)


def test_after_a_stop_nothing_is_sent_but_calls_under_way_are_answered(
    server: FakeServer, settings_of: Settings
) -> None:
    server.say(Send(chat("4"), delay_s=0.1))

    async def main() -> list[Any]:
        endpoint = Endpoint(settings_of(concurrency=2), patience=QUICK)
        tasks = [asyncio.create_task(endpoint.ask(one)) for one in numbered(5)]
        while len(server.calls) < 2:
            await asyncio.sleep(0.01)
        endpoint.stop()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await endpoint.close()
        return answers

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [Reply] * 2 + [Stopped] * 3
    assert len(server.calls) == 2


def test_openai_is_imported_only_to_call() -> None:
    code = (
        "import sys, tracelift_groups.llm.client, tracelift_groups.llm.driver; "
        "assert not {'openai', 'httpx2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
