"""The scripted model's server in a thread of its own, and what its tests ask it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from openai import OpenAI

from tracelift_groups.llm.request import Request, Schema
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.llm.scripted.endpoint import Behaviour
from tracelift_groups.llm.scripted.server import Served, serve

ANY_OBJECT = Schema("any", {"type": "object"})


@lru_cache(maxsize=4)
def scripted(bad_share: float = 0.0) -> ScriptedModel:
    return ScriptedModel(bad_share=bad_share)


def asked(prompt: str, sample: int = 0, **fields: Any) -> Request:
    fields = {"schema": ANY_OBJECT, "model": "scripted", **fields}
    return Request(task="test", prompt=prompt, sample=sample, **fields)


def told(prompt: str, sample: int = 0, bad_share: float = 0.0) -> dict[str, Any]:
    """What the scripted model replies, read as JSON."""
    reply = json.loads(scripted(bad_share).text(asked(prompt, sample)))
    assert isinstance(reply, dict)
    return reply


def client_of(served: Served, key: str = "anything", **options: Any) -> OpenAI:
    return OpenAI(base_url=served.base_url, api_key=key, **{"max_retries": 0, **options})


@contextmanager
def running_scripted(model: ScriptedModel, behaviour: Behaviour) -> Iterator[Served]:
    """Serve from another thread; what the server counts is read from this one."""
    started = threading.Event()
    found: list[Served] = []
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def until_stopped() -> None:
        async with serve(model, behaviour) as served:
            stop = asyncio.Event()
            found.append(served)
            stops.append((asyncio.get_running_loop(), stop))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(until_stopped(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        loop, stop = stops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
