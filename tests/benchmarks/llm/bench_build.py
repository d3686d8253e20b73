"""Wall time of a whole build with a model against what latency alone would take, and its memory.

python tests/benchmarks/llm/bench_build.py --seeds TRAIN.jsonl [--limit 100] [--concurrency 64]
    [--latency-ms 200] [--runs 1] [--profile FILE]

A build with ``--engine llm --reference generate --rubric judge`` against the scripted model's
server in a process of its own; a seed takes about twenty calls. The ratio is the time of the
asking part, from opening the session to closing it, over calls x latency / concurrency. A seed's
calls wait for each other, so part of it is the tail in which too few are left to fill the width.
Beside it, in the same run: the session alone (bench_concurrency), whose calls wait for nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import bench_concurrency

from tracelift_groups import build as building
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.plan import Plan
from tracelift_groups.seeds import SeedSource

_SAMPLE_S = 0.25


class Asked(NamedTuple):
    wall_s: float
    cpu_s: float
    rss_mb: list[float]


@contextmanager
def scripted_server(seeds: Path, latency_ms: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tracelift_groups", "doctor", "--serve-scripted"]
    command += ["--seeds", str(seeds), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def stats_of(base_url: str) -> dict[str, Any]:
    with urllib.request.urlopen(base_url.removesuffix("/v1") + "/stats", timeout=30) as response:
        found: dict[str, Any] = json.load(response)
        return found


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def sampled(into: list[float]) -> Iterator[None]:
    """Memory in use, now and then."""
    end = threading.Event()

    def watch() -> None:
        while not end.wait(_SAMPLE_S):
            into.append(rss_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def measured(seeds: Path, limit: int, concurrency: int, url: str, profile: Path | None) -> Asked:
    """Build once, and time what asks."""
    found: list[Asked] = []
    ask_now = building.ask_now

    def timed(*arguments: Any, **named: Any) -> None:
        rss: list[float] = []
        profiler = cProfile.Profile() if profile else nullcontext()
        started, cpu = time.perf_counter(), time.process_time()
        with sampled(rss), profiler:
            ask_now(*arguments, **named)
        found.append(Asked(time.perf_counter() - started, time.process_time() - cpu, rss))
        if isinstance(profiler, cProfile.Profile):
            profiler.dump_stats(str(profile))

    plan = Plan(engine="llm", reference="generate", rubric="judge", model="scripted")
    options = building.BuildOptions(
        source=SeedSource("gsm8k", file=seeds, limit=limit, bare=True),
        plan=plan,
        model=ModelSettings("scripted", base_url=url, concurrency=concurrency, attempts=8),
    )
    building.ask_now = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            building.build(options, Path(folder) / "run")
    finally:
        building.ask_now = ask_now
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    latency_s = options.latency_ms / 1000
    import openai  # noqa: F401 - its import takes most of a second, once

    for _ in range(options.runs):
        load = os.getloadavg()[0]
        with scripted_server(options.seeds, options.latency_ms) as url:
            asked = measured(
                options.seeds, options.limit, options.concurrency, url, options.profile
            )
            stats = stats_of(url)
        calls = stats["answered"]
        ideal_s = calls * latency_s / options.concurrency
        rss = asked.rss_mb
        quarters = [max(rss[i * len(rss) // 4 : (i + 1) * len(rss) // 4 or 1]) for i in range(4)]
        print(
            f"build: {calls} calls, {options.concurrency} at once (most {stats['most_in_flight']}):"
            f" {asked.wall_s:.2f} s, processor {asked.cpu_s:.2f} s "
            f"({1000 * asked.cpu_s / calls:.2f} ms a call)"
        )
        print(f"  ratio {asked.wall_s / ideal_s:.3f} to {ideal_s:.2f} s; load {load:.2f} before")
        shown = ", ".join(f"{mb:.0f}" for mb in quarters)
        print(f"  memory, most of each quarter: {shown} MB")
        gc.collect()
        with (
            bench_concurrency.latency_server(latency_s) as port,
            tempfile.TemporaryDirectory() as folder,
        ):
            cache = Path(folder) / "cache.sqlite"
            wall_s, cpu_s = asyncio.run(
                bench_concurrency.measure(calls, options.concurrency, port, cache)
            )
        ratio = wall_s / ideal_s
        print(f"session alone: {wall_s:.2f} s, processor {cpu_s:.2f} s, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
