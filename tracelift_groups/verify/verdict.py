"""The verdicts that verification gives, for mathematics and code alike."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """What a reply is worth."""

    PASS = "pass"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    COMPILE_ERROR = "compile_error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    NO_CODE = "no_code"
    NO_ANSWER = "no_answer"
    SANDBOX_ERROR = "sandbox_error"


@dataclass(frozen=True)
class Result:
    """The outcome of verifying one reply.

    Attributes:
        verdict: What the reply is worth.
        passed: Tests that passed, 0 to `total`.
        total: Tests there are; 1 for mathematics.
        detail: The first failure, for people.
    """

    verdict: Verdict
    passed: int = 0
    total: int = 0
    detail: str = ""

    @property
    def valid(self) -> bool:
        """Whether this says anything about the reply: `sandbox_error` does not, and is no zero."""
        return self.verdict is not Verdict.SANDBOX_ERROR
