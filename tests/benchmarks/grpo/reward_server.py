"""An executor and a reward model that answer after a fixed time, for bench_reward.

python tests/benchmarks/grpo/reward_server.py LATENCY_S; prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until the client closes it."""
    latency_s = float(sys.argv[1])
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").lower().split("\r\n")
            length = next(
                int(line.split(":")[1]) for line in lines if line.startswith("content-length")
            )
            body = json.loads(await reader.readexactly(length))
            await asyncio.sleep(latency_s)
            reply = _reply(lines[0].split(" ")[1], body)
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(reply), reply)
            )
            await writer.drain()
            if "connection: close" in lines:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _reply(path: str, body: dict[str, list[object]]) -> bytes:
    if path == "/score":
        return json.dumps({"scores": [0.5] * len(body["items"])}).encode()
    message = {"role": "assistant", "content": "42"}
    return json.dumps({"choices": [{"finish_reason": "stop", "message": message}]}).encode()


async def main() -> None:
    """Serve for ever."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
