"""A chat endpoint that answers after a fixed time, in a process of its own, for bench_concurrency.

python tests/benchmarks/llm/latency_server.py LATENCY_S; prints its port.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_BODY = json.dumps(
    {
        "choices": [{"finish_reason": "stop", "message": {"content": "word " * 200}}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 200},
    }
).encode()
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class Connection(asyncio.Protocol):
    """Reads requests only as far as it must, so as to leave the processor to the client."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and length and len(body) >= int(length.group(1)):
            self.buffer = body[int(length.group(1)) :]
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency_s, self.transport.write, _RESPONSE)


async def main() -> None:
    latency_s = float(sys.argv[1])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(latency_s), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
