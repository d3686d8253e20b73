"""Running programs: what counts as a failure, what is remembered, and what stops the run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.perturb.code.programs import LOWEST, TOTAL
from tracelift_groups.groups import make_group
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Runs, SandboxDown, repeatable
from tracelift_groups.perturb.code.scale import scaled
from tracelift_groups.records import Seed
from tracelift_groups.verify.cases import Case, CaseTests, Failure, read_tests
from tracelift_groups.verify.verdict import Result, Verdict

TESTS = read_tests(
    '{"test_code": "assert total(0) == 0\\nassert total(4) == 10\\nassert total(1) == 1",'
    ' "entry_point": "total"}'
)
STDIO = read_tests('[{"input": "4\\n", "output": "10\\n"}, {"input": "0\\n", "output": "0\\n"}]')


SEED = Seed(
    source="test", domain="code", problem="Add up.", reasoning="Words and more words. " * 20,
    reference_solution=TOTAL, tests='[{"input": "1", "output": "1"}]',
)  # fmt: skip


@pytest.fixture
def counted(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were run whole, in order."""
    ran = list[str]()
    run = CaseTests.run

    def counting(self: CaseTests, verifier: Any, program: str) -> Result:
        ran.append(program)
        return run(self, verifier, program)

    monkeypatch.setattr(CaseTests, "run", counting)
    return ran


def test_a_failure_is_the_first_and_all_are_counted(runs: Runs) -> None:
    outcome = runs.outcome(TOTAL.replace("n + 1", "n"), TESTS, "first")
    assert outcome.failure is not None
    assert (outcome.failure.case.input, outcome.failure.case.expected) == ("4", "10")
    assert outcome.failure.got == "6"
    assert (outcome.failed, outcome.total, outcome.passes) == (2, 3, False)


def test_a_program_that_reads_and_prints_fails_alike(runs: Runs) -> None:
    program = "n = int(input())\nprint(sum(range(n)) if n else 1 // n)\n"
    outcome = runs.outcome(program, STDIO, "stdio")
    assert outcome.failure is not None
    assert outcome.failure.case.input == "4\n"
    assert outcome.failure.got == "6"
    assert (outcome.failed, outcome.total) == (2, 2)


def test_a_program_that_passes_has_no_failure(runs: Runs) -> None:
    outcome = runs.outcome(TOTAL, TESTS, "passes")
    assert outcome.failure is None
    assert outcome.passes


@pytest.mark.parametrize(
    "body",
    ["while True:\n        pass", "xs = [0]\n    while True:\n        xs += xs"],
)
def test_what_a_limit_ends_is_neither_failure_nor_pass(body: str, runs: Runs) -> None:
    outcome = runs.outcome(f"def total(n):\n    {body}\n", TESTS, "limits")
    assert outcome.failure is None
    assert not outcome.passes


def test_whether_a_program_fails_is_told_without_its_single_cases(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CaseTests, "run_case", None)
    assert runs.fails(TOTAL.replace("n + 1", "n"), TESTS, "quick")
    assert not runs.fails(TOTAL, TESTS, "quick")
    assert not runs.fails("def total(n):\n    while True:\n        pass\n", TESTS, "quick")


def test_an_exception_is_a_failure(runs: Runs) -> None:
    outcome = runs.outcome("def total(n):\n    return [][n]\n", TESTS, "raises")
    assert outcome.failure is not None
    assert outcome.failure.verdict is Verdict.RUNTIME_ERROR
    assert outcome.failure.got.startswith("IndexError")


def test_a_program_is_run_once_for_a_problem(runs: Runs, counted: list[str]) -> None:
    wrong = TOTAL.replace("n + 1", "n + 2")
    first = runs.outcome(wrong, TESTS, "one")
    assert runs.outcome(wrong, TESTS, "one") == first
    assert counted == [wrong]
    runs.outcome(TOTAL, TESTS, "two")
    runs.outcome(wrong, TESTS, "two")
    assert counted == [wrong, TOTAL, wrong]


