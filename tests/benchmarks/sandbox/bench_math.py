"""Numeric answers a second: ours against math-verify, on the same pairs in one run.

python tests/benchmarks/sandbox/bench_math.py [--pairs 20000]
"""

from __future__ import annotations

import argparse
import random
import time

from math_verify import parse, verify

from tracelift_groups.verify.math import MathVerifier
from tracelift_groups.verify.verdict import Verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20_000)
    count = parser.parse_args().pairs
    chooser = random.Random(0)
    golds = [f"{chooser.randrange(-(10**6), 10**6):,}" for _ in range(count)]
    replies = [f"Some steps of reasoning come first.\nThe total is \\boxed{{{g}}}." for g in golds]
    with MathVerifier() as verifier:
        started = time.perf_counter()
        passed = sum(
            verifier.verify(gold, reply).verdict is Verdict.PASS
            for gold, reply in zip(golds, replies, strict=True)
        )
        ours = passed / (time.perf_counter() - started)
    few = list(zip(golds, replies, strict=True))[: max(1, count // 100)]
    started = time.perf_counter()
    for gold, reply in few:
        verify(parse(gold), parse(reply))
    theirs = len(few) / (time.perf_counter() - started)
    print(f"ours {ours:,.0f} pairs/s ({passed} of {count} pass), math-verify {theirs:,.0f} pairs/s")
    print(f"ratio {ours / theirs:.0f}x")


if __name__ == "__main__":
    main()
