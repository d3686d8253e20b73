from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import Tlg
from tests.rm.small import ITEMS, save_small
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.judge import RemoteScorer
from tracelift_groups.rm.score import Scorer
from tracelift_groups.rm.serve import BadRequestError, Limits, parse_items

KEY = "k3y-of-the-server"
GOOD: dict[str, Any] = {"problem": "p", "reasoning": "r", "task_name": "math", "task_type": "math"}


class Answer(NamedTuple):
    status: int
    body: Any


class Server:
    """``tlg serve-rm`` in a process of its own."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        options = ["--port=0", *map(str, arguments)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tracelift_groups", "serve-rm", str(folder), *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RM_KEY": KEY, "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stderr is not None
        self.told = ""
        while " on http://" not in self.told:
            line = self.process.stderr.readline()
            assert line, self.told
            self.told += line
        self.port = int(self.told.rpartition(":")[2].partition("/")[0])
        for _ in range(200):
            with contextlib.suppress(OSError):
                if self.ask("GET", "/health").status == 200:
                    break
            time.sleep(0.05)

    def ask(self, method: str, path: str, body: Any = None, key: str | None = KEY) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        raw = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        connection.request(method, path, raw, headers)
        reply = connection.getresponse()
        answer = Answer(reply.status, json.loads(reply.read()))
        connection.close()
        return answer

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, self.told + rest


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("rm") / "small")


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Server]:
    server = Server(model, "--api-key-env", "RM_KEY", "--max-items", 50)
    yield server
    status, told = server.stop()
    assert status == 0, told
    assert KEY not in told
    assert "WARNING" not in told


def test_scores_are_those_of_the_model(server: Server, model: Path) -> None:
    expected = [one.score for one in Scorer.load(model, device="cpu").score(ITEMS)]
    remote = RemoteScorer(f"http://127.0.0.1:{server.port}", KEY)
    assert remote(ITEMS) == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) == len(expected)


def test_many_clients_get_their_own_scores(server: Server, model: Path) -> None:
    items = [Item("How many?", f"{n} + {n} = {2 * n}, so there are {2 * n}.") for n in range(64)]
    expected = [one.score for one in Scorer.load(model, device="cpu").score(items)]
    remote = RemoteScorer(f"http://127.0.0.1:{server.port}", KEY)
    before = server.ask("GET", "/health").body
    with ThreadPoolExecutor(32) as pool:
        found = [score for (score,) in pool.map(lambda item: remote([item]), items)]
    assert found == pytest.approx(expected, abs=1e-5)
    after = server.ask("GET", "/health").body
    assert after["scored"] - before["scored"] == 64
    assert after["batches"] - before["batches"] < 40


def test_the_reply_is_an_object_with_scores(server: Server) -> None:
    request = {"items": [GOOD, GOOD], "max_length": 3072, "batch_size": 1}
    answer = server.ask("POST", "/score", request)
    assert answer.status == 200
    assert list(answer.body) == ["scores"]
    assert len(answer.body["scores"]) == 2
    assert server.ask("POST", "/score", {"items": []}).body == {"scores": []}


def test_health_needs_no_key_and_tells_no_secret(server: Server) -> None:
    status, body = server.ask("GET", "/health", key=None)
    assert status == 200
    assert (body["status"], body["model"]) == ("ok", "small")
    assert KEY not in json.dumps(body)


@pytest.mark.parametrize("key", [None, "wrong", KEY + "x", KEY[:-1], "k\u00e9y"])
def test_without_the_key_there_is_no_score(server: Server, key: str | None) -> None:
    answer = server.ask("POST", "/score", {"items": [GOOD]}, key=key)
    assert answer.status == 401
    assert "asks for a key" in answer.body["error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/score", b"{", 400, "not JSON"),
        ("POST", "/score", b"\xff\xfe", 400, "not JSON"),
        ("POST", "/score", b"[" * 100_000, 400, "not JSON"),
        ("POST", "/score", [GOOD], 422, 'a list of "items"'),
        ("POST", "/score", {"items": {}}, 422, 'a list of "items"'),
        ("POST", "/score", {"items": [GOOD, "x"]}, 422, "items[1] is no object"),
        ("POST", "/score", {"items": [{**GOOD, "reasoning": " "}]}, 422, "items[0].reasoning is"),
        ("POST", "/score", {"items": [{"reasoning": "r"}]}, 422, "items[0].problem is missing"),
        ("POST", "/score", {"items": [{**GOOD, "tests": 3}]}, 422, "items[0].tests is"),
        ("POST", "/score", {"items": [{**GOOD, "task_type": "art"}]}, 422, "task_type is neither"),
        ("POST", "/score", {"items": [{**GOOD, "problem": "\ud800"}]}, 422, "no valid Unicode"),
        ("POST", "/score", {"items": [GOOD], "max_length": 0}, 422, "max_length is no positive"),
        ("POST", "/score", {"items": [GOOD], "batch_size": "1"}, 422, "batch_size is no positive"),
        ("POST", "/score", {"items": [GOOD] * 51}, 413, "51 items, of at most 50"),
        ("POST", "/score", {"items": [{**GOOD, "reasoning": "r" * 100_001}]}, 413, "100001 char"),
        ("POST", "/score", b" " * 8_000_001, 413, "more than 8000000 bytes"),
        ("GET", "/score", None, 405, "POST /score"),
        ("GET", "/", None, 404, "POST /score"),
    ],
)
def test_a_mistake_is_a_4xx_with_the_reason(
    server: Server, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answer = server.ask(method, path, body)
    assert answer.status == status
    assert words in answer.body["error"]


def test_a_problem_that_fills_the_model_is_the_clients_mistake(server: Server) -> None:
    long = {**GOOD, "problem": "many words " * 400}
    answer = server.ask("POST", "/score", {"items": [long]})
    assert answer.status == 422
    assert "the problem alone" in answer.body["error"]
    assert server.ask("POST", "/score", {"items": [GOOD]}).status == 200


def test_task_name_stands_in_for_task_type() -> None:
    body = json.dumps({"items": [{"problem": "p", "reasoning": "r", "task_name": "code"}]})
    assert parse_items(body.encode(), Limits())[0].domain == "code"
    body = json.dumps({"items": [{"problem": "p", "reasoning": "r"}]})
    assert parse_items(body.encode(), Limits())[0].domain == "math"
    with pytest.raises(BadRequestError):
        parse_items(b"null", Limits())


def test_an_open_address_without_a_key_is_told_loudly(model: Path) -> None:
    status, told = Server(model, "--host", "0.0.0.0").stop()
    assert status == 0
    assert "WARNING: anybody who can reach 0.0.0.0" in told


def test_sigterm_answers_what_was_asked(model: Path) -> None:
    server = Server(model)
    items = [{**GOOD, "reasoning": f"{n} and more " * 30} for n in range(1000)]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask, "POST", "/score", {"items": items})
        for _ in range(2000):  # it is under way
            if server.ask("GET", "/health").body["batches"]:
                break
        status, told = server.stop()
        answer = asked.result()
    assert (answer.status, len(answer.body["scores"])) == (200, 1000)
    assert (status, "Traceback" in told) == (0, False), told


def test_a_port_in_use_and_a_key_that_is_not_set_are_one_line(
    tlg: Tlg, server: Server, model: Path
) -> None:
    for arguments, words in (
        (["--port", server.port], "cannot listen on 127.0.0.1"),
        (["--api-key-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE: the environment variable"),
    ):
        done = tlg("serve-rm", model, *arguments)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert words in done.stderr
