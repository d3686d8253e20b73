"""Wall time of many model calls against what latency alone would take, and memory as they go by.

python tests/benchmarks/llm/bench_concurrency.py [--calls 2000] [--width 64] [--latency-ms 200]

Everything is real: HTTP to a server in another process, a session, the cache on disk. The ratio is
wall time over calls x latency / width, in one run; 1 would be a client that costs nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracelift_groups.llm.asking import Asks
from tracelift_groups.llm.driver import run
from tracelift_groups.llm.request import Request
from tracelift_groups.llm.session import open_session
from tracelift_groups.llm.settings import ModelSettings

_SERVER = Path(__file__).with_name("latency_server.py")


@contextmanager
def latency_server(latency_s: float) -> Iterator[int]:
    command = [sys.executable, str(_SERVER), str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def stage(number: int) -> Asks[None]:
    yield [Request("bench", "m", f"{number} " + "A problem of some length. " * 60)]


async def measure(calls: int, width: int, port: int, cache: Path) -> tuple[float, float]:
    """Return wall and processor time, after telling what memory the calls so far took at most."""
    settings = ModelSettings(
        "m", base_url=f"http://127.0.0.1:{port}/v1", concurrency=width, cache=cache
    )
    async with open_session(settings) as session:
        done = 0

        def tell(_: int, __: None) -> None:
            nonlocal done
            done += 1
            if done in (calls // 4, calls // 2, calls):
                peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(f"  {done:5d} calls: peak {peak_mb:.0f} MB")

        started, cpu = time.perf_counter(), time.process_time()
        await run(range(calls), stage, session, width=width, on_result=tell)
        return time.perf_counter() - started, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    options = parser.parse_args()
    latency_s = options.latency_ms / 1000
    with latency_server(latency_s) as port, tempfile.TemporaryDirectory() as folder:
        wall_s, cpu_s = asyncio.run(
            measure(options.calls, options.width, port, Path(folder) / "cache.sqlite")
        )
    ideal_s = options.calls * latency_s / options.width
    print(
        f"{options.calls} calls of {options.latency_ms:g} ms, {options.width} at once: "
        f"{wall_s:.2f} s, processor {cpu_s:.2f} s ({1000 * cpu_s / options.calls:.2f} ms a call)"
    )
    print(f"ratio {wall_s / ideal_s:.2f} to calls x latency / width = {ideal_s:.2f} s")


if __name__ == "__main__":
    main()