def test_a_sandbox_that_fails_stops_the_run(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    down = Result(Verdict.SANDBOX_ERROR, detail="no more processes")
    assert not down.valid
    monkeypatch.setattr(CaseTests, "run", lambda *_: down)
    with pytest.raises(SandboxDown, match="no more processes"):
        runs.outcome(TOTAL, TESTS, "down")
    with pytest.raises(SandboxDown, match="no more processes"):
        make_group(SEED, 0)


def test_a_sandbox_that_fails_in_a_single_case_stops_the_run(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the sandbox failed: broken pipe")

    monkeypatch.setattr(CaseTests, "run_case", fails)
    with pytest.raises(SandboxDown, match="broken pipe"):
        runs.outcome("def total(n):\n    return -n - 1\n", TESTS, "down in a case")
    with pytest.raises(SandboxDown, match="broken pipe"):
        runs.too_slow(TOTAL, Program(TOTAL), TESTS, "down in a large case")


@pytest.mark.parametrize(
    ("verdict", "got", "own"),
    [
        (Verdict.WRONG_ANSWER, "6", True),
        (Verdict.RUNTIME_ERROR, "IndexError: list index out of range", True),
        (Verdict.RUNTIME_ERROR, "ended by signal 11", False),
        (Verdict.RUNTIME_ERROR, "output limit reached", False),
        (Verdict.TIMEOUT, "time limit reached", False),
        (Verdict.MEMORY, "memory limit reached", False),
    ],
)
def test_only_a_programs_own_failure_is_repeatable(verdict: Verdict, got: str, own: bool) -> None:
    assert repeatable(Failure(Case("1", "1"), verdict, got)) is own


FIB = """\
from functools import cache

@cache
def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)
"""
FIB_TESTS = read_tests(
    '{"test_code": "def check(candidate):\\n    assert candidate(0) == 0\\n'
    '    assert candidate(7) == 13", "entry_point": "fib"}'
)


def test_a_large_input_tells_what_is_far_too_slow(runs: Runs) -> None:
    slow = FIB.replace("@cache\n", "")
    failure = runs.too_slow(slow, Program(FIB), FIB_TESTS, "fib")
    assert failure is not None
    assert failure.verdict is Verdict.TIMEOUT
    assert int(failure.case.input) > 30
    fib = [0, 1]
    while len(fib) <= int(failure.case.input):
        fib.append(fib[-1] + fib[-2])
    assert failure.case.expected == str(fib[int(failure.case.input)])


def test_what_is_as_quick_or_gives_something_else_is_not_too_slow(runs: Runs) -> None:
    assert runs.too_slow(FIB, Program(FIB), FIB_TESTS, "fib") is None
    other = FIB.replace("return n\n", "return n + 1\n")
    assert runs.too_slow(other, Program(FIB), FIB_TESTS, "fib") is None


def test_no_large_input_is_made_of_what_does_not_say_how(runs: Runs) -> None:
    code = '"assert lowest([[1], [2]]) == [1]"'
    tests = read_tests(f'{{"test_code": {code}, "entry_point": "lowest"}}')
    endless = "def lowest(xs):\n    while 1: pass\n"
    assert runs.too_slow(endless, Program(LOWEST), tests, "no") is None


def large(given: str, code: str = "x") -> list[str]:
    return [one.input for one in scaled(Case(given, "", code))]


def test_inputs_grow_in_their_own_shape() -> None:
    assert [len(eval(one)) for one in large("[3, 1, 2]")] == sorted(
        (len(eval(one)) for one in large("[3, 1, 2]")), reverse=True
    )
    rising = eval(large("[1, 2, 3]")[0])
    assert rising == sorted(rising)
    assert len(set(eval(large("[3, 1, 2]")[0]))) > 1000
    text = eval(large("'aba'")[-1])
    assert set(text) == {"a", "b"}
    assert len(text) > 10
    assert large("7") == sorted(large("7"), key=int, reverse=True)
    assert all(one.endswith(", k = 2") for one in large("[3, 1], k = 2"))


@pytest.mark.parametrize(
    "given", ["[]", "[1]", "[[1], [2]]", "['a', 'b']", "True", "f(x)", "", "1 +"]
)
def test_what_has_no_shape_to_grow_stays(given: str) -> None:
    assert large(given) == []


def test_stdin_grows_where_a_count_stands_before_so_many_numbers() -> None:
    first = large("3 7\n5 1 2\n", "")[0].split("\n")
    assert first[0].split()[1] == "7"
    assert int(first[0].split()[0]) == len(first[1].split()) > 1000
    for other in ("3\n1 2\n", "2\na b\n", "5\n", "2\n1 2\n3\n", ""):
        assert large(other, "") == []


def test_other_tests_of_the_same_problem_are_run_anew(runs: Runs) -> None:
    assert not runs.fails(TOTAL, TESTS, "same")
    other = read_tests('{"test_code": "assert total(4) == 11", "entry_point": "total"}')
    assert runs.fails(TOTAL, other, "same")
