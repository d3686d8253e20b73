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
        self._reference = sandbox.verifier(REFERENCE_LIMITS)
        self._flawed = sandbox.verifier(FLAWED_LIMITS)
        self._quick = sandbox.verifier(QUICK_LIMITS)
        self._slow = sandbox.verifier(SLOW_LIMITS)
        self._known: dict[tuple[str, str], Outcome] = {}
        self._scaled: tuple[str, list[Case]] = ("", [])

    @property
    def isolation(self) -> str:
        """The sandbox's layers, for provenance."""
        return self._flawed.isolation

    def whole(self, program: Program, tests: CaseTests) -> Result:
        """Run a reference against all its tests."""
        return tests.run(self._reference, program.source)

    def outcome(self, program: str, tests: CaseTests, problem: str) -> Outcome:
        """Run a flawed program, or recall how it fared.

        Args:
            program: Its source.
            tests: The problem's tests.
            problem: What the runs are remembered by; another problem forgets them.

        Raises:
            SandboxDown: The sandbox failed.
        """
        if self._known and next(iter(self._known))[0] != problem:
            self._known.clear()
        key = (problem, program)
        if key not in self._known:
            self._known[key] = self._run(program, tests)
        return self._known[key]

    def _run(self, program: str, tests: CaseTests) -> Outcome:
        result = tests.run(self._flawed, program)
        if not result.valid:
            raise SandboxDown(result.detail)
        if result.verdict not in _FAILS:
            return Outcome(None, passes=result.verdict is Verdict.PASS)
        failures = [
            self.case(program, tests, number)
            for number in range(min(_MOST_CASES, len(tests.cases)))
        ]
        found = [one for one in failures if one is not None and repeatable(one)]
        return Outcome(found[0] if found else None, len(found), len(failures))

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
        if self._scaled[0] != problem:
            self._scaled = (problem, list(self._large_cases(reference, tests)))
        for case in self._scaled[1]:
            failure = self._single(self._slow, program, tests, case)
            if failure is not None:
                return failure if failure.verdict is Verdict.TIMEOUT else None
        return None

    def _large_cases(self, reference: Program, tests: CaseTests) -> Iterator[Case]:
        for small in tests.cases[:_SCALED_CASES]:
            for large in scaled(small):
                asked = tests.made_case(large.input, None, stdin=large.stdin)
                if asked is None:
                    return
                shown = self._single(self._quick, reference.plain, tests, asked)
                if shown is None or shown.verdict is not Verdict.WRONG_ANSWER:
                    continue
                if not shown.got or len(shown.got) > _LONGEST_VALUE:
                    continue
                case = tests.made_case(large.input, shown.got, stdin=large.stdin)
                if case and self._single(self._quick, reference.plain, tests, case) is None:
                    yield case

    def _single(
        self, verifier: CodeVerifier, program: str, tests: CaseTests, case: Case
    ) -> Failure | None:
        try:
            return tests.run_single(verifier, program, case)
        except RuntimeError as error:
            raise SandboxDown(str(error)) from error

    def case(self, program: str, tests: CaseTests, number: int) -> Failure | None:
        """Run one case.

        Raises:
            SandboxDown: The sandbox failed.
        """
        try:
            return tests.run_case(self._flawed, program, number)
        except RuntimeError as error:
            raise SandboxDown(str(error)) from error

    def close(self) -> None:
        """End the sandbox."""
        self._reference.close()
        for verifier in (self._flawed, self._quick, self._slow):
            verifier.close()


def repeatable(failure: Failure) -> bool:
    """Whether a failure is the program's own: a wrong value or an exception, not a limit."""
    return failure.verdict in _FAILS and not failure.got.startswith(
        ("ended by signal", "output limit")
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
