"""The scripted model as a server that speaks the OpenAI protocol.

It takes part in no cleverness: one process, one event loop, replies worked out where they are
asked for. It is there to try clients against, with latency and faults as they are wanted.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.llm.scripted.endpoint import Behaviour, Endpoint
from tracelift_groups.llm.scripted.model import ScriptedModel
from tracelift_groups.llm.scripted.stats import Stats
from tracelift_groups.llm.scripted.wire import Connection

HOST = "127.0.0.1"
_BACKLOG = 1024


class Served(NamedTuple):
    """A server that runs: the address that clients are given, and what it has counted."""

    base_url: str
    stats: Stats


@asynccontextmanager
async def serve(
    model: ScriptedModel,
    behaviour: Behaviour,
    *,
    host: str = HOST,
    port: int = 0,
) -> AsyncIterator[Served]:
    """Serve while the context lasts; connections are closed at its end.

    Args:
        model: Says what is replied.
        behaviour: Latency, faults and the rest.
        host: Address to listen at.
        port: Port; 0 for one that is free.

    Raises:
        UserError: The address cannot be listened at.
    """
    endpoint = Endpoint(model, behaviour)
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: Connection(endpoint.answer, connections), host, port, backlog=_BACKLOG
        )
    except OSError as error:
        raise UserError(
            f"cannot listen: {error.strerror or error}",
            where=f"{host}:{port}",
            way_out="--port 0 takes one that is free",
        ) from error
    try:
        number = server.sockets[0].getsockname()[1]
        yield Served(f"http://{host}:{number}/v1", endpoint.stats)
    finally:
        server.close()
        for connection in list(connections):
            connection.abort()
        await server.wait_closed()


def run(
    model: ScriptedModel,
    behaviour: Behaviour,
    *,
    say: Callable[[str], None],
    host: str = HOST,
    port: int = 0,
) -> None:
    """Serve until the process is told to end (SIGTERM, SIGINT).

    Args:
        model: Says what is replied.
        behaviour: Latency, faults and the rest.
        say: Is given one line with the address, once the server listens.
        host: Address to listen at.
        port: Port; 0 for one that is free.
    """

    async def until_told() -> None:
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        async with serve(model, behaviour, host=host, port=port) as served:
            say(f"scripted model at {served.base_url}")
            await told.wait()

    asyncio.run(until_told())
