"""Programs a second: the sandbox against two ways of running a program without one.

Everything is interleaved in one process, so that the machine's load touches all alike; what counts
are the ratios. `--parent-gib 6` fills this process with memory first, as a trainer is: fork pays
for that, a zygote does not.

    python tests/benchmarks/sandbox/bench_programs.py [--workers 2] [--runs 60] [--parent-gib 6]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tracelift_groups.verify.sandbox import FunctionJob, Layers, ProgramJob, SandboxPool

_CODE = "print(sum(int(x) ** 2 for x in input().split()))\n"
_FUNCTION = "def add(a, b):\n    return a + b\n"
_ASSERTS = "assert add(1, 2) == 3\nassert add([1], [2]) == [1, 2]\n"
_INPUT = "1 2 3\n"
_BLOCK = 10


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))
    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))


def _subprocess(path: Path, **options: object) -> None:
    subprocess.run(  # type: ignore[call-overload]
        [sys.executable, str(path)],
        input=_INPUT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        **options,
    )


def _measure(
    actions: dict[str, Callable[[], object]], runs: int, workers: int
) -> dict[str, list[float]]:
    """Seconds of each run, the actions taking turns in blocks."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    rates: dict[str, float] = dict.fromkeys(actions, 0.0)

    def timed(name: str) -> float:
        started = time.perf_counter()
        actions[name]()
        return time.perf_counter() - started

    with ThreadPoolExecutor(workers) as executor:
        for action in actions.values():
            action()
        for _ in range(max(1, runs // _BLOCK)):
            for name in actions:
                started = time.perf_counter()
                times[name] += executor.map(timed, [name] * _BLOCK)
                rates[name] += time.perf_counter() - started
    for name, seconds in times.items():
        median, worst = statistics.median(seconds), sorted(seconds)[int(len(seconds) * 0.99)]
        rate = len(seconds) / rates[name]
        print(f"{name:<34}{rate:8.1f}/s   p50 {median * 1e3:6.1f} ms   p99 {worst * 1e3:6.1f} ms")
    return {name: [rates[name]] for name in actions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--parent-gib", type=float, default=0.0)
    options = parser.parse_args()
    ballast = bytearray(int(options.parent_gib * 2**30))
    for offset in range(0, len(ballast), 4096):
        ballast[offset] = 1
    with tempfile.TemporaryDirectory() as folder:
        program, asserts = Path(folder, "program.py"), Path(folder, "asserts.py")
        program.write_text(_CODE)
        asserts.write_text(_FUNCTION + _ASSERTS)
        workers = options.workers
        base_layers = Layers(namespaces=False)
        with SandboxPool(workers) as pool, SandboxPool(workers, layers=base_layers) as base:
            for warm in (pool, base):
                warm.run_many([ProgramJob("import time; time.sleep(.2)")] * workers)
            actions: dict[str, Callable[[], object]] = {
                f"sandbox ({pool.isolation.tier})": lambda: pool.run(ProgramJob(_CODE, _INPUT)),
                "sandbox (landlock+seccomp)": lambda: base.run(ProgramJob(_CODE, _INPUT)),
                "subprocess.run": lambda: _subprocess(program),
                "preexec_fn with rlimits": lambda: _subprocess(program, preexec_fn=_limits),
                "function mode": lambda: pool.check(FunctionJob(_FUNCTION, _ASSERTS)),
                "asserts and exit code": lambda: _subprocess(asserts),
            }
            took = {n: t[0] for n, t in _measure(actions, options.runs, workers).items()}
    first, second, plain, limited, function, exit_code = took.values()
    print(f"workers {workers}, parent + {options.parent_gib:g} GiB")
    print(f"against subprocess.run:          {plain / first:5.1f}x   {plain / second:5.1f}x")
    print(f"against preexec_fn with rlimits: {limited / first:5.1f}x   {limited / second:5.1f}x")
    print(f"function mode against exit code: {exit_code / function:5.1f}x")


if __name__ == "__main__":
    main()
