"""The client and batches against the scripted model's server, which others wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tracelift_groups.llm.batch import BatchSession
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.request import Answer, Reply, Request, Schema
from tracelift_groups.llm.scripted.server import Served
from tracelift_groups.llm.session import Waiting, open_session
from tracelift_groups.llm.settings import ModelSettings

SCHEMA = Schema("s", {"type": "object", "properties": {"n": {"type": "integer"}}})
REQUESTS = [Request("t", "scripted", f"hello {n}", schema=SCHEMA) for n in range(3)]


@pytest.mark.parametrize(
    ("structured", "verdict"),
    [("honoured", "enforced"), ("ignored", "ignored"), ("refused", "refused")],
)
def test_the_probe_finds_out(
    scripted_server: Callable[..., Served], tmp_path: Path, structured: str, verdict: str
) -> None:
    served = scripted_server(structured=structured)
    settings = ModelSettings("scripted", base_url=served.base_url, cache=tmp_path / "c")

    async def main() -> list[Answer]:
        async with open_session(settings) as session:
            return await session.ask_all(REQUESTS)

    assert all(isinstance(answer, Reply) for answer in asyncio.run(main()))
    cache = Cache(tmp_path / "c")
    assert cache.fact(served.base_url, "scripted", "structured output (chat)") == verdict
    cache.close()


def test_batches(scripted_server: Callable[..., Served], tmp_path: Path) -> None:
    served = scripted_server(batch_expired=0.4)
    settings = ModelSettings("scripted", base_url=served.base_url)
    answers: list[Answer] = []
    statuses: list[str] = []
    cache = Cache(tmp_path / "c")
    with BatchSession(settings, tmp_path / "run", cache=cache) as session:
        for _ in range(60):
            statuses += [report.status for report in session.collect()]
            try:
                answers = asyncio.run(session.ask_all(REQUESTS))
                break
            except Waiting:
                session.submit()
    assert len(answers) == 3
    assert "completed" in statuses or "expired" in statuses
    assert "in_progress" in statuses or "validating" in statuses
