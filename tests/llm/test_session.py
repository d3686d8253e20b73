from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.llm.conftest import QUICK
from tests.llm.fake_server import Call, FakeServer, Send, chat, error
from tracelift_groups.errors import UserError
from tracelift_groups.llm.account import Account, Budget, BudgetSpent
from tracelift_groups.llm.asking import Asks
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.client import Endpoint, EndpointDown
from tracelift_groups.llm.driver import run
from tracelift_groups.llm.prices import Price
from tracelift_groups.llm.request import Answer, Reply, Request, Usage
from tracelift_groups.llm.session import Session, Waiting, open_session
from tracelift_groups.llm.settings import ModelSettings

Settings = Callable[..., ModelSettings]


def asked(prompt: str) -> Request:
    return Request(task="t", model="m", prompt=prompt)


def two_steps(item: int) -> Asks[str]:
    """Ask one question, then two at once."""
    (first,) = yield [asked(f"{item}")]
    assert isinstance(first, Reply)
    second, third = yield [asked(f"{item}/{first.text}/a"), asked(f"{item}/{first.text}/b")]
    assert isinstance(second, Reply)
    assert isinstance(third, Reply)
    return f"{first.text}+{second.text}+{third.text}"


class Echo:
    """Answers with the length of the prompt, after a moment."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.asked: list[Request] = []
        self.delay_s = delay_s

    async def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        await asyncio.sleep(self.delay_s)
        return Reply(str(len(request.prompt)), Usage(1, 1))


def prompt_of(call: Call) -> str:
    text: str = call.body["messages"][0]["content"]
    return text


def test_every_item_gets_its_result() -> None:
    results: dict[int, str] = {}

    async def main() -> Account:
        async with Session(Echo()) as session:
            waiting = await run(
                range(30), two_steps, session, width=4, on_result=results.__setitem__
            )
            assert waiting == 0
            return session.account

    account = asyncio.run(main())
    assert results == {n: f"{len(str(n))}+{len(str(n)) + 4}+{len(str(n)) + 4}" for n in range(30)}
    assert (account.calls, account.answered_calls, account.input_tokens) == (90, 90, 90)


def test_no_more_stages_than_the_width_are_begun() -> None:
    begun: list[int] = []
    finished: list[int] = []

    def items() -> Iterator[int]:
        for n in range(50):
            begun.append(n)
            assert len(begun) - len(finished) <= 5
            yield n

    async def main() -> None:
        async with Session(Echo()) as session:
            await run(
                items(), two_steps, session, width=5, on_result=lambda n, _: finished.append(n)
            )

    asyncio.run(main())
    assert len(finished) == 50


def test_answers_are_paid_for_once(tmp_path: Path) -> None:
    def once() -> tuple[int, Account]:
        async def main() -> tuple[int, Account]:
            echo = Echo()
            async with Session(echo, cache=Cache(tmp_path / "c")) as session:
                await run(range(5), two_steps, session, width=2, on_result=lambda *_: None)
                return len(echo.asked), session.account

        return asyncio.run(main())

    sent, account = once()
    assert (sent, account.calls, account.from_cache) == (15, 15, 0)
    sent, account = once()
    assert (sent, account.calls, account.from_cache) == (0, 0, 15)


def test_equal_requests_under_way_are_sent_once() -> None:
    async def main() -> None:
        echo = Echo(0.01)
        session = Session(echo)
        one, two = await asyncio.gather(
            session.ask_all([asked("x"), asked("x")]), session.ask_all([asked("x")])
        )
        assert one + two == [Reply("1", Usage(1, 1))] * 3
        assert len(echo.asked) == 1
        assert (session.account.calls, session.account.from_cache) == (1, 2)

    asyncio.run(main())


def test_an_answer_is_stored_before_it_is_used(tmp_path: Path) -> None:
    def stage(item: int) -> Asks[bool]:
        (_,) = yield [asked(str(item))]
        other = Cache(tmp_path / "c")
        stored = other.get(asked(str(item)).key) is not None
        other.close()
        return stored

    seen: list[bool] = []

    async def main() -> None:
        async with Session(Echo(), cache=Cache(tmp_path / "c")) as session:
            await run(range(3), stage, session, width=1, on_result=lambda _, r: seen.append(r))

    asyncio.run(main())
    assert seen == [True] * 3


def test_the_answer_that_another_process_stored_first_is_used(tmp_path: Path) -> None:
    other = Cache(tmp_path / "c")

    class Overtaken:
        async def ask(self, request: Request) -> Answer:
            other.put(request, Reply("theirs"))
            return Reply("ours")

    async def main() -> list[Answer]:
        async with Session(Overtaken(), cache=Cache(tmp_path / "c")) as session:
            return await session.ask_all([asked("x")])

    assert asyncio.run(main()) == [Reply("theirs")]
    other.close()


def drive(
    settings: ModelSettings, count: int, cache: Path, budget: Budget | None = None
) -> Account:
    """Run ``two_steps`` against an endpoint."""

    async def main() -> Account:
        account = Account(budget=budget)
        endpoint = Endpoint(settings, account=account, patience=QUICK)
        async with Session(endpoint, cache=Cache(cache)) as session:
            await run(range(count), two_steps, session, width=8, on_result=lambda *_: None)
            return account

    return asyncio.run(main())


def test_a_spent_budget_stops_before_the_next_call_and_resumes(
    server: FakeServer, settings_of: Settings, tmp_path: Path
) -> None:
    cache = tmp_path / "c"
    for most in (10, 10, 4):
        before = len(server.calls)
        with pytest.raises(BudgetSpent, match=f"--max-calls {most} is reached.*the same command"):
            drive(settings_of(concurrency=8), 9, cache, Budget(max_calls=most))
        assert len(server.calls) == before + most
    account = drive(settings_of(concurrency=8), 9, cache, Budget(max_calls=3))
    assert account.calls == 3
    assert len(server.calls) == 27
    assert len({prompt_of(call) for call in server.calls}) == 27


def test_a_limit_in_dollars_is_passed_by_the_calls_under_way_at_most(
    server: FakeServer, settings_of: Settings, tmp_path: Path
) -> None:
    """A call costs one cent."""

    async def main() -> None:
        price = Price(input=500, output=1000)
        account = Account({"m": price}, Budget(max_cost=0.10))
        endpoint = Endpoint(settings_of(concurrency=4), account=account, patience=QUICK)
        async with Session(endpoint, cache=Cache(tmp_path / "c")) as session:
            with pytest.raises(BudgetSpent, match=r"--max-cost 0\.1 is reached"):
                await run(range(99), two_steps, session, width=8, on_result=lambda *_: None)
            assert session.cache is not None
            assert len(session.cache) == len(server.calls) == account.answered_calls

    asyncio.run(main())
    assert 10 <= len(server.calls) <= 10 + 3


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("cutting", [False, True])
def test_with_a_third_of_the_replies_faulty_everything_is_answered(
    server: FakeServer,
    settings_of: Settings,
    tmp_path: Path,
    concurrency: int,
    cutting: bool,
) -> None:
    chance = random.Random(0)
    faults = [error("busy", 429), error("boom", 500), Send(b"<html>")]
    faults += [Send(chat("4"), cut=True), Send(b"", cut=True)] if cutting else []
    cuts = 0

    def script(_: Call) -> Send:
        nonlocal cuts
        sent = chance.choice(faults) if chance.random() < 0.3 else Send(chat("4"))
        cuts += sent.cut
        return sent

    server.script = script
    account = drive(settings_of(concurrency=concurrency, attempts=12), 60, tmp_path / "c")
    assert account.answered_calls == 180
    assert account.failures == {}
    assert len(server.calls) > 220
    # On each connection that is being cut one call may be sent that nobody receives any more.
    assert len(server.calls) <= account.calls <= len(server.calls) + cuts


def test_retries_count_as_calls(server: FakeServer, settings_of: Settings, tmp_path: Path) -> None:
    flaky = iter(range(1000))
    server.script = lambda _: error("x", 500) if next(flaky) % 2 else Send(chat("4"))
    with pytest.raises(BudgetSpent):
        drive(settings_of(concurrency=4, attempts=9), 9, tmp_path / "c", Budget(max_calls=11))
    assert len(server.calls) == 11


@pytest.mark.parametrize(
    ("send", "expected"),
    [(error("no", 401), UserError), (error("no", 429, code="insufficient_quota"), UserError)],
)
def test_calls_under_way_are_stored_when_another_ends_the_run(
    server: FakeServer, settings_of: Settings, tmp_path: Path, send: Send, expected: type[Exception]
) -> None:
    def script(call: Call) -> Send:
        if prompt_of(call) == "3":
            return replace(send, delay_s=0.05)
        return Send(chat("4"), delay_s=0.15)

    server.script = script
    with pytest.raises(expected):
        drive(settings_of(concurrency=4), 9, tmp_path / "c")
    cache = Cache(tmp_path / "c")
    assert len(server.calls) == 4
    assert all(cache.get(asked(str(n)).key) for n in range(3))
    cache.close()


def test_an_endpoint_that_goes_down_loses_nothing(
    server: FakeServer, settings_of: Settings, tmp_path: Path
) -> None:
    server.script = lambda _: Send(chat("4")) if len(server.calls) <= 10 else error("down", 503)
    with pytest.raises(EndpointDown, match="503 down"):
        drive(settings_of(), 20, tmp_path / "c")
    server.script = lambda _: Send(chat("4"))
    before = len(server.calls)
    drive(settings_of(), 20, tmp_path / "c")
    assert len(server.calls) - before == 60 - 10


def test_a_mistake_in_a_stage_keeps_its_traceback_and_the_answers(tmp_path: Path) -> None:
    def stage(item: int) -> Asks[None]:
        yield [asked(str(item))]
        if item == 0:
            raise ZeroDivisionError
        yield [asked(f"{item} again")]

    async def main() -> None:
        cache = Cache(tmp_path / "c")
        async with Session(Echo(0.01), cache=cache) as session:
            with pytest.raises(ZeroDivisionError):
                await run(range(9), stage, session, width=3, on_result=lambda *_: None)
            assert len(cache) == 3 + 2

    asyncio.run(main())


def test_steps_run_in_threads() -> None:
    ran_in: set[str] = set()
    closed: list[int] = []

    def stage(item: int) -> Asks[int]:
        try:
            ran_in.add(threading.current_thread().name.split("_")[0])
            yield [asked(str(item))]
            ran_in.add(threading.current_thread().name.split("_")[0])
            return item
        finally:
            closed.append(item)

    results: list[int] = []

    async def main() -> None:
        async with Session(Echo()) as session:
            await run(
                range(20),
                stage,
                session,
                width=6,
                on_result=lambda _, r: results.append(r),
                threads=2,
            )

    asyncio.run(main())
    assert ran_in == {"stage"}
    assert sorted(results) == sorted(closed) == list(range(20))


def test_stages_that_wait_are_counted() -> None:
    class Later(Session):
        async def ask_all(self, requests: object) -> list[Answer]:
            raise Waiting

    async def main() -> int:
        async with Later(Echo()) as session:
            return await run(range(7), two_steps, session, width=2, on_result=lambda *_: None)

    assert asyncio.run(main()) == 7


INTERRUPTED = """
import asyncio, sys
from pathlib import Path
from tests.llm.test_session import two_steps
from tracelift_groups.llm.driver import run
from tracelift_groups.llm.session import open_session
from tracelift_groups.llm.settings import ModelSettings

