"""HTTP/1.1 over asyncio: connections that stay open, one request at a time on each.

What a request means is decided elsewhere; here it is bytes in, bytes out. No TLS, no streaming.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import h11


class Call(NamedTuple):
    """A request as it arrived; the names of headers in small letters."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes


class Response(NamedTuple):
    """What is sent back; ``cut`` closes the connection in the middle of the body."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    cut: bool = False


Handler = Callable[[Call], Awaitable[Response | None]]
"""Answers a call; None closes the connection without a word. Cancelled when the caller leaves."""


class Connection(asyncio.Protocol):
    """One client's connection.

    Args:
        handler: Answers calls.
        connections: All that are open; this one adds and removes itself.
    """

    def __init__(self, handler: Handler, connections: set[Connection]) -> None:
        self._handler, self._connections = handler, connections
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Give up what is being answered: nobody waits for it."""
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request."""
        self._http.receive_data(data)
        self._advance()

    def _advance(self) -> None:
        try:
            self._read()
        except h11.RemoteProtocolError as error:
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._send(Response(error.error_status_hint, b"{}"))
            self._transport.close()

    def _read(self) -> None:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._request = event
                self._body.clear()
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self._task = asyncio.get_running_loop().create_task(self._answer())
            elif isinstance(event, h11.ConnectionClosed):
                self._transport.close()
                return
            else:  # NEED_DATA, or PAUSED until the request before is answered
                if event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._transport.write(self._http.send(go_on) or b"")
                return

    async def _answer(self) -> None:
        request = self._request
        assert request is not None
        call = Call(
            request.method.decode(),
            request.target.decode("latin-1").partition("?")[0],
            dict(request.headers),
            bytes(self._body),
        )
        try:
            response = await self._handler(call)
        except Exception as error:
            # The caller is not left waiting, and whoever serves sees the traceback at once.
            context = {"message": f"no reply to {call.path}", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            response = Response(500, b'{"error": {"message": "the scripted model failed"}}')
        self._task = None
        if response is None or self._transport.is_closing():
            self._transport.close()
            return
        self._send(response)
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            self._advance()
        else:
            self._transport.close()

    def _send(self, response: Response) -> None:
        headers = [*response.headers, ("content-length", str(len(response.body)))]
        head = h11.Response(status_code=response.status, headers=headers)
        body = response.body[: len(response.body) // 2] if response.cut else response.body
        pieces = [self._http.send(head), self._http.send(h11.Data(data=body))]
        if not response.cut:
            pieces.append(self._http.send(h11.EndOfMessage()))
        self._transport.write(b"".join(piece for piece in pieces if piece))
