from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from tracelift_groups.rm.microbatch import MicroBatcher, QueueFullError


class Model:
    """Remembers its calls; two at a time would be an error."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls: list[list[int]] = []
        self._seconds, self._busy = seconds, threading.Lock()

    def __call__(self, items: list[int]) -> Sequence[float]:
        assert self._busy.acquire(blocking=False)
        self.calls.append(items)
        time.sleep(self._seconds)
        self._busy.release()
        if -1 in items:
            raise ValueError("minus one")
        return [item * 10.0 for item in items]


def batcher(model: Model, **options: float) -> MicroBatcher[int]:
    settings = {"max_batch": 4, "window_s": 0.02, "max_waiting": 100, **options}
    return MicroBatcher(model, **settings)  # type: ignore[arg-type]


async def together(model: Model, requests: list[list[int]], **options: float) -> list[list[float]]:
    async with batcher(model, **options) as one:
        return list(await asyncio.gather(*(one.score(items) for items in requests)))


def test_clients_share_batches_and_get_their_own() -> None:
    model = Model()
    answers = asyncio.run(together(model, [[1], [2, 3], [4], [5]]))
    assert answers == [[10], [20, 30], [40], [50]]
    assert model.calls == [[1, 2, 3, 4], [5]]


def test_a_large_request_is_split() -> None:
    model = Model()
    assert asyncio.run(together(model, [list(range(10))])) == [[n * 10 for n in range(10)]]
    assert [len(call) for call in model.calls] == [4, 4, 2]


def test_nobody_waits_longer_than_the_window() -> None:
    async def alone() -> float:
        async with batcher(Model()) as one:
            started = time.monotonic()
            await one.score([1])
            return time.monotonic() - started

    assert 0.02 <= asyncio.run(alone()) < 0.5


def test_a_full_batch_does_not_wait() -> None:
    async def four() -> float:
        async with batcher(Model(), window_s=5.0) as one:
            started = time.monotonic()
            await one.score([1, 2, 3, 4])
            return time.monotonic() - started

    assert asyncio.run(four()) < 1


def test_what_arrives_meanwhile_is_the_next_batch() -> None:
    async def run() -> list[list[int]]:
        model = Model(seconds=0.1)
        async with batcher(model, window_s=0.001) as one:
            first = asyncio.create_task(one.score([1]))
            await asyncio.sleep(0.05)
            rest = [asyncio.create_task(one.score([n])) for n in (2, 3, 4)]
            await asyncio.gather(first, *rest)
        return model.calls

    assert asyncio.run(run()) == [[1], [2, 3, 4]]


def test_an_item_that_fails_takes_no_other_with_it() -> None:
    async def run() -> list[object]:
        async with batcher(Model()) as one:
            mixed = await asyncio.gather(
                one.score([1]), one.score([-1, 2]), one.score([3]), return_exceptions=True
            )
            return [*mixed, await one.score([4])]

    first, bad, third, later = asyncio.run(run())
    assert (first, third, later) == ([10], [30], [40])
    assert isinstance(bad, ValueError)


def test_a_wrong_number_of_scores_is_an_error() -> None:
    async def run() -> None:
        async with MicroBatcher(
            lambda items: [0.0] * 3, max_batch=4, window_s=0.001, max_waiting=9
        ) as one:
            await one.score([1, 2])

    with pytest.raises(RuntimeError, match="3 scores for 1 items"):
        asyncio.run(run())


def test_too_much_waiting_is_refused_whole() -> None:
    async def run() -> None:
        async with batcher(Model(seconds=0.1), max_waiting=3) as one:
            busy = asyncio.create_task(one.score([1]))
            await asyncio.sleep(0.05)
            waits = asyncio.create_task(one.score([2, 3]))
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                await one.score([4, 5])
            assert (await busy, await waits) == ([10], [20, 30])

    asyncio.run(run())


def test_a_client_that_left_is_not_scored() -> None:
    async def run() -> list[list[int]]:
        model = Model(seconds=0.1)
        async with batcher(model, window_s=0.001) as one:
            busy = asyncio.create_task(one.score([1]))
            await asyncio.sleep(0.05)
            gone = asyncio.create_task(one.score([2]))
            await asyncio.sleep(0)
            gone.cancel()
            await busy
            await one.score([3])
        return model.calls

    assert asyncio.run(run()) == [[1], [3]]
