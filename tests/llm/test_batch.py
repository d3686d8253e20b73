from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.llm.fake_server import Call, FakeServer, Send, chat, error
from tests.llm.test_session import two_steps
from tracelift_groups.errors import UserError
from tracelift_groups.llm import batch, batchstate
from tracelift_groups.llm.account import BudgetSpent
from tracelift_groups.llm.batch import BatchReport, BatchSession
from tracelift_groups.llm.batchstate import read_state
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.driver import run
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Usage
from tracelift_groups.llm.session import Waiting
from tracelift_groups.llm.settings import ModelSettings

Settings = Callable[..., ModelSettings]
Line = dict[str, Any]


def prompt_of(line: Line) -> str:
    text: str = line["body"]["messages"][0]["content"]
    return text


def fine(line: Line) -> Line:
    return {"response": {"status_code": 200, "body": chat(f"re {prompt_of(line)}")}}


def refused(status: int, message: str, **fields: object) -> Line:
    body = {"error": {"message": message, **fields}}
    return {"response": {"status_code": status, "body": body}, "error": None}


class Batches:
    """The server's side: files and batches, which end when ``finish`` says so."""

    def __init__(self, server: FakeServer) -> None:
        server.script = self.respond
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, list[Line]] = {}

    def respond(self, call: Call) -> Send:
        path = call.path.partition("?")[0].removeprefix("/v1")
        if path == "/files":
            mark = call.headers["content-type"].partition("boundary=")[2].encode()
            parts = call.content.split(b"--" + mark)
            (content,) = [p.partition(b"\r\n\r\n")[2][:-2] for p in parts if b'name="file"' in p]
            name = f"file-{len(self.files)}"
            self.files[name] = content
            return Send({"id": name, "object": "file"})
        if path.startswith("/files/"):
            return Send(self.files[path.split("/")[2]])
        if path == "/batches" and call.method == "POST":
            name = f"batch-{len(self.batches)}"
            content = self.files[call.body["input_file_id"]]
            self.lines[name] = [json.loads(line) for line in content.splitlines()]
            self.batches[name] = {"id": name, "status": "in_progress", **call.body}
            return Send(self.batches[name])
        if path == "/batches":
            return Send({"object": "list", "data": list(self.batches.values()), "has_more": False})
        found = self.batches.get(path.split("/")[2])
        return Send(found) if found else error("no such batch", 404)

    def finish(
        self, answer: Callable[[Line], Line | None] = fine, status: str = "completed", **fields: Any
    ) -> None:
        """End all batches; ``None`` is a request without a line in the output."""
        for name, one in self.batches.items():
            if one["status"] != "in_progress":
                continue
            told = [(line["custom_id"], answer(line)) for line in self.lines[name]]
            lines = [{"custom_id": key, **line} for key, line in told if line is not None]
            good = [line for line in lines if (line["response"] or {}).get("status_code") == 200]
            bad = [line for line in lines if line not in good]
            for which, content in (("output_file_id", good), ("error_file_id", bad)):
                if content:
                    self.files[f"{name}-{which}"] = "".join(
                        json.dumps(line) + "\n" for line in content
                    ).encode()
                    one[which] = f"{name}-{which}"
            one |= {"status": status, **fields}

    def submitted(self) -> Counter[str]:
        """How often each prompt was sent in a batch."""
        return Counter(prompt_of(line) for lines in self.lines.values() for line in lines)


@pytest.fixture
def batches(server: FakeServer) -> Batches:
    return Batches(server)


@pytest.fixture
def open_batches(
    settings_of: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., BatchSession]:
    monkeypatch.setattr(batch, "_HTTP_ATTEMPTS", 1)

    def make(**fields: Any) -> BatchSession:
        cache = Cache(tmp_path / "cache")
        return BatchSession(settings_of(**fields), tmp_path / "run", cache=cache)

    return make


def asked(prompt: str, **fields: Any) -> Request:
    return Request(**{"task": "t", "model": "m", "prompt": prompt, **fields})


def ask(session: BatchSession, *requests: Request) -> list[Answer] | None:
    """Return the answers, or None where they come another day."""
    try:
        return asyncio.run(session.ask_all(requests))
    except Waiting:
        return None


Open = Callable[..., BatchSession]


def test_stages_get_further_day_by_day(batches: Batches, open_batches: Open) -> None:
    results: dict[int, str] = {}
    days = []
    for _ in range(3):
        with open_batches() as session:
            reports = session.collect()
            waiting = asyncio.run(
                run(range(3), two_steps, session, width=2, on_result=results.__setitem__)
            )
            days.append((waiting, session.submit(), [r.status for r in reports]))
        batches.finish()
    assert days == [(3, 3, []), (3, 6, ["completed"]), (0, 0, ["completed"])]
    assert results[1] == "re 1+re 1/re 1/a+re 1/re 1/b"
    assert set(batches.submitted().values()) == {1}


