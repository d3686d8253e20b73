"""The reward of one batch against the same reward asked for one call at a time.

python tests/benchmarks/grpo/bench_reward.py [--latency 0.05] [--problems 8] [--completions 4]

The serial side does what the published code does (counted from its description): for each
completion one verifier run, three with the reasoning, three without, and one reward model call, a
new connection each. Both sides talk to the same server process, which answers every request after
the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tracelift_groups.grpo.models import ModelChoice
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.reward import Reward, Rollout
from tracelift_groups.grpo.scorer import ServedRm
from tracelift_groups.grpo.settings import RewardSettings

SERVER = Path(__file__).with_name("reward_server.py")
_REPEATS = 3


def batch(problems: int, completions: int, offset: int = 0) -> list[Rollout]:
    """Completions that no other batch has."""
    return [
        Rollout(
            Problem(f"p{p}", "math", f"What is {p} + {p}?", str(2 * p)),
            f"<reasoning>{p} + {p} = {2 * p}, way {offset + g}.</reasoning>",
        )
        for p in range(problems)
        for g in range(completions)
    ]


def ours(url: str, rollouts: list[Rollout], again: list[Rollout]) -> dict[str, float]:
    """Seconds of a first batch and of a second one on the same problems."""
    settings = RewardSettings(formula="published_math")
    executor = ModelChoice(f"{url}/v1", "stand-in").open()
    with Reward(settings, executor, rm=ServedRm(url)) as reward:
        began = time.perf_counter()
        assert all(score.valid for score in reward(rollouts))
        first = time.perf_counter()
        assert all(score.valid for score in reward(again))
        second = time.perf_counter()
        calls = executor.account.calls
    return {"first_s": first - began, "second_s": second - first, "executor_calls": calls}


def serial(url: str, rollouts: list[Rollout]) -> dict[str, float]:
    """Seconds of one batch, a call at a time."""
    calls = 0
    began = time.perf_counter()
    for one in rollouts:
        for prompt in [one.completion] * (1 + _REPEATS) + [one.problem.text] * _REPEATS:
            body = {"model": "stand-in", "messages": [{"role": "user", "content": prompt}]}
            _post(f"{url}/v1/chat/completions", body)
            calls += 1
        _post(f"{url}/score", {"items": [{"problem": one.problem.text, "reasoning": "x"}]})
        calls += 1
    return {"seconds": time.perf_counter() - began, "calls": calls}


def _post(url: str, body: object) -> None:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json", "connection": "close"}
    )
    with urllib.request.urlopen(request) as reply:
        reply.read()


def main() -> None:
    """Print both sides and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--completions", type=int, default=4)
    given = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(given.latency)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}"
    try:
        rollouts = batch(given.problems, given.completions)
        fast = ours(url, rollouts, batch(given.problems, given.completions, offset=100))
        slow = serial(url, rollouts)
    finally:
        server.terminate()
    first_calls = len(rollouts) * (1 + _REPEATS) + given.problems * _REPEATS + 1
    print(f"load {os.getloadavg()[0]:.1f}, {given.latency * 1000:.0f} ms a call")
    print(f"ours, first batch      {fast['first_s']:6.3f} s  {first_calls} calls")
    print(
        f"ours, second batch     {fast['second_s']:6.3f} s  "
        f"{int(fast['executor_calls']) + 2 - first_calls} calls (baselines are known)"
    )
    print(f"one call at a time     {slow['seconds']:6.3f} s  {slow['calls']:.0f} calls")
    print(f"ratio                  {slow['seconds'] / fast['first_s']:6.1f}")


if __name__ == "__main__":
    main()
