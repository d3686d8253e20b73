"""Micro-batching: items of many clients, scored together.

A single thread runs the model. While it works, arrivals wait in a queue; when it is free it takes
what is there, up to a full batch, and waits a few milliseconds for company only when the batch is
not full. Items of one request may land in different batches. A batch that fails is tried again
item by item, so that only the item at fault fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

ItemT = TypeVar("ItemT")


class QueueFullError(Exception):
    """More items wait than the server is willing to hold."""


class _Waiting(NamedTuple, Generic[ItemT]):
    item: ItemT
    result: asyncio.Future[float]


class MicroBatcher(Generic[ItemT]):
    """Scores items in batches, in order of arrival.

    Args:
        score: The model: items to numbers, one each. Called in one thread, never concurrently.
        max_batch: Items of one call at most.
        window_s: How long a batch that is not full waits for more, in seconds.
        max_waiting: Items that may wait; beyond it :class:`QueueFullError`.
    """

    def __init__(
        self,
        score: Callable[[list[ItemT]], Sequence[float]],
        *,
        max_batch: int,
        window_s: float,
        max_waiting: int,
    ) -> None:
        self._score, self.max_batch = score, max_batch
        self._window_s, self._max_waiting = window_s, max_waiting
        self._queue: asyncio.Queue[_Waiting[ItemT]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._loop_task: asyncio.Task[None] | None = None
        self.batches = 0
        self.scored = 0

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return self._queue.qsize()

    async def __aenter__(self) -> MicroBatcher[ItemT]:
        self._loop_task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop_task is not None:
            self._loop_task.cancel()
        self._thread.shutdown(wait=True)
        while not self._queue.empty():
            self._queue.get_nowait().result.cancel()

    async def score(self, items: Sequence[ItemT]) -> list[float]:
        """Score some items together with whatever else waits; in the order given.

        Raises:
            QueueFullError: Too much waits already; nothing of this was taken.
            Exception: What the model raised for one of these items alone.
        """
        if self.waiting + len(items) > self._max_waiting:
            raise QueueFullError(f"{self.waiting} items wait, of at most {self._max_waiting}")
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(item, loop.create_future()) for item in items]
        for one in waiting:
            self._queue.put_nowait(one)
        results = await asyncio.gather(*(one.result for one in waiting), return_exceptions=True)
        scores = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            scores.append(result)
        return scores

    async def _run(self) -> None:
        while True:
            # A client that went away has cancelled what it asked for.
            batch = [one for one in await self._collect() if not one.result.done()]
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: list[_Waiting[ItemT]]) -> None:
        loop = asyncio.get_running_loop()
        items = [one.item for one in batch]
        try:
            scores = await loop.run_in_executor(self._thread, self._score, items)
            if len(scores) != len(items):
                raise RuntimeError(f"{len(scores)} scores for {len(items)} items")
        except Exception as error:
            if len(batch) == 1:
                if not batch[0].result.done():
                    batch[0].result.set_exception(error)
                return
            # One client's item that the model cannot read must not fail the others' items.
            for one in batch:
                await self._answer([one])
            return
        self.batches += 1
        self.scored += len(batch)
        for one, score in zip(batch, scores, strict=True):
            if not one.result.done():
                one.result.set_result(score)

    async def _collect(self) -> list[_Waiting[ItemT]]:
        """Take the next batch: what waits now, and what comes within the window."""
        loop = asyncio.get_running_loop()
        batch = [await self._queue.get()]
        end = loop.time() + self._window_s
        while len(batch) < self.max_batch:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
                continue
            try:
                async with asyncio.timeout_at(end):
                    batch.append(await self._queue.get())
            except TimeoutError:
                break
        return batch
