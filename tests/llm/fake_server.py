"""A small HTTP server on 127.0.0.1 whose every response is scripted, faults included."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """What the server was sent."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.content)
        return found


@dataclass(frozen=True)
class Send:
    """A response. ``cut`` closes the connection after half of the body."""

    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    drip_s: float | None = None


def chat(text: str | None, finish: str = "stop", **message: object) -> dict[str, Any]:
    """The body of a chat completion."""
    return {
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def error(message: str, status: int = 400, **fields: object) -> Send:
    """An error in OpenAI's own form."""
    return Send({"error": {"message": message, "type": "x", **fields}}, status)


Script = Callable[[Call], Send]


class FakeServer:
    """Answers with what ``script`` says; keeps what it was sent."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.script: Script = lambda _: Send(chat("fine"))
        self.under_way = 0
        self.most_under_way = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def say(self, *sends: Send) -> None:
        """Send these in turn, and the last for ever."""
        rest = list(sends)
        self.script = lambda _: rest.pop(0) if len(rest) > 1 else rest[0]

    def bodies(self) -> list[dict[str, Any]]:
        return [call.body for call in self.calls]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines if line)
                }
                content = await self._content(reader, headers)
                call = Call(method, path, headers, content)
                self.calls.append(call)
                self.under_way += 1
                self.most_under_way = max(self.most_under_way, self.under_way)
                try:
                    send = self.script(call)
                    await asyncio.sleep(send.delay_s)
                finally:
                    self.under_way -= 1
                if not await self._respond(writer, send):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _content(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)

    @staticmethod
    async def _respond(writer: asyncio.StreamWriter, send: Send) -> bool:
        body = send.body if isinstance(send.body, bytes) else json.dumps(send.body).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in send.headers.items())
        writer.write(
            f"HTTP/1.1 {send.status} X\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{extra}\r\n".encode("latin-1")
        )
        if send.cut:
            writer.write(body[: len(body) // 2])
            await writer.drain()
            return False
        if send.drip_s is not None:
            for index in range(len(body)):
                writer.write(body[index : index + 1])
                await writer.drain()
                await asyncio.sleep(send.drip_s)
            return True
        writer.write(body)
        await writer.drain()
        return True


@contextmanager
def running_server() -> Iterator[FakeServer]:
    """Serve from a thread of its own."""
    fake = FakeServer()
    ready = threading.Event()
    ends: list[Callable[[], object]] = []

    async def main() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        ends.append(lambda: loop.call_soon_threadsafe(end.set))
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0, backlog=512)
        fake.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    try:
        yield fake
    finally:
        ends[0]()
        thread.join()
