"""A run's model calls: each request paid for once, by whoever asks first.

What is under way when a run ends is paid for, so every ending - a spent budget, an endpoint that
is down, a mistake, Ctrl-C - waits for it and stores it before it goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from tracelift_groups.llm.account import Account
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.client import Endpoint
from tracelift_groups.llm.limiter import Stopped
from tracelift_groups.llm.request import Answer, Request
from tracelift_groups.llm.settings import ModelSettings


class Asker(Protocol):
    """Whatever answers requests, such as a script."""

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request."""


class Waiting(Exception):  # noqa: N818 - the answers come later
    """Some answers are not there yet; the same stage gets them another time."""


class Session:
    """Asks an endpoint, through a cache; requests that are equal are sent once.

    Closing it closes the endpoint and the cache.

    Args:
        asker: An :class:`Endpoint`, or anything that answers; every answer of the latter counts
            as one call.
        cache: Where answers are looked up first and stored before they are used.
        account: Where calls are counted; of an :class:`Endpoint`, its own.
    """

    def __init__(
        self, asker: Asker, *, cache: Cache | None = None, account: Account | None = None
    ) -> None:
        self._endpoint = asker if isinstance(asker, Endpoint) else None
        self._asker = asker
        self.account = self._endpoint.account if self._endpoint else account or Account()
        self.cache = cache
        self._under_way: dict[str, asyncio.Task[Answer]] = {}
        self._ended: Exception | None = None

    async def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        """Return the answers to all of the requests, which are sent at once.

        Raises:
            UserError: There is something to mend, or the endpoint is down.
            BudgetSpent: Nothing more may be sent.
        """
        begun = [self._begin(request) for request in requests]
        # Shielded: one who stops waiting does not throw away what is paid for.
        return [
            await asyncio.shield(answer) if isinstance(answer, asyncio.Task) else answer
            for answer in begun
        ]

    async def drain(self, limit_s: float | None = None) -> None:
        """Send nothing more and wait until what is under way is stored, so long at most."""
        self._end(Stopped())
        if tasks := list(self._under_way.values()):
            _, late = await asyncio.wait(tasks, timeout=limit_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.drain()
            if self._endpoint:
                await self._endpoint.close()
        finally:
            if self.cache is not None:
                self.cache.close()

    def _begin(self, request: Request) -> Answer | asyncio.Task[Answer]:
        """Return the answer if it is known, or else the task that fetches it."""
        key = request.key
        answer: Answer | asyncio.Task[Answer] | None = self._under_way.get(key)
        if answer is None and self.cache is not None:
            answer = self.cache.get(key)
        if answer is not None:
            self.account.reused()
            return answer
        if self._ended is not None:
            raise self._ended
        task = asyncio.create_task(self._fetch(request))
        self._under_way[key] = task

        def done(task: asyncio.Task[Answer]) -> None:
            del self._under_way[key]
            if not task.cancelled():
                task.exception()  # looked at, even where nobody waits any more

        task.add_done_callback(done)
        return task

    async def _fetch(self, request: Request) -> Answer:
        try:
            if self._endpoint is None:
                self.account.sending(request.model)
            answer = await self._asker.ask(request)
            if self._endpoint is None:
                self.account.pay(request, answer)
            if self.cache is not None:
                answer = self.cache.put(request, answer)
            self.account.answered(request, answer)
            return answer
        except Exception as error:
            self._end(error)
            assert self._ended is not None
            raise self._ended from None

    def _end(self, reason: Exception) -> None:
        """Turn away what is not sent yet; the first reason is the one to tell."""
        if self._ended is None:
            self._ended = reason
            if self._endpoint:
                self._endpoint.stop()


def open_session(settings: ModelSettings) -> Session:
    """Make a session with an endpoint.

    Raises:
        UserError: The cache cannot be used, there is no key, or ``--max-cost`` without a price.
    """
    account = Account.of(settings)
    cache = Cache(settings.cache) if settings.cache is not None else None
    try:
        return Session(Endpoint(settings, account=account, cache=cache), cache=cache)
    except BaseException:
        if cache is not None:
            cache.close()
        raise
