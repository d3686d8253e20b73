"""Drives stages: many under way, each a generator that yields requests (:mod:`.asking`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar, cast

from tracelift_groups.llm.asking import Asks
from tracelift_groups.llm.request import Answer, Request
from tracelift_groups.llm.session import Waiting

T = TypeVar("T")
R = TypeVar("R")

_INTERRUPTED_S = 5.0


class AsksAll(Protocol):
    """A session, of single calls or of batches."""

    async def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answers, or raise :class:`Waiting`."""

    async def drain(self, limit_s: float | None = None) -> None:
        """Send nothing more; store what is under way."""


class _Done(NamedTuple):
    value: object


async def run(
    items: Iterable[T],
    stage: Callable[[T], Asks[R]],
    session: AsksAll,
    *,
    width: int,
    on_result: Callable[[T, R], None],
    threads: int = 0,
) -> int:
    """Put every item through a stage.

    Items are read as stages finish, so an endless iterator is fine. Results are told in the order
    in which they come, from the thread that runs this.

    Args:
        items: What to work on.
        stage: Makes the stage of an item.
        session: Where answers come from.
        width: Stages under way. Each has one or more calls under way, so about the calls that the
            endpoint takes at once.
        on_result: Told every item and its result.
        threads: Threads that run the steps of stages, for steps that take long, such as running
            programs; 0 runs them here, between the calls.

    Returns:
        How many stages wait for answers that come another time.

    Raises:
        UserError: Something is to be mended, or the endpoint is down.
        BudgetSpent: Nothing more may be sent.
        Exception: Whatever a stage or ``on_result`` raises. In all cases the calls under way are
            stored first; on cancellation (Ctrl-C) those that come within seconds.
    """
    source = iter(items)
    waiting = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="stage") if threads else None

    async def work() -> None:
        nonlocal waiting
        for item in source:
            try:
                result = await _finish(stage(item), session, pool)
            except Waiting:
                waiting += 1
            else:
                on_result(item, result)

    workers = [asyncio.create_task(work()) for _ in range(width)]
    try:
        done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        failed = [worker for worker in done if worker.exception() is not None]
        if failed:
            await _cancel(workers)
            await session.drain()
            failed[0].result()
        return waiting
    except asyncio.CancelledError:
        await _cancel(workers)
        await session.drain(_INTERRUPTED_S)
        raise
    finally:
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _finish(stage: Asks[R], session: AsksAll, pool: ThreadPoolExecutor | None) -> R:
    """Run one stage to its end."""
    loop = asyncio.get_running_loop()
    answers: Sequence[Answer] | None = None
    try:
        while True:
            if pool is None:
                turn = _step(stage, answers)
                # Answers from a cache come without a pause: let the others, and Ctrl-C, in.
                await asyncio.sleep(0)
            else:
                turn = await loop.run_in_executor(pool, _step, stage, answers)
            if isinstance(turn, _Done):
                return cast(R, turn.value)
            answers = await session.ask_all(turn)
    finally:
        with contextlib.suppress(ValueError):  # a thread is still at it, after a cancellation
            stage.close()


def _step(stage: Asks[R], answers: Sequence[Answer] | None) -> Sequence[Request] | _Done:
    """Send a stage its answers; return what it asks next, or its result."""
    try:
        return next(stage) if answers is None else stage.send(answers)
    except StopIteration as stop:
        return _Done(stop.value)
