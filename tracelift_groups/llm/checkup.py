"""What an endpoint really does, found out with a handful of tiny calls."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from tracelift_groups.llm.client import Endpoint
from tracelift_groups.llm.request import Failed, Reply, Request
from tracelift_groups.llm.settings import ModelSettings

_SAMPLES = 4


def examine(settings: ModelSettings) -> dict[str, Any]:
    """Ask a model a few small things.

    Returns:
        ``url``, ``model``; ``seconds`` of the first reply; ``schemas`` (enforced, ignored or
        refused); ``samples``: how many of four replies at temperature 1 differ (1: the server is
        greedy, so that asking again brings nothing new); ``counts_tokens``; ``refused``: the
        parameters that it does not take; ``failed``: why replies were none.

    Raises:
        UserError: It cannot be reached, wants a key, or does not know the model.
    """
    return asyncio.run(_examine(settings))


async def _examine(settings: ModelSettings) -> dict[str, Any]:
    endpoint = Endpoint(settings)
    try:
        started = time.monotonic()
        first = Request(
            "doctor",
            settings.model,
            "Name an animal, a colour and a town, in one line.",
            temperature=1.0,
            max_tokens=1024,
            api=settings.api,
        )
        answers = [await endpoint.ask(first)]
        seconds = time.monotonic() - started
        answers += await asyncio.gather(
            *(endpoint.ask(replace(first, sample=sample)) for sample in range(1, _SAMPLES))
        )
        schemas = await endpoint.structured_output(first)
        replies = [answer for answer in answers if isinstance(answer, Reply)]
        failed = [answer.reason for answer in answers if isinstance(answer, Failed)]
        return {
            "url": settings.shown_url,
            "model": settings.model,
            "seconds": round(seconds, 2),
            "schemas": schemas or "unknown",
            "samples": len({reply.text for reply in replies}),
            "counts_tokens": all(reply.usage.output_tokens is not None for reply in replies),
            "refused": sorted(endpoint.dialects[settings.model].left_out),
            "failed": failed,
        }
    finally:
        await endpoint.close()
