"""Verdicts on programs: what a run in the sandbox says about a model's reply.

Expected values never enter the sandboxed process: outputs are compared here, and asserts run in a
trusted process of their own. An exit status or a printed word is never a pass, and neither is an
item without tests or with an empty expected output.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tracelift_groups.errors import UserError
from tracelift_groups.verify.compare import difference
from tracelift_groups.verify.sandbox import (
    Ending,
    FunctionJob,
    FunctionResult,
    InfraError,
    Limits,
    Outcome,
    ProgramJob,
    RunResult,
    SandboxPool,
)
from tracelift_groups.verify.verdict import Result, Verdict

_IMPORTS_NUMPY = re.compile(
    r"^[ \t]*+(?:import|from)[ \t]++(?:[\w., ]+,[ \t]*)?numpy\b", re.MULTILINE
)
_USES_NUMPY = re.compile(r"\b(?:np|numpy)\.")
_NEARLY_ALL_MEMORY = 0.9


class Runner(Protocol):
    """What runs programs: a `SandboxPool` or a remote one."""

    def run(self, job: ProgramJob) -> RunResult:
        """Runs a program; raises `InfraError` when the sandbox failed."""
        ...

    def check(self, job: FunctionJob) -> FunctionResult:
        """Runs a candidate against asserts; raises `InfraError` when the sandbox failed."""
        ...

    def close(self) -> None:
        """Ends what the runner holds."""
        ...


class StdioTest(NamedTuple):
    """One input and the output it must give."""

    input: str
    output: str


def _failed_run(ending: Ending, exit_code: int, stderr: str, near_limit: bool) -> Result | None:
    """The verdict when a process did not end well, None when it did."""
    last_line = stderr.strip().rpartition("\n")[2]
    if ending is Ending.TIMEOUT:
        return Result(Verdict.TIMEOUT, detail="time limit reached")
    if ending is Ending.OUT_OF_MEMORY or (ending is Ending.SIGNALLED and near_limit):
        return Result(Verdict.MEMORY, detail="memory limit reached")
    if ending is Ending.NOT_COMPILED:
        return Result(Verdict.COMPILE_ERROR, detail=last_line)
    if ending is Ending.SIGNALLED:
        return Result(Verdict.RUNTIME_ERROR, detail=f"ended by signal {-exit_code}")
    if exit_code:
        return Result(Verdict.RUNTIME_ERROR, detail=last_line or f"exit status {exit_code}")
    return None


def _judge_output(run: RunResult, expected: str, limits: Limits) -> Result:
    near_limit = run.peak_mib > limits.memory_mib * _NEARLY_ALL_MEMORY
    failed = _failed_run(run.ending, run.exit_code, run.stderr, near_limit)
    if run.output_overflow and (failed is None or failed.verdict is Verdict.RUNTIME_ERROR):
        return Result(Verdict.RUNTIME_ERROR, detail="output limit reached")
    if failed is not None:
        return failed
    problem = difference(expected, run.stdout)
    return Result(Verdict.PASS) if problem is None else Result(Verdict.WRONG_ANSWER, detail=problem)


def _judge_function(run: FunctionResult, limits: Limits) -> Result:
    counts = {"passed": run.passed, "total": run.total}
    if run.outcome is Outcome.BAD_TESTS:
        return Result(Verdict.SANDBOX_ERROR, 0, run.total, f"unusable tests: {run.detail}")
    near_limit = run.peak_mib > limits.memory_mib * _NEARLY_ALL_MEMORY
    failed = _failed_run(run.ending, 0, run.detail, near_limit)
    if failed is not None:
        return Result(failed.verdict, detail=failed.detail, **counts)
    if run.outcome is Outcome.PASS:
        return Result(Verdict.PASS, detail="", **counts)
    if run.outcome is Outcome.ASSERTION:
        return Result(Verdict.WRONG_ANSWER, detail=run.detail, **counts)
    if run.outcome is Outcome.RAISED and run.detail.startswith("MemoryError"):
        return Result(Verdict.MEMORY, detail=run.detail, **counts)
    detail = run.detail or "the program broke off the tests"
    return Result(Verdict.RUNTIME_ERROR, detail=detail, **counts)


class CodeVerifier:
    """Judges programs against tests.

    Programs that import numpy run in a second pool, started when first needed, where numpy is
    loaded already. Safe to use from several threads; runs beyond `workers` wait.

    Args:
        workers: Runs at the same time; None for the processors at hand.
        limits: Limits of each run.
        unsafe: Accept a machine that cannot isolate programs well enough.
        runner: Runs programs instead of a local pool.

    Raises:
        SandboxUnavailableError: This machine cannot isolate programs and `unsafe` is not set.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        unsafe: bool = False,
        runner: Runner | None = None,
    ) -> None:
        self.limits = limits
        self._workers, self._unsafe = workers, unsafe
        self._plain: Runner = runner or SandboxPool(workers, unsafe=unsafe)
        self._numpy: Runner | None = runner
        self._lock = threading.Lock()

    @property
    def isolation(self) -> str:
        """The layers in force, for logs and provenance."""
        return self._plain.isolation.tier if isinstance(self._plain, SandboxPool) else "remote"

    def _runner(self, code: str, trusted: str = "") -> Runner:
        """The pool for a program, and for setup and tests, which may use `np` without an import."""
        if not _IMPORTS_NUMPY.search(f"{code}\n{trusted}") and not _USES_NUMPY.search(trusted):
            return self._plain
        with self._lock:
            if self._numpy is None:
                try:
                    self._numpy = SandboxPool(
                        self._workers, packages=("numpy",), unsafe=self._unsafe
                    )
                except UserError:  # not installed: the program's import says so
                    self._numpy = self._plain
            return self._numpy

    def output(self, code: str, stdin: str) -> str:
        """Runs a program that reads stdin, and returns what it wrote to stdout.

        Raises:
            InfraError: The sandbox failed.
        """
        run = self._runner(code).run(ProgramJob(code, stdin, self.limits))
        return run.stdout.decode(errors="replace")

    def stdio(
        self, code: str | None, tests: Sequence[StdioTest], *, every_test: bool = False
    ) -> Result:
        """Judges a program that reads stdin and writes stdout.

        Args:
            code: The program, or None when the reply holds none.
            tests: Inputs and expected outputs, compared as `compare.difference` says.
            every_test: Run all tests, for partial credit, instead of stopping at the first that
                fails. `passed` counts those that passed before the stop otherwise.

        Returns:
            The first failure's verdict, or a pass. Without tests, or with an empty expected
            output, nothing can be judged: `sandbox_error`, which is invalid.
        """
        total = len(tests)
        unusable = next((i for i, test in enumerate(tests, 1) if not test.output.split()), None)
        if not tests or unusable:
            problem = f"test {unusable} expects an empty output" if tests else "there are no tests"
            return Result(Verdict.SANDBOX_ERROR, 0, total, f"unusable tests: {problem}")
        if code is None or not code.strip():
            return Result(Verdict.NO_CODE, 0, total, "no program in the reply")
        runner, passed, first_failure = self._runner(code), 0, Result(Verdict.PASS)
        for number, test in enumerate(tests, 1):
            try:
                run = runner.run(ProgramJob(code, test.input, self.limits))
            except InfraError as error:
                return Result(Verdict.SANDBOX_ERROR, passed, total, str(error))
            judged = _judge_output(run, test.output, self.limits)
            if judged.verdict is Verdict.PASS:
                passed += 1
            elif first_failure.verdict is Verdict.PASS:
                first_failure = Result(judged.verdict, detail=f"test {number}: {judged.detail}")
                if not every_test or judged.verdict is Verdict.COMPILE_ERROR:
                    break
        return Result(first_failure.verdict, passed, total, first_failure.detail)

    def function(
        self, code: str | None, tests: str, *, entry_point: str = "", setup: str = ""
    ) -> Result:
        """Judges functions by asserts.

        Args:
            code: The program, or None when the reply holds none.
            tests: Asserts, or a function `check(candidate)`. They run in a trusted process; calls
                travel to the program's process as data. `passed` and `total` count assert
                statements.
            entry_point: What `candidate` stands for: `add`, or `Solution().twoSum` (a new
                instance for each call). May be empty when the asserts name the functions.
            setup: Trusted code run before tests and program alike: imports, node classes,
                helpers that a prompt defines. Names it defines are the tests' own and cannot be
                replaced by the program. It must hold no expected value.

        Returns:
            The verdict. Tests that do not compile, assert nothing or never call the program give
            `sandbox_error`.
        """
        if not tests.strip():
            return Result(Verdict.SANDBOX_ERROR, 0, 0, "unusable tests: there are no tests")
        if code is None or not code.strip():
            return Result(Verdict.NO_CODE, 0, 1, "no program in the reply")
        job = FunctionJob(code, tests, entry_point, setup, self.limits)
        try:
            return _judge_function(self._runner(code, f"{setup}\n{tests}").check(job), self.limits)
        except InfraError as error:
            return Result(Verdict.SANDBOX_ERROR, 0, 1, str(error))

    async def astdio(
        self, code: str | None, tests: Sequence[StdioTest], *, every_test: bool = False
    ) -> Result:
        """`stdio` for asyncio."""
        return await asyncio.to_thread(self.stdio, code, tests, every_test=every_test)

    async def afunction(
        self, code: str | None, tests: str, *, entry_point: str = "", setup: str = ""
    ) -> Result:
        """`function` for asyncio."""
        return await asyncio.to_thread(
            self.function, code, tests, entry_point=entry_point, setup=setup
        )

    def close(self) -> None:
        """Ends the pools."""
        self._plain.close()
        if self._numpy is not None:
            self._numpy.close()

    def __enter__(self) -> CodeVerifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
