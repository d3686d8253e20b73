"""How many calls may be under way: additive increase, multiplicative decrease.

:class:`Aimd` is the arithmetic, on times that it is given; :class:`Limiter` makes callers wait.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager


class Stopped(Exception):  # noqa: N818 - a turn of events, not a mistake
    """Nothing more is sent."""


class Aimd:
    """The limit, between 1 and a maximum at which it starts.

    A refused call halves it, unless that call was sent before the last halving took effect: a
    burst of refusals is one piece of news. As many successes as the limit raise it by one.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.limit = maximum
        self.resume_at = 0.0
        self._successes = 0
        self._halved_at = float("-inf")

    def succeeded(self) -> None:
        """Count a call that was answered."""
        if self.limit == self.maximum:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self.limit += 1

    def refused(self, sent_at: float, now: float) -> None:
        """Count a call, sent at that time, that the server had no room for."""
        if sent_at <= self._halved_at:
            return
        self._halved_at = now
        self._successes = 0
        self.limit = max(1, self.limit // 2)

    def pause(self, until: float) -> None:
        """Send nothing before that time."""
        self.resume_at = max(self.resume_at, until)


class Limiter:
    """Lets as many callers in as the limit says, first come first served."""

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.aimd = Aimd(maximum)
        self.under_way = 0
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped: Exception | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place, and give it back at the end.

        Raises:
            Stopped: :meth:`stop` was called.
        """
        await self._enter()
        try:
            yield
        finally:
            self.under_way -= 1
            self._admit()

    def succeeded(self) -> None:
        """Tell of an answer."""
        self.aimd.succeeded()
        self._admit()

    def refused(self, sent_at: float) -> None:
        """Tell of a 429."""
        self.aimd.refused(sent_at, self._clock())

    def pause(self, seconds: float) -> None:
        """Let nobody in for so long."""
        self.aimd.pause(self._clock() + seconds)

    def stop(self, reason: Exception | None = None) -> None:
        """Turn away all who wait and all who come, with :class:`Stopped` or another reason."""
        self._stopped = reason or Stopped()
        for future in self._waiting:
            if not future.done():
                future.set_exception(self._stopped)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def _enter(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._admit()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.under_way -= 1  # let in and cancelled at once
                self._admit()
            raise

    def _admit(self) -> None:
        pause = self.aimd.resume_at - self._clock()
        if pause > 0:
            if self._waiting and (self._timer is None or self._timer.cancelled()):
                self._timer = asyncio.get_running_loop().call_later(pause, self._resume)
            return
        while self._waiting and self.under_way < self.aimd.limit:
            future = self._waiting.popleft()
            if not future.done():
                self.under_way += 1
                future.set_result(None)

    def _resume(self) -> None:
        self._timer = None
        self._admit()


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long a server asks to wait, in seconds from ``now`` (Unix time), or None.

    Reads ``retry-after-ms``, and ``Retry-After`` in seconds or as an HTTP date.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        when = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, when.timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
