"""A numpy program: numpy loaded beforehand against a fresh interpreter, interleaved.

python tests/benchmarks/sandbox/bench_numpy.py [--runs 60]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from tracelift_groups.verify.sandbox import ProgramJob, SandboxPool

_CODE = "import numpy as np\nprint(int((np.arange(10) ** 2).sum()))\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    runs = parser.parse_args().runs
    warm, fresh = [], []
    with SandboxPool(1, packages=("numpy",)) as pool:
        pool.run(ProgramJob(_CODE))
        for index in range(runs):
            started = time.perf_counter()
            assert pool.run(ProgramJob(_CODE)).stdout == b"285\n"
            warm.append(time.perf_counter() - started)
            if index % 4 == 0:
                started = time.perf_counter()
                subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True)
                fresh.append(time.perf_counter() - started)
    ours, theirs = statistics.median(warm), statistics.median(fresh)
    print(f"numpy pool p50 {ours * 1e3:.1f} ms, subprocess p50 {theirs * 1e3:.1f} ms")
    print(f"ratio {theirs / ours:.1f}x")


if __name__ == "__main__":
    main()
