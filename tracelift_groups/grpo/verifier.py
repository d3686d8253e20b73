"""Whether an executor's reply solves the problem, for mathematics and code alike."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

from tracelift_groups.grpo.formulas import Run
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.verify.answers import stated_answers
from tracelift_groups.verify.cases import CaseTests, UnusableTests, read_tests
from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.exact import parse_gold, parse_number
from tracelift_groups.verify.extract import extract_program
from tracelift_groups.verify.math import MathVerifier
from tracelift_groups.verify.sandbox import Limits
from tracelift_groups.verify.verdict import Result, Verdict

_REMEMBERED = 1 << 15
_RAN = (Verdict.PASS, Verdict.WRONG_ANSWER)
_CRASHED = (Verdict.RUNTIME_ERROR, Verdict.TIMEOUT, Verdict.MEMORY)


class Outcome(NamedTuple):
    """A verdict on one reply.

    Attributes:
        passed: Whether it solves the problem.
        pass_rate: Share of the tests that passed, in [0, 1]; for math 1 or 0. Where partial
            credit was not asked for, of a failing program only those before its first failure.
        valid: False where nothing is known: the sandbox failed, or the tests cannot be used.
        verdict: As ``tlg verify`` names it.
        detail: The first failure, for people.
    """

    passed: bool
    pass_rate: float
    valid: bool
    verdict: Verdict
    detail: str = ""

    @property
    def run(self) -> Run:
        """What the formulas need of it."""
        ran = True if self.verdict in _RAN else False if self.verdict in _CRASHED else None
        return Run(self.passed, self.pass_rate, ran)


class Verifier:
    """Judges replies; what a problem needs is started when it is first needed.

    A reply that was judged before, or is being judged, is not judged again: equal programs are run
    once for each problem.
    Safe to use from several threads.

    Args:
        workers: Programs that run at the same time; None for the processors at hand.
        unsafe: Accept a machine that cannot isolate programs well enough.
        limits: Limits of each program's run.
    """

    def __init__(
        self, workers: int | None = None, *, unsafe: bool = False, limits: Limits | None = None
    ) -> None:
        self._workers, self._unsafe, self._limits = workers, unsafe, limits or Limits()
        self._math: MathVerifier | None = None
        self._code: CodeVerifier | None = None
        self._tests: dict[str, CaseTests | str] = {}
        self._known: OrderedDict[bytes, Outcome] = OrderedDict()
        self._under_way: dict[bytes, Future[Outcome]] = {}
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def verify(self, problem: Problem, reply: str, *, partial: bool = False) -> Outcome:
        """Judge one reply.

        Args:
            problem: What it should solve.
            reply: The executor's.
            partial: Run all tests of a program that reads stdin, instead of stopping at the first
                that fails: a program that never ends costs the time limit for each.

        Raises:
            SandboxUnavailableError: Code, and this machine cannot isolate programs.
        """
        key = _key(problem, reply, partial)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            judging = self._under_way.get(key)
            if judging is None:
                mine = self._under_way[key] = Future()
        if judging is not None:
            return judging.result()
        try:
            outcome = _outcome(self._judge(problem, reply, partial))
        except BaseException as error:
            mine.set_exception(error)
            with self._lock:
                del self._under_way[key]
            raise
        mine.set_result(outcome)
        with self._lock:
            del self._under_way[key]
            if outcome.valid:
                self._known[key] = outcome
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return outcome

    async def averify(self, problem: Problem, reply: str, *, partial: bool = False) -> Outcome:
        """``verify`` for asyncio."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(32, thread_name_prefix="verify")
            threads = self._threads
        verify = functools.partial(self.verify, problem, reply, partial=partial)
        return await asyncio.get_running_loop().run_in_executor(threads, verify)

    def close(self) -> None:
        """End what was started."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for verifier in (self._math, self._code):
            if verifier is not None:
                verifier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _judge(self, problem: Problem, reply: str, partial: bool) -> Result:
        if problem.domain == "math":
            gold = problem.answer or ""
            if problem.tolerance and _near(gold, reply, problem.tolerance):
                return Result(Verdict.PASS, 1, 1)
            return self._math_verifier().verify(gold, reply)
        tests = self._tests_of(problem)
        if isinstance(tests, str):
            return Result(Verdict.SANDBOX_ERROR, detail=tests)
        program = extract_program(reply, tests.entry_point)
        if tests.whole:
            return tests.run(self._code_verifier(), program or "")
        cases = [StdioTest(case.input, case.expected) for case in tests.cases]
        return self._code_verifier().stdio(program, cases, every_test=partial)

    def _tests_of(self, problem: Problem) -> CaseTests | str:
        """The tests of a problem, or why they cannot be used."""
        text = problem.tests or ""
        if text not in self._tests:
            try:
                self._tests[text] = read_tests(text)
            except UnusableTests as error:
                self._tests[text] = f"unusable tests: {error}"
        return self._tests[text]

    def _math_verifier(self) -> MathVerifier:
        with self._lock:
            self._math = self._math or MathVerifier()
            return self._math

    def _code_verifier(self) -> CodeVerifier:
        with self._lock:
            self._code = self._code or CodeVerifier(
                self._workers, limits=self._limits, unsafe=self._unsafe
            )
            return self._code


def _key(problem: Problem, reply: str, partial: bool) -> bytes:
    gold = f"{partial}:{problem.tolerance}:{problem.answer or ''}"
    parts = (problem.domain, gold, problem.tests or "", reply)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part.encode(errors="surrogatepass"))
    return digest.digest()


def _near(gold: str, reply: str, tolerance: float) -> bool:
    """Whether every answer that a reply states is a number near the gold one."""
    wanted = parse_gold(gold)
    stated = [parse_number(answer) for answer in stated_answers(reply).answers]
    if wanted is None or not stated:
        return False
    return all(
        one is not None and abs(float(one.value) - float(wanted.value)) < tolerance
        for one in stated
    )


def _outcome(result: Result) -> Outcome:
    passed = result.verdict is Verdict.PASS
    rate = 1.0 if passed else result.passed / result.total if result.total else 0.0
    return Outcome(passed, rate, result.valid, result.verdict, result.detail)
