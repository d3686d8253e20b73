"""Runs programs against a problem's tests, each program once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.scale import scaled
from tracelift_groups.verify.cases import Case, CaseTests, Failure
from tracelift_groups.verify.code import CodeVerifier
from tracelift_groups.verify.sandbox import Limits
from tracelift_groups.verify.sandbox.remote import RemotePool
from tracelift_groups.verify.verdict import Result, Verdict

# A reference may take its time; a flawed program is to fail for another reason than that.
REFERENCE_LIMITS = Limits(cpu_s=5.0)
FLAWED_LIMITS = Limits(cpu_s=1.0, memory_mib=512)
# What counts as failing a test. A timeout does not: with another limit it may be none.
_FAILS = (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR)
_MOST_CASES = 10
# A large input counts where the reference takes well under the limit that the flawed one breaks.
SLOW_LIMITS = Limits(cpu_s=2.0, memory_mib=1024)
QUICK_LIMITS = Limits(cpu_s=0.4, memory_mib=1024)
_LONGEST_VALUE = 200
_SCALED_CASES = 2


class SandboxDown(RuntimeError):  # noqa: N818 - the run must stop: nothing is known any more
    """The sandbox failed, which says nothing about a program."""


class Outcome(NamedTuple):
    """How a flawed program fares.

    Attributes:
        failure: The first case it fails; None where it passes all, or fails in a way that another
            machine need not repeat.
        failed, total: Cases that it fails, of those that were run.
        passes: It passes every test.
    """

    failure: Failure | None
    failed: int = 0
    total: int = 0
    passes: bool = False


@dataclass(frozen=True)
class Sandbox:
    """Where programs run.

    Attributes:
        url: A server that speaks SandboxFusion's protocol; None for this machine.
        unsafe: Accept a machine that cannot isolate programs.
    """

    url: str | None = None
    unsafe: bool = False

    def verifier(self, limits: Limits) -> CodeVerifier:
        """A verifier that runs one program at a time."""
        remote = RemotePool(self.url) if self.url else None
        return CodeVerifier(workers=1, limits=limits, unsafe=self.unsafe, runner=remote)


class Runs:
    """The sandbox of a process, and what was run in it for the problem at hand."""

    def __init__(self, sandbox: Sandbox = Sandbox()) -> None:
        self._sandbox = sandbox
        self._flawed = sandbox.verifier(FLAWED_LIMITS)
        self._others: dict[Limits, CodeVerifier] = {}
        self._remembered: tuple[str, CaseTests] | None = None
        self._verdicts: dict[str, Verdict] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._large: list[Case] | None = None

    def _within(self, limits: Limits) -> CodeVerifier:
        """The verifier with these limits, started when first needed."""
        if limits not in self._others:
            self._others[limits] = self._sandbox.verifier(limits)
        return self._others[limits]

    def _about(self, problem: str, tests: CaseTests) -> None:
        """Forget what was run for another problem, or for other tests of the same one."""
        if (problem, tests) != self._remembered:
            self._remembered, self._large = (problem, tests), None
            self._verdicts.clear()
            self._outcomes.clear()

    @property
    def isolation(self) -> str:
        """The sandbox's layers, for provenance."""
        return self._flawed.isolation

    def whole(self, program: Program, tests: CaseTests) -> Result:
        """Run a reference against all its tests."""
        return tests.run(self._within(REFERENCE_LIMITS), program.source)

    def verdict(self, program: str, tests: CaseTests, problem: str) -> Verdict:
        """Run a flawed program up to the first test that it fails, or recall the verdict.

        Args:
            program: Its source.
            tests: The problem's tests.
            problem: What the runs are remembered by; another problem forgets them.

        Raises:
            SandboxDown: The sandbox failed.
        """
        self._about(problem, tests)
        if program not in self._verdicts:
            result = tests.run(self._flawed, program)
            if not result.valid:
                raise SandboxDown(result.detail)
            self._verdicts[program] = result.verdict
        return self._verdicts[program]

    def fails(self, program: str, tests: CaseTests, problem: str) -> bool:
        """Whether a flawed program fails a test in a way that another machine would repeat."""
        return self.verdict(program, tests, problem) in _FAILS

    def outcome(self, program: str, tests: CaseTests, problem: str) -> Outcome:
        """Run a flawed program on each test by itself, or recall how it fared."""
        self._about(problem, tests)
        if program not in self._outcomes:
            self._outcomes[program] = self._outcome(program, tests, problem)
        return self._outcomes[program]

    def _outcome(self, program: str, tests: CaseTests, problem: str) -> Outcome:
        verdict = self.verdict(program, tests, problem)
        if verdict not in _FAILS:
            return Outcome(None, passes=verdict is Verdict.PASS)
        found: list[Failure] = []
        failed = ran = 0
        for case in tests.cases[:_MOST_CASES]:
            failure = self._single(self._flawed, program, tests, case)
            ran += 1
            failed += failure is not None
            if failure is not None and repeatable(failure):
                found.append(failure)
            if failure is not None and failure.verdict is Verdict.TIMEOUT:
                break  # more of them would tell nothing and take long
        return Outcome(found[0] if found else None, failed, ran)

    def too_slow(
        self, program: str, reference: Program, tests: CaseTests, problem: str
    ) -> Failure | None:
        """Find a large input that the reference is quick with and a program is not.

        Returns:
            The case, with the verdict timeout; None where there is none, or the program gives
            another value than the reference.

        Raises:
            SandboxDown: The sandbox failed.
        """
        self._about(problem, tests)
        if self._large is None:
            self._large = list(self._large_cases(reference, tests))
        for case in self._large:
            failure = self._single(self._within(SLOW_LIMITS), program, tests, case)
            if failure is not None:
                return failure if failure.verdict is Verdict.TIMEOUT else None
        return None

    def _large_cases(self, reference: Program, tests: CaseTests) -> Iterator[Case]:
        """For each of the first tests, the largest input that the reference is quick with."""
        quick = self._within(QUICK_LIMITS)
        for small in tests.cases[:_SCALED_CASES]:
            for large in scaled(small):
                asked = tests.made_case(large.input, None, stdin=large.stdin)
                if asked is None:
                    return
                shown = self._single(quick, reference.plain, tests, asked)
                if shown is None or shown.verdict is not Verdict.WRONG_ANSWER:
                    continue
                if not shown.got or len(shown.got) > _LONGEST_VALUE:
                    continue
                case = tests.made_case(large.input, shown.got, stdin=large.stdin)
                if case and self._single(quick, reference.plain, tests, case) is None:
                    yield case
                    break  # what is not slow on the largest is not slow on a smaller one

    def _single(
        self, verifier: CodeVerifier, program: str, tests: CaseTests, case: Case
    ) -> Failure | None:
        try:
            return tests.run_case(verifier, program, case)
        except RuntimeError as error:
            raise SandboxDown(str(error)) from error

    def close(self) -> None:
        """End the sandbox."""
        for verifier in (self._flawed, *self._others.values()):
            verifier.close()


def repeatable(failure: Failure) -> bool:
    """Whether a failure is the program's own: a wrong value or an exception, not a limit.

    A program that adds a list to a number is no plan that somebody might have had.
    """
    return failure.verdict in _FAILS and not failure.got.startswith(
        ("ended by signal", "output limit", "TypeError")
    )


def sandbox_of(sandbox: Sandbox = Sandbox()) -> Runs:
    """Return this process's runner for a sandbox; it starts when first asked for.

    Raises:
        UserError: This machine cannot isolate programs, and nothing less is accepted.
    """
    return _runs(sandbox, os.getpid())


@lru_cache(maxsize=1)
def _runs(sandbox: Sandbox, _: int) -> Runs:
    return Runs(sandbox)
