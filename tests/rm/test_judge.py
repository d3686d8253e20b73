from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.judge import Judge, RemoteScorer, key_from, load_judge, read_reply

ITEMS = [Item("p", "r" * n, "code", "t") for n in range(1, 4)]


@pytest.mark.parametrize(
    "reply",
    [
        [0.1, 0.2, 1],
        {"scores": [0.1, 0.2, 1]},
        {"results": [{"total_score": 0.1}, {"score": 0.2}, {"reward": 1}]},
        {"outputs": [{"total": 0.1}, {"value": 0.2}, 1]},
        {"data": [0.1, 0.2, 1], "model": "m"},
    ],
)
def test_every_form_of_the_protocol_is_read(reply: Any) -> None:
    assert read_reply(reply, 3, "url") == [0.1, 0.2, 1.0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"error": "x"}, "none of scores"),
        ([0.1, 0.2], "2 scores for 3 items"),
        ([0.1, None, 0.2], "score 1 is None"),
        ([0.1, True, 0.2], "score 1 is True"),
        ([0.1, {"x": 1}, 0.2], "score 1 is None"),
        ([0.1, float("nan"), 0.2], "score 1 is not finite"),
    ],
)
def test_another_reply_is_an_error_and_never_a_zero(reply: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_reply(reply, 3, "url")


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = json.loads(body)
        status = 200 if self.headers["authorization"] == "Bearer secret" else 401
        answer: Any = [len(item["reasoning"]) for item in request["items"]]
        if status != 200:
            answer = {"error": "no key"}
        self.server.seen.append((self.path, request))  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_is_asked_in_the_published_words(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RM_KEY", "secret")
    judge = load_judge(f"http://127.0.0.1:{server.server_port}/", key_env="RM_KEY")
    assert judge(ITEMS) == [1, 2, 3]
    path, request = server.seen[0]  # type: ignore[attr-defined]
    assert path == "/score"
    item = {"problem": "p", "reasoning": "r", "task_name": "code", "task_type": "code"}
    assert request["items"][0] == {**item, "tests": "t"}


def test_a_server_that_refuses_is_one_line(server: ThreadingHTTPServer) -> None:
    scorer = RemoteScorer(f"http://127.0.0.1:{server.server_port}/score", "wrong")
    with pytest.raises(UserError, match="the server says 401") as told:
        scorer(ITEMS)
    assert "wrong" not in str(told.value)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no answer from the server"):
        RemoteScorer("http://127.0.0.1:9")(ITEMS)


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RM_KEY", raising=False)
    with pytest.raises(UserError, match="RM_KEY: the environment variable is not set"):
        key_from("RM_KEY")


def test_items_go_in_chunks_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    sizes: list[int] = []

    def score(items: Any) -> list[float]:
        sizes.append(len(items))
        return [float(item.reasoning) for item in items]

    judge = Judge(score, lambda done, total: told.append((done, total)))
    items = [Item("p", str(n)) for n in range(600)]
    assert judge(items) == list(range(600))
    assert sizes == [256, 256, 88]
    assert told[-1] == (600, 600)