async def main():
    settings = ModelSettings("m", base_url=sys.argv[1], cache=Path(sys.argv[2]), concurrency=4)
    async with open_session(settings) as session:
        await run(iter(int, 1), two_steps, session, width=4, on_result=print)

asyncio.run(main())
"""


def test_ctrl_c_stores_what_is_under_way(server: FakeServer, tmp_path: Path) -> None:
    server.say(Send(chat("4"), delay_s=0.2))
    code = INTERRUPTED.replace("iter(int, 1)", "range(100)")
    process = subprocess.Popen(
        [sys.executable, "-c", code, server.url, str(tmp_path / "c")], stderr=subprocess.PIPE
    )
    while len(server.calls) < 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert stderr.decode().strip().endswith("KeyboardInterrupt")
    assert len(server.calls) == 4
    cache = Cache(tmp_path / "c")
    assert len(cache) == 4
    cache.close()


def test_ctrl_c_does_not_wait_for_ever(server: FakeServer, tmp_path: Path) -> None:
    server.say(Send(chat("4"), delay_s=60.0))
    code = "from tracelift_groups.llm import driver; driver._INTERRUPTED_S = 0.1\n"
    code += INTERRUPTED.replace("iter(int, 1)", "range(100)")
    process = subprocess.Popen(
        [sys.executable, "-c", code, server.url, str(tmp_path / "c")], stderr=subprocess.PIPE
    )
    while len(server.calls) < 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert stderr.decode().strip().endswith("KeyboardInterrupt")


def test_a_kill_loses_only_what_is_under_way(server: FakeServer, tmp_path: Path) -> None:
    """Killed three times, resumed: of all requests at most those under way are sent twice."""
    server.say(Send(chat("4"), delay_s=0.01))
    code = INTERRUPTED.replace("iter(int, 1)", "range(40)")
    command = [sys.executable, "-c", code, server.url, str(tmp_path / "c")]
    for kill_at in (20, 50, 80):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while len(server.calls) < kill_at:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    prompts = [prompt_of(call) for call in server.calls]
    assert len(set(prompts)) == 120
    assert len(prompts) <= 120 + 3 * 4


def test_memory_does_not_grow_with_the_items() -> None:
    def stage(item: int) -> Asks[int]:
        (answer,) = yield [asked(f"{item} " + "x" * 2000)]
        return len(answer.text) if isinstance(answer, Reply) else 0

    class Brief:
        async def ask(self, request: Request) -> Answer:
            return Reply("y" * 2000)

    async def main() -> list[int]:
        peaks = []
        async with Session(Brief()) as session:
            for _ in range(3):
                tracemalloc.reset_peak()
                await run(range(2000), stage, session, width=8, on_result=lambda *_: None)
                peaks.append(tracemalloc.get_traced_memory()[1])
        return peaks

    tracemalloc.start()
    try:
        first, _, last = asyncio.run(main())
    finally:
        tracemalloc.stop()
    assert last < first + 200_000, "2,000 items hold 8 MB"


def test_open_session_checks_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="price of 'my-model' is not known"):
        open_session(ModelSettings("my-model", max_cost=1.0))
    (tmp_path / "c").write_text("x" * 5000)
    with pytest.raises(UserError, match="cache"):
        open_session(ModelSettings("m", cache=tmp_path / "c"))
