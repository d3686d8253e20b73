"""Verdicts on executors' replies: partial credit, what is not known, and nothing judged twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.formulas import Run, primary
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.verifier import Verifier
from tracelift_groups.verify.sandbox import Limits
from tracelift_groups.verify.verdict import Result, Verdict

SUM = Problem(
    "sum",
    "code",
    "Read n numbers, print their sum.",
    tests=json.dumps(
        [
            {"input": "2\n1 2\n", "output": "3\n"},
            {"input": "1\n-5\n", "output": "-5\n"},
            {"input": "3\n1 1 1\n", "output": "3\n"},
            {"input": "0\n\n", "output": "0\n"},
        ]
    ),
)
NEXT = Problem(
    "next",
    "code",
    "next_even(n)",
    tests=json.dumps(
        {
            "test_code": "def check(candidate):\n"
            + "".join(f"    assert candidate({n}) == {n + 2 - n % 2}\n" for n in range(5)),
            "entry_point": "next_even",
        }
    ),
)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    from tracelift_groups.verify.code import CodeVerifier

    try:
        CodeVerifier(1).close()
    except UserError as error:
        pytest.skip(str(error))
    with Verifier(2, limits=Limits(cpu_s=1.0)) as one:
        yield one


def fenced(program: str) -> str:
    return f"Here it is:\n```python\n{program}\n```\n"


@pytest.mark.parametrize(
    ("program", "passed", "rate", "ran"),
    [
        ("input()\nprint(sum(map(int, input().split())))", True, 1.0, True),
        ("input()\nprint(max(map(int, input().split()), default=0))", False, 0.5, True),
        ("print(3)", False, 0.5, True),
        ("input()\nprint(sum(map(int, input().split())) or 1 // 0)", False, 0.75, False),
        ("while input() == '3': pass\nprint(-5 if input() == '-5' else 3)", False, 0.5, False),
        ("print('", False, 0.0, None),
    ],
)
def test_programs_that_read_stdin(
    verifier: Verifier, program: str, passed: bool, rate: float, ran: bool | None
) -> None:
    outcome = verifier.verify(SUM, fenced(program), partial=True)
    assert outcome.valid
    assert outcome.run == Run(passed, rate, ran)


def test_the_published_term_of_a_partly_right_program(verifier: Verifier) -> None:
    crashing = fenced("input()\nprint(sum(map(int, input().split())) or 1//0)")
    crashed = verifier.verify(SUM, crashing, partial=True)
    assert primary(crashed.run) == pytest.approx(0.8 * 0.75 + 0.05)
    wrong = fenced("print(3)")
    assert primary(verifier.verify(SUM, wrong, partial=True).run) == pytest.approx(0.8 * 0.5 + 0.2)
    # Without partial credit the run stops at the second test, and says so the next time as well.
    assert verifier.verify(SUM, wrong).pass_rate == 0.25
    assert verifier.verify(SUM, wrong, partial=True).pass_rate == 0.5


@pytest.mark.parametrize(
    ("program", "passed", "ran"),
    [
        ("def next_even(n):\n    return n + 2 - n % 2", True, True),
        ("def next_even(n):\n    return n + 1", False, True),
        ("def next_even(n):\n    return {}[n]", False, False),
        ("def next_even(n):\n    while True: pass", False, False),
        ("def other(n):\n    return n", False, False),
    ],
)
def test_functions_under_asserts(
    verifier: Verifier, program: str, passed: bool, ran: bool | None
) -> None:
    outcome = verifier.verify(NEXT, fenced(program))
    assert (outcome.passed, outcome.run.ran) == (passed, ran)
    assert outcome.pass_rate == 1.0 if passed else outcome.pass_rate < 1.0


@pytest.mark.parametrize("problem", [SUM, NEXT], ids=["stdin", "asserts"])
@pytest.mark.parametrize("reply", ["", "I cannot say.", "```python\n```"])
def test_no_program_is_worth_nothing_at_all(
    verifier: Verifier, problem: Problem, reply: str
) -> None:
    outcome = verifier.verify(problem, reply)
    assert outcome.verdict is Verdict.NO_CODE
    assert primary(outcome.run) == 0.0


@pytest.mark.parametrize("tests", ["no json", "[]", '[{"input": "1", "output": ""}]', "{}"])
def test_tests_that_cannot_be_used_say_nothing(verifier: Verifier, tests: str) -> None:
    outcome = verifier.verify(Problem("x", "code", "?", tests=tests), fenced("print(1)"))
    assert not outcome.valid
    assert "unusable tests" in outcome.detail


def test_mathematics(verifier: Verifier) -> None:
    problem = Problem("m", "math", "6 * 7?", "42")
    assert verifier.verify(problem, "The answer is 42.").run == Run(True, 1.0, True)
    assert verifier.verify(problem, "41").run == Run(False, 0.0, True)
    assert verifier.verify(problem, "well,\nwho knows").run == Run(False, 0.0, None)
    assert not verifier.verify(Problem("m", "math", "?", ""), "42").valid


def counting(outcome: Result, hold: threading.Event | None = None) -> tuple[Verifier, list[str]]:
    judged: list[str] = []
    verifier = Verifier()

    def judge(problem: Any, reply: str, partial: bool) -> Result:
        judged.append(reply)
        if hold is not None:
            hold.wait(10)
        return outcome

    verifier._judge = judge  # type: ignore[method-assign]
    return verifier, judged


MATH = Problem("m", "math", "6 * 7?", "42")


def test_a_verdict_is_remembered_and_one_that_says_nothing_is_not() -> None:
    verifier, judged = counting(Result(Verdict.PASS, 1, 1))
    assert verifier.verify(MATH, "42") == verifier.verify(MATH, "42")
    verifier.verify(Problem("m", "math", "6 * 7?", "43"), "42")
    assert judged == ["42", "42"]
    broken, judged = counting(Result(Verdict.SANDBOX_ERROR))
    assert not broken.verify(MATH, "42").valid
    assert not broken.verify(MATH, "42").valid
    assert judged == ["42", "42"]


def test_equal_replies_at_the_same_time_are_judged_once() -> None:
    hold = threading.Event()
    verifier, judged = counting(Result(Verdict.PASS, 1, 1), hold)
    with ThreadPoolExecutor(6) as threads:
        outcomes = [threads.submit(verifier.verify, MATH, "42") for _ in range(6)]
        while not judged:
            pass
        hold.set()
        assert all(one.result().passed for one in outcomes)
    assert judged == ["42"]


def test_a_judge_that_fails_fails_all_who_wait_and_nobody_after() -> None:
    verifier, _ = counting(Result(Verdict.PASS, 1, 1))
    judge = verifier._judge

    def fails(problem: Any, reply: str, partial: bool) -> Result:
        raise UserError("no sandbox")

    verifier._judge = fails  # type: ignore[method-assign]
    with pytest.raises(UserError, match="no sandbox"):
        verifier.verify(MATH, "42")
    verifier._judge = judge  # type: ignore[method-assign]
    assert verifier.verify(MATH, "42").passed
