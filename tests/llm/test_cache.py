from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Schema, Usage


def request(number: int = 0) -> Request:
    return Request("t", "m", f"What is {number}?", schema=Schema("s", {"type": "object"}))


@pytest.mark.parametrize(
    "answer",
    [
        Reply("4 – vier", Usage(10, 5)),
        Reply("no usage"),
        Failed("truncated", "the reply reached 9 tokens", Usage(1, 9)),
        Failed("refused", "no"),
        Failed("empty"),
        Failed("too_long", "400"),
    ],
)
def test_answers_come_back(tmp_path: Path, answer: Answer) -> None:
    cache = Cache(tmp_path / "new" / "cache.sqlite")
    assert cache.get(request().key) is None
    assert cache.put(request(), answer) == answer
    cache.close()
    again = Cache(cache.path)
    assert again.get(request().key) == answer
    assert again.get(request(1).key) is None
    assert len(again) == 1
    again.close()


@pytest.mark.parametrize("reason", ["unavailable", "bad_request"])
def test_what_is_no_answer_of_the_model_is_not_stored(tmp_path: Path, reason: str) -> None:
    cache = Cache(tmp_path / "c")
    failed = Failed(reason, "x")  # type: ignore[arg-type]
    assert cache.put(request(), failed) is failed
    assert cache.get(request().key) is None
    cache.close()


def test_the_first_answer_counts_for_all_processes(tmp_path: Path) -> None:
    one, two = Cache(tmp_path / "c"), Cache(tmp_path / "c")
    assert one.put(request(), Reply("first")) == Reply("first")
    assert two.put(request(), Reply("second")) == Reply("first")
    one.close()
    two.close()


def test_facts(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    cache.put_fact("http://a", "m", "x", "old")
    cache.put_fact("http://a", "m", "x", "new")
    assert cache.fact("http://a", "m", "x") == "new"
    assert cache.fact("http://a", "other", "x") is None
    cache.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    cache.put(request(), Reply("x"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}
    cache.close()


def write_many(path: Path, barrier: Barrier, writer: int) -> None:
    barrier.wait()
    cache = Cache(path)
    for number in range(100):
        cache.put(request(number), Reply(f"{writer}"))
        assert cache.get(request(number).key) is not None
    cache.close()


def test_several_processes_at_once(tmp_path: Path) -> None:
    """They open it in the same moment and write the same keys; nobody fails."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    writers = [
        context.Process(target=write_many, args=(tmp_path / "c", barrier, n)) for n in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    cache = Cache(tmp_path / "c")
    assert len(cache) == 100
    cache.close()


def write_for_ever(path: Path, told: Path) -> None:
    cache = Cache(path)
    with told.open("a") as log:
        for number in range(100_000):
            cache.put(request(number), Reply("x" * 200))
            log.write(f"{number}\n")
            log.flush()


def test_what_was_stored_survives_a_kill(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    told = tmp_path / "told"
    for _ in range(3):
        told.write_text("")
        writer = context.Process(target=write_for_ever, args=(tmp_path / "c", told))
        writer.start()
        while told.read_text().count("\n") < 50:
            time.sleep(0.005)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        cache = Cache(tmp_path / "c")
        for line in told.read_text().split("\n")[:-1]:
            assert cache.get(request(int(line)).key) == Reply("x" * 200)
        cache.close()


def sqlite_file(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize("trouble", ["text", "foreign", "newer", "damaged", "folder"])
def test_a_file_that_is_no_cache_is_told_in_one_line(tmp_path: Path, trouble: str) -> None:
    path = tmp_path / "c"
    if trouble == "text":
        path.write_text("not a database, but a good deal longer than one header\n" * 50)
    elif trouble == "foreign":
        sqlite_file(path, "CREATE TABLE t (x)")
    elif trouble == "newer":
        Cache(path).close()
        sqlite_file(path, "PRAGMA user_version = 99")
    elif trouble == "damaged":
        cache = Cache(path)
        for number in range(50):
            cache.put(request(number), Reply(os.urandom(500).hex()))
        cache.close()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 16_384)
    else:
        path.mkdir()
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(UserError) as caught:
        damaged = Cache(path)
        try:
            for number in range(50):
                damaged.get(request(number).key)
        finally:
            damaged.close()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before
