"""Runs the attacks, or the legitimate programs, in this process's circumstances; prints JSON.

A process of its own, so that the same corpus can be run as another user, in an emulated container
or without some layer. Usage: `sandbox_session.py attacks|benign '{"namespaces": false}'`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import sandbox_attacks
import sandbox_attacks_deep
from sandbox_benign import PROGRAMS as BENIGN
from sandbox_world import World

from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.sandbox import (
    FunctionJob,
    FunctionResult,
    Layers,
    Limits,
    ProgramJob,
    RunResult,
    SandboxPool,
    SandboxUnavailableError,
)

PROGRAMS = [*sandbox_attacks.PROGRAMS, *sandbox_attacks_deep.PROGRAMS]
FUNCTIONS = [*sandbox_attacks.FUNCTIONS, *sandbox_attacks_deep.FUNCTIONS]
# A run that its limits do not end; a busy machine may take many times as long as an idle one.
_LONGEST_RUN_S = 120
_GRADER_MEMORY_KIB = 400 << 10


class Recorder:
    """A runner that keeps the last result."""

    def __init__(self, pool: SandboxPool) -> None:
        self.pool = pool
        self.output = b""

    def run(self, job: ProgramJob) -> RunResult:
        result = self.pool.run(job)
        self.output = result.stdout
        return result

    def check(self, job: FunctionJob) -> FunctionResult:
        self.output = b""
        return self.pool.check(job)

    def close(self) -> None:
        self.pool.close()


def _most_memory_kib() -> int:
    """The most that this program has held; getrusage would tell of its parent's memory too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def _attack(pool: SandboxPool) -> dict[str, object]:
    world, recorder, results = World(), Recorder(pool), {}
    seen: list[str] = []
    for mode, attacks in (("program", PROGRAMS), ("function", FUNCTIONS)):
        for attack in attacks:
            limits = Limits(cpu_s=attack.cpu_s, memory_mib=512)
            verifier = CodeVerifier(runner=recorder, limits=limits)
            code, started = world.fill(attack.code), time.monotonic()
            if mode == "program":
                verdict = verifier.stdio(code, [StdioTest("", f"OK\n{world.token}\n")])
            else:
                tests = attack.tests.replace("$EXPECTED", world.token) or "\n".join(
                    f"assert solve({i}) == {world.token[:-1] + str(i)!r}" for i in range(3)
                )
                verdict = verifier.function(code, tests)
            broken = [item for item in world.broken(set(pool.pids())) if item not in seen]
            seen += broken
            if b"ATTACK-OK" in recorder.output:
                broken.append("did what it must not: " + recorder.output.decode()[:200])
            if world.secret.encode() in recorder.output:
                broken.append("read the secret")
            if time.monotonic() - started > _LONGEST_RUN_S:
                broken.append("took too long")
            if _most_memory_kib() > _GRADER_MEMORY_KIB:
                broken.append("filled the grader's memory")
            results[f"{mode}:{attack.name}"] = {
                "verdict": str(verdict.verdict),
                "detail": verdict.detail,
                "broken": broken,
            }
    world.close()
    return results


def _benign(pool: SandboxPool) -> dict[str, object]:
    recorder, results = Recorder(pool), {}
    verifier = CodeVerifier(runner=recorder, limits=Limits(cpu_s=10.0))
    for program in BENIGN:
        verdict = verifier.stdio(program.code, [StdioTest(program.stdin, program.expected)])
        results[program.name] = {"verdict": str(verdict.verdict), "detail": verdict.detail}
    return results


def main() -> None:
    corpus, layers = sys.argv[1], Layers(**json.loads(sys.argv[2]))
    try:
        pool = SandboxPool(1, layers=layers)
    except SandboxUnavailableError as error:
        print(json.dumps({"refused": str(error)}))
        return
    results = _attack(pool) if corpus == "attacks" else _benign(pool)
    answer = {"tier": pool.isolation.tier, "uid": os.getuid(), "results": results}
    pool.close()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
