"""What gives scores: a reward model's folder, or a server that speaks the ``/score`` protocol."""

from __future__ import annotations

import json
import math
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.rm.item import Item

# Items of one call: enough for full batches, few enough that progress moves.
_CHUNK = 256
_TIMEOUT_S = 600.0
_LISTS = ("scores", "results", "outputs", "data")
_NUMBERS = ("total_score", "score", "reward", "total", "value")

ScoreItems = Callable[[Sequence[Item]], Sequence[float]]
"""Items to scores in [0, 1], one each, in order."""


class Judge:
    """Items to scores in [0, 1], in their order, chunk by chunk.

    Args:
        score: Scores one chunk.
        on_done: Told how many items of the call are done, and of how many.
    """

    def __init__(
        self,
        score: ScoreItems,
        on_done: Callable[[int, int], None] | None = None,
    ) -> None:
        self._score, self._on_done = score, on_done

    def __call__(self, items: Sequence[Item]) -> list[float]:
        """Score items.

        Raises:
            UserError: A server that fails or answers something else, or an item that the model
                cannot read. Nothing is ever zero for want of a score.
        """
        scores: list[float] = []
        for start in range(0, len(items), _CHUNK):
            scores += self._score(items[start : start + _CHUNK])
            if self._on_done is not None:
                self._on_done(len(scores), len(items))
        return scores


def load_judge(
    where: str,
    *,
    key_env: str | None = None,
    device: str | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> Judge:
    """Return the judge that a command line names.

    Args:
        where: A model's folder, or the URL of a server (``/score`` is added where missing).
        key_env: For a server, the environment variable that holds its key.
        device: For a folder, by default the GPU where there is one.
        on_done: Progress of a call: items done, of how many.

    Raises:
        UserError: No such model, or the variable is not set.
    """
    if where.startswith(("http://", "https://")):
        key = None if key_env is None else key_from(key_env)
        return Judge(RemoteScorer(where, key), on_done)
    from tracelift_groups.rm.score import Scorer

    scorer = Scorer.load(Path(where), device=device)
    return Judge(lambda items: [one.score for one in scorer.score(items)], on_done)


def key_from(variable: str) -> str:
    """Return the key in an environment variable.

    Raises:
        UserError: The variable is not set, or empty.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UserError("the environment variable is not set", where=variable)
    return key


class RemoteScorer:
    """A client of the ``/score`` protocol.

    Args:
        url: Of the server, with or without ``/score``.
        key: Sent as ``Authorization: Bearer``.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        base = url.rstrip("/")
        self.url = base if base.endswith("/score") else f"{base}/score"
        self.headers = {"content-type": "application/json"}
        if key is not None:
            self.headers["authorization"] = f"Bearer {key}"

    def __call__(self, items: Sequence[Item]) -> list[float]:
        """Score items in one request.

        Raises:
            UserError: Out of reach, refused, or no reply of the protocol.
        """
        request = urllib.request.Request(self.url, self.body(items), self.headers)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
                found = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            said = error.read(500).decode(errors="replace")
            raise UserError(f"the server says {error.code}: {said}", where=self.url) from error
        except (OSError, ValueError) as error:
            raise UserError(f"no answer from the server ({error})", where=self.url) from error
        return read_reply(found, len(items), self.url)

    @staticmethod
    def body(items: Sequence[Item]) -> bytes:
        """Write the request that asks for the scores of some items."""
        return json.dumps({"items": [_wire(item) for item in items]}).encode()


def read_reply(reply: Any, count: int, where: str) -> list[float]:
    """Read the scores of a reply in any form of the protocol.

    A list of numbers, or an object with ``scores``, ``results``, ``outputs`` or ``data``: numbers,
    or objects with ``total_score``, ``score``, ``reward``, ``total`` or ``value``.

    Raises:
        UserError: Another form, another count, or a value that is no finite number.
    """
    if isinstance(reply, dict):
        reply = next((reply[name] for name in _LISTS if name in reply), None)
    if not isinstance(reply, list):
        raise UserError(f"the reply has none of {', '.join(_LISTS)}", where=where)
    if len(reply) != count:
        raise UserError(f"{len(reply)} scores for {count} items", where=where)
    scores = []
    for number, one in enumerate(reply):
        value: object = one
        if isinstance(one, dict):
            value = next((one[name] for name in _NUMBERS if name in one), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"score {number} is {value!r}, no number", where=where)
        if not math.isfinite(value):
            raise UserError(f"score {number} is not finite", where=where)
        scores.append(float(value))
    return scores


def _wire(item: Item) -> dict[str, str]:
    fields = {
        "problem": item.problem,
        "reasoning": item.reasoning,
        "task_name": item.domain,
        "task_type": item.domain,
    }
    return fields | ({"tests": item.tests} if item.tests else {})