def test_what_is_sent(batches: Batches, server: FakeServer, open_batches: Open) -> None:
    with open_batches() as session:
        assert ask(session, asked("a"), asked("a"), asked("b", api="completions")) is None
        assert ask(session, asked("c", model="other")) is None
        assert session.submit() == 3
    uploads = [call for call in server.calls if call.path == "/v1/files"]
    assert all(b'name="purpose"\r\n\r\nbatch' in call.content for call in uploads)
    begun = [(b["endpoint"], b["completion_window"]) for b in batches.batches.values()]
    assert begun == [
        ("/v1/chat/completions", "24h"),
        ("/v1/completions", "24h"),
        ("/v1/chat/completions", "24h"),
    ]
    (line,) = batches.lines["batch-0"]
    assert line["custom_id"] == asked("a").key
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert line["body"]["messages"] == [{"role": "user", "content": "a"}]


def test_while_a_batch_is_under_way_nothing_is_sent_again(
    batches: Batches, open_batches: Open
) -> None:
    for _ in range(3):
        with open_batches() as session:
            reports = session.collect()
            assert ask(session, asked("a")) is None
            session.submit()
    assert reports == [BatchReport(reports[0].name, "in_progress", 1)]
    assert batches.submitted() == {"a": 1}


def test_every_line_is_read_as_a_single_call_is(batches: Batches, open_batches: Open) -> None:
    replies: dict[str, Line | None] = {
        "fine": {"response": {"status_code": 200, "body": chat("yes")}},
        "cut": {"response": {"status_code": 200, "body": chat("ye", "length")}},
        "long": refused(400, "x", code="context_length_exceeded"),
        "odd": refused(400, "messages: bad"),
        "late": {"response": None, "error": {"code": "batch_expired", "message": "expired"}},
        "lost": None,
    }
    requests = [asked(name) for name in replies]
    with open_batches() as session:
        ask(session, *requests)
        session.submit()
        batches.finish(lambda line: replies[prompt_of(line)], status="expired")
        (report,) = session.collect()
        assert (report.status, report.requests, report.answered) == ("expired", 6, 3)
        assert "1 x expired" in report.detail
        found = {name: ask(session, asked(name)) for name in replies}
        assert found == {
            "fine": [Reply("yes", Usage(10, 5))],
            "cut": [Failed("truncated", "the reply reached 5 tokens", Usage(10, 5))],
            "long": [Failed("too_long", "400 x")],
            "odd": [Failed("bad_request", "400 messages: bad")],
            "late": None,
            "lost": None,
        }
        assert session.submit() == 2
        assert not list((session._folder / "batches").glob("*.upload"))
    assert batches.submitted() == dict.fromkeys(replies, 1) | {"late": 2, "lost": 2}


def test_a_request_that_fails_every_time_is_given_up(batches: Batches, open_batches: Open) -> None:
    with open_batches() as session:
        for _ in range(3):
            assert ask(session, asked("a")) is None
            session.submit()
            batches.finish(lambda _: refused(500, "boom"))
            session.collect()
        assert ask(session, asked("a")) == [Failed("unavailable", "500 boom")]
    assert batches.submitted() == {"a": 3}


def test_a_batch_that_failed_is_sent_again_and_told(batches: Batches, open_batches: Open) -> None:
    with open_batches() as session:
        ask(session, asked("a"))
        session.submit()
        errors = {"object": "list", "data": [{"message": "token limit reached", "code": "x"}]}
        batches.finish(lambda _: None, status="failed", errors=errors)
        (report,) = session.collect()
        assert (report.status, report.answered) == ("failed", 0)
        assert "token limit reached" in report.detail
        assert ask(session, asked("a")) is None
        assert session.submit() == 1


@pytest.mark.parametrize("names", [["max_tokens"], ["max_tokens", "max_completion_tokens"]])
def test_refused_parameters_are_learned_once(
    batches: Batches, open_batches: Open, names: list[str]
) -> None:
    def answer(line: Line) -> Line:
        for name in names:
            if name in line["body"]:
                return refused(400, f"Unsupported parameter: '{name}'", param=name)
        return fine(line)

    requests = [asked("a"), asked("b"), asked("c", model="other")]
    with open_batches() as session:
        for _ in range(len(names) + 1):
            assert ask(session, *requests) is None
            session.submit()
            batches.finish(answer)
            session.collect()
        answers = ask(session, *requests)
    assert answers == [Reply(f"re {name}", Usage(10, 5)) for name in "abc"]
    assert set(batches.submitted().values()) == {len(names) + 1}


