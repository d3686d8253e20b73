"""The reward model behind the reward: in this process and behind a server."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from tests.llm.fake_server import Call, Send, running_server
from tests.rm.small import ITEMS, save_small
from tracelift_groups.grpo.scorer import FolderRm, ServedRm, open_rm
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.score import Scorer

LONG = Item("A riddle. " * 400, "No.")  # the problem alone is longer than the model reads


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("rm") / "small")


def scored(rm: FolderRm | ServedRm, items: list[Item]) -> list[float | None]:
    async def ask() -> list[float | None]:
        try:
            return await rm.score(items)
        finally:
            await rm.close()

    return asyncio.run(ask())


def test_a_folder_gives_what_its_scorer_gives(folder: Path) -> None:
    expected = [one.score for one in Scorer.load(folder, device="cpu").score(ITEMS)]
    before = threading.active_count()
    rm = FolderRm(folder, "cpu")
    assert scored(rm, ITEMS) == pytest.approx(expected, abs=1e-5)
    rm._thread.shutdown()
    assert threading.active_count() == before


def test_an_item_that_cannot_be_read_costs_the_others_nothing(folder: Path) -> None:
    expected = scored(FolderRm(folder, "cpu"), ITEMS)
    found = scored(FolderRm(folder, "cpu"), [*ITEMS[:2], LONG, *ITEMS[2:]])
    assert found[2] is None
    assert [*found[:2], *found[3:]] == pytest.approx(expected, abs=1e-5)


def strict(call: Call) -> Send:
    """Refuses all items of a request that holds a long one, as servers do."""
    items = call.body["items"]
    if any(len(item["problem"]) > 1000 for item in items):
        return Send({"error": "items[2].problem is too long"}, 413)
    return Send({"scores": [len(item["reasoning"]) / 1000 for item in items]})


def test_an_item_that_a_server_refuses_costs_the_others_nothing() -> None:
    items = [Item(f"p{n}", "r" * n) for n in range(1, 8)]
    with running_server() as server:
        server.script = strict
        found = scored(ServedRm(f"http://127.0.0.1:{server.port}"), [*items[:2], LONG, *items[2:]])
        assert len(server.calls) == 7  # 8, and each half of what holds the long one: 4, 2, 1
    assert found == [0.001, 0.002, None, 0.003, 0.004, 0.005, 0.006, 0.007]


def test_one_that_every_item_is_refused_by_has_no_scores() -> None:
    with running_server() as server:
        server.script = lambda _: Send({"error": "speak another protocol"}, 422)
        assert scored(ServedRm(f"http://127.0.0.1:{server.port}"), ITEMS) == [None] * len(ITEMS)


@pytest.mark.parametrize(
    "reply",
    [
        {"scores": [0.5]},
        {"scores": [0.5, "0.5"]},
        {"scores": [0.5, None]},
        {"scores": [0.5, True]},
        {"ranks": [0.5, 0.5]},
        b'{"scores": [0.5, NaN]}',
        b"",
        "0.5",
    ],
)
def test_a_reply_that_is_none_gives_no_scores(reply: object) -> None:
    with running_server() as server:
        server.script = lambda _: Send(reply)  # type: ignore[arg-type]
        rm = ServedRm(f"http://127.0.0.1:{server.port}", wait_s=0.0)
        assert scored(rm, ITEMS[:2]) == [None, None]
        assert len(server.calls) == 4


def test_connections_that_are_cut_are_tried_again() -> None:
    with running_server() as server:
        fine = Send({"scores": [0.25, 0.5]})
        server.say(Send({"scores": [0.9, 0.9]}, cut=True), Send({}, 503), fine)
        rm = ServedRm(f"http://127.0.0.1:{server.port}", wait_s=0.0)
        assert scored(rm, ITEMS[:2]) == [0.25, 0.5]


def test_nobody_listens() -> None:
    with running_server() as server:
        port = server.port
    rm = ServedRm(f"http://127.0.0.1:{port}", wait_s=0.0)
    assert scored(rm, ITEMS[:2]) == [None, None]


def test_a_key_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RM_KEY", "secret-key")
    with running_server() as server:
        server.script = strict
        rm = open_rm(f"http://127.0.0.1:{server.port}/score", key_env="RM_KEY")
        scored(rm, ITEMS[:2])  # type: ignore[arg-type]
    assert server.calls[0].headers["authorization"] == "Bearer secret-key"
    assert server.calls[0].body["items"][0]["task_type"] == "math"
