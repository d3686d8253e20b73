"""The reward model behind the reward: one call for a batch, and never a made-up score."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from tracelift_groups.errors import UserError
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.judge import RemoteScorer, key_from, read_reply

_ATTEMPTS = 4
_FIRST_WAIT_S = 0.5
_TIMEOUT_S = 600.0
_NOT_ACCEPTED = (400, 413, 422)
"""What a server says of items that it cannot read."""
_log = logging.getLogger(__name__)


class RmScorer(Protocol):
    """Scores reasoning texts."""

    async def score(self, items: Sequence[Item]) -> list[float | None]:
        """Return a score in [0, 1] for each item; None where there is none to be had."""

    async def close(self) -> None:
        """Let go of connections."""


def open_rm(where: str, *, key_env: str | None = None, device: str | None = None) -> RmScorer:
    """Return the scorer that a command line names.

    Args:
        where: A reward model's folder, or the URL of a server that speaks ``/score``.
        key_env: For a server, the environment variable that holds its key.
        device: For a folder, by default the GPU where there is one.

    Raises:
        UserError: No such model, or the variable is not set.
    """
    if where.startswith(("http://", "https://")):
        return ServedRm(where, None if key_env is None else key_from(key_env))
    return FolderRm(Path(where), device)


class FolderRm:
    """A reward model in this process."""

    def __init__(self, folder: Path, device: str | None = None) -> None:
        from tracelift_groups.rm.score import Scorer

        self._scorer = Scorer.load(folder, device=device)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rm")

    async def score(self, items: Sequence[Item]) -> list[float | None]:
        """Score a batch; an item that the model cannot read has no score."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._score, items)

    async def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _score(self, items: Sequence[Item]) -> list[float | None]:
        try:
            return [one.score for one in self._scorer.score(items)]
        except UserError as error:
            if len(items) == 1:
                _log.warning("no reward model score: %s", error)
                return [None]
        return [self._score([item])[0] for item in items]


class ServedRm:
    """A reward model behind the ``/score`` protocol; connections are kept.

    Args:
        url: Of the server, with or without ``/score``.
        key: Sent as ``Authorization: Bearer``.
        wait_s: Before the second attempt; doubled for each further one.
    """

    def __init__(self, url: str, key: str | None = None, wait_s: float = _FIRST_WAIT_S) -> None:
        import httpx2

        remote = RemoteScorer(url, key)
        self.url, self._wait_s = remote.url, wait_s
        self._body = remote.body
        self._client = httpx2.AsyncClient(headers=remote.headers, timeout=_TIMEOUT_S)

    async def score(self, items: Sequence[Item]) -> list[float | None]:
        """Score a batch in one request, tried again where it fails; then nothing has a score.

        A batch that the server does not accept is asked for again in halves: one text that is too
        long for it costs the others no score.

        Raises:
            UserError: The server refuses whoever asks, which it would do again.
        """
        import httpx2

        said = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._wait_s * 2 ** (attempt - 1))
            try:
                response = await self._client.post(self.url, content=self._body(items))
            except httpx2.HTTPError as error:
                said = str(error) or type(error).__name__
                continue
            if response.status_code in (401, 403, 404):
                raise UserError(f"the server says {response.status_code}", where=self.url)
            try:
                if response.is_success:
                    return list(read_reply(json.loads(response.content), len(items), self.url))
                said = f"status {response.status_code}"
                if response.status_code in _NOT_ACCEPTED:
                    if len(items) == 1:
                        break
                    half = len(items) // 2
                    return [*await self.score(items[:half]), *await self.score(items[half:])]
            except (UserError, ValueError) as error:
                said = str(error)
        _log.warning("no reward model scores for %d items: %s", len(items), said)
        return [None] * len(items)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
