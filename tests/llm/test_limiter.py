from __future__ import annotations

import asyncio
import email.utils

import pytest

from tracelift_groups.llm.limiter import Aimd, Limiter, Stopped, retry_after_s


def test_refusals_of_one_burst_halve_once() -> None:
    aimd = Aimd(16)
    for _ in range(5):
        aimd.refused(sent_at=1.0, now=1.2)
    assert aimd.limit == 8
    aimd.refused(sent_at=1.1, now=1.5)
    assert aimd.limit == 8, "sent before the halving took effect"
    aimd.refused(sent_at=1.3, now=1.6)
    assert aimd.limit == 4
    for now in range(2, 9):
        aimd.refused(sent_at=now, now=now + 0.5)
    assert aimd.limit == 1


def test_a_limit_of_successes_adds_one_up_to_the_maximum() -> None:
    aimd = Aimd(8)
    aimd.refused(sent_at=0.0, now=1.0)
    steps = []
    for _ in range(60):
        aimd.succeeded()
        steps.append(aimd.limit)
    assert [steps.count(limit) for limit in (4, 5, 6, 7)] == [3, 5, 6, 7]
    assert steps[-1] == 8


def test_a_refusal_starts_the_count_of_successes_anew() -> None:
    aimd = Aimd(8)
    aimd.refused(sent_at=0.0, now=1.0)
    for _ in range(3):
        aimd.succeeded()
    aimd.refused(sent_at=2.0, now=3.0)
    aimd.succeeded()
    assert aimd.limit == 2


def test_pauses_do_not_shorten_each_other() -> None:
    aimd = Aimd(8)
    aimd.pause(until=10.0)
    aimd.pause(until=5.0)
    assert aimd.resume_at == 10.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": email.utils.formatdate(1_000_060, usegmt=True)}, 60.0),
        ({"retry-after": email.utils.formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Fri, 99 Foo"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=1_000_000.0) == seconds


def test_no_more_than_the_limit_are_let_in_and_all_in_turn() -> None:
    async def main() -> None:
        limiter = Limiter(3)
        inside: list[int] = []
        most = 0

        async def call(number: int) -> None:
            nonlocal most
            async with limiter.slot():
                inside.append(number)
                most = max(most, limiter.under_way)
                await asyncio.sleep(0)

        await asyncio.gather(*(call(number) for number in range(20)))
        assert inside == list(range(20))
        assert most == 3
        assert limiter.under_way == 0

    asyncio.run(main())


def test_a_pause_holds_all_back_until_the_clock_says_so() -> None:
    async def main() -> None:
        now = 100.0
        limiter = Limiter(4, clock=lambda: now)
        limiter.pause(0.02)

        async def call() -> None:
            async with limiter.slot():
                pass

        tasks = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks), "the timer asks the clock"
        now = 100.5
        await asyncio.wait_for(asyncio.gather(*tasks), 5)

    asyncio.run(main())


def test_who_gives_up_waiting_takes_no_place() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        async with limiter.slot():
            slots = [limiter.slot() for _ in range(2)]
            waiting = [asyncio.create_task(slot.__aenter__()) for slot in slots]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        await asyncio.wait_for(waiting[1], 5)
        assert limiter.under_way == 1

    asyncio.run(main())


def test_who_is_let_in_and_cancelled_in_the_same_moment_gives_the_place_back() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        async with limiter.slot():
            waiting = asyncio.create_task(limiter.slot().__aenter__())
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert limiter.under_way == 0

    asyncio.run(main())


def test_a_stop_turns_away_who_waits_and_who_comes() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        async with limiter.slot():
            waiting = asyncio.create_task(limiter.slot().__aenter__())
            await asyncio.sleep(0)
            limiter.stop()
            with pytest.raises(Stopped):
                await waiting
            with pytest.raises(Stopped):
                await limiter.slot().__aenter__()

    asyncio.run(main())