def test_batches_hold_as_much_as_a_server_takes(
    batches: Batches, open_batches: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_REQUESTS", 4)
    monkeypatch.setattr(batch, "MOST_BYTES", 2000)
    with open_batches() as session:
        ask(session, *(asked(str(n)) for n in range(10)), *(asked(f"{n}" * 800) for n in range(4)))
        session.submit()
    sizes = [len(lines) for lines in batches.lines.values()]
    assert sizes[:2] == [4, 4]
    assert max(len(content) for content in batches.files.values()) <= 2000
    assert sum(sizes) == 14


def test_a_budget_of_calls_is_kept(batches: Batches, open_batches: Open) -> None:
    with open_batches(max_calls=4) as session:
        ask(session, *(asked(str(n)) for n in range(10)))
        with pytest.raises(BudgetSpent):
            session.submit()
    assert sum(batches.submitted().values()) == 4
    with open_batches() as session:
        assert ask(session, *(asked(str(n)) for n in range(10))) is None
        assert session.submit() == 6
    assert set(batches.submitted().values()) == {1}


def test_a_response_that_is_lost_begins_no_second_batch(
    batches: Batches, server: FakeServer, open_batches: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_HTTP_ATTEMPTS", 3)

    def script(call: Call) -> Send:
        sent = batches.respond(call)
        return error("lost", 500) if (call.method, call.path) == ("POST", "/v1/batches") else sent

    server.script = script
    with open_batches() as session:
        ask(session, asked("a"))
        with pytest.raises(UserError, match="500 lost"):
            session.submit()
    server.script = batches.respond
    with open_batches() as session:
        assert session.submit() == 0, "found by its name"
    assert batches.submitted() == {"a": 1}


def test_what_was_noted_and_not_submitted_leaves_nothing(
    batches: Batches, open_batches: Open, tmp_path: Path
) -> None:
    with open_batches() as session:
        ask(session, asked("a"))
    with open_batches() as session:
        assert list((tmp_path / "run" / "batches").iterdir()) == []
        assert ask(session, asked("a")) is None
        assert session.submit() == 1


class Killed(BaseException):
    pass


def test_killed_between_any_two_steps_nothing_is_sent_twice(
    batches: Batches, open_batches: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every HTTP call and every record of the state is a step; dies before or after it."""
    left = 0

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    def mortal(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            step()
            result = function(*arguments, **named)
            step()
            return result

        return wrapped

    monkeypatch.setattr(httpx2.Client, "send", mortal(httpx2.Client.send))
    monkeypatch.setattr(batch, "save_state", mortal(batchstate.save_state))
    deaths = 0
    for number in range(30):
        requests = [asked(f"{number}/{n}") for n in range(3)]
        left, alive = number + 1, False
        while not alive:
            session = open_batches()
            try:
                session.collect()
                if ask(session, *requests) is None:
                    session.submit()
                    batches.finish()
                else:
                    alive = True
            except Killed:
                deaths += 1
                left = 0
            session.close()
        if left > 0:
            break
    else:
        pytest.fail("there are more steps than were tried")
    assert deaths > 10
    assert set(batches.submitted().values()) == {1}


def test_mistakes_are_told_in_one_line(
    batches: Batches, server: FakeServer, open_batches: Open, tmp_path: Path
) -> None:
    with open_batches() as session:
        ask(session, asked("a"))
        server.say(error("no", 401))
        with pytest.raises(UserError, match="refuses the key in OPENAI_API_KEY"):
            session.submit()
        server.say(error("Not Found", 404))
        with pytest.raises(UserError, match="no Batch API at /files"):
            session.submit()
        server.say(error("boom", 500))
        with pytest.raises(UserError, match=r"500 boom.*the same command"):
            session.submit()
        for body in ([1], {"object": "file"}, b"<html>"):
            server.say(Send(body))
            with pytest.raises(UserError, match="what /files said is not of the protocol"):
                session.submit()
        server.script = batches.respond
        assert session.submit() == 1
        batches.batches.clear()
        with pytest.raises(UserError, match="no batch batch-0"):
            session.collect()
    (tmp_path / "run" / "batches.json").write_text('{"version": 1, "parts": [], "x": 1}')
    with pytest.raises(UserError, match=r"batches\.json: not the record of batches \(.*x"):
        open_batches()


def test_the_record_is_small_and_emptied(
    batches: Batches, open_batches: Open, tmp_path: Path
) -> None:
    with open_batches() as session:
        ask(session, asked("a"))
        session.submit()
        batches.finish()
        session.collect()
    state = read_state(tmp_path / "run")
    assert (state.parts, state.losses) == ([], {})
    assert list((tmp_path / "run" / "batches").iterdir()) == []
