"""Micro-batching against one item at a time: the same server, the same 32 clients.

Both servers run; rounds of the two alternate, so that a busy machine slows both. Two models:

* a stand-in whose call takes 20 ms and 0.2 ms an item, which is what a decoder on a GPU is like
  while its batch is small: reading the weights is the cost, and they are read once a batch;
* a small decoder with random weights on this machine's CPU, where arithmetic is the cost, so that
  only the prefix shared by the rollouts of a problem and the overhead of a call can be saved.

Each client asks for one item at a time: 32 clients, four problems with eight rollouts each, as in
a GRPO step.

    OMP_NUM_THREADS=1 python tests/benchmarks/rm/bench_serve.py
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

CLIENTS, PROBLEMS, ROUNDS, ROUND_S = 32, 4, 4, 3.0
CALL_S, ITEM_S = 0.020, 0.0002


def request(client: int) -> bytes:
    """A request for one item, of about the length of a GSM8K solution."""
    problem = f"Farm {client % PROBLEMS} has 12 rows of {client % PROBLEMS + 3} apple trees. " * 3
    lines = [f"{n} * {client} = {n * client} apples in row {n}." for n in range(1, 6)]
    item = {"problem": problem, "reasoning": "\n".join(lines), "task_type": "math"}
    body = json.dumps({"items": [item]}).encode()
    head = f"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def client(port: int, raw: bytes, until: float) -> int:
    """Ask on one connection, again and again; how many answers came before the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < until:
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        done += 1
    writer.close()
    return done


async def throughput(port: int) -> float:
    """Items a second of 32 clients."""
    started = time.perf_counter()
    end = started + ROUND_S
    counts = await asyncio.gather(*(client(port, request(n), end) for n in range(CLIENTS)))
    return sum(counts) / (time.perf_counter() - started)


def serve(kind: str, max_batch: int, port: int, folder: str) -> None:
    """Serve one of the two models until killed."""
    import uvicorn

    from tracelift_groups.rm.item import Item
    from tracelift_groups.rm.score import Scorer
    from tracelift_groups.rm.serve import Limits, make_app

    if kind == "stand-in":

        def score(items: list[Item]) -> Sequence[float]:
            time.sleep(CALL_S + ITEM_S * len(items))
            return [0.5] * len(items)
    else:
        scorer = Scorer.load(Path(folder), device="cpu")

        def score(items: list[Item]) -> Sequence[float]:
            return [one.score for one in scorer.score(items)]

    app = make_app(score, kind, Limits(batch=max_batch))
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


def start(kind: str, max_batch: int, folder: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server in a process of its own and wait for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", kind, str(max_batch), str(port), folder]
    )
    for _ in range(600):
        time.sleep(0.1)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
    raise RuntimeError("the server did not start")


def compare(kind: str, folder: str) -> None:
    """Alternate rounds of both servers and print the medians and their ratio."""
    single, single_port = start(kind, 1, folder)
    batched, batched_port = start(kind, 64, folder)
    try:
        for port in (single_port, batched_port):
            asyncio.run(throughput(port))  # warm up
        rates = [
            (asyncio.run(throughput(single_port)), asyncio.run(throughput(batched_port)))
            for _ in range(ROUNDS)
        ]
    finally:
        for process in (single, batched):
            process.terminate()
            process.wait()
    one, many = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(b / a for a, b in rates)
    print(f"{kind}: one at a time {one:.0f} items/s, batched {many:.0f} items/s, {ratio:.1f}x")


def main() -> None:
    """Compare on both models."""
    from tests.rm.small import save_small, small_recipe

    with tempfile.TemporaryDirectory() as folder:
        save_small(Path(folder), small_recipe(text={"max_length": 1024}))
        compare("stand-in", folder)
        compare("small decoder on the CPU", folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
