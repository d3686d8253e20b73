"""A problem's tests taken apart: what goes in, what must come out, what came out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracelift_groups.verify.cases import Case, CaseTests, UnusableTests, read_tests
from tracelift_groups.verify.code import CodeVerifier
from tracelift_groups.verify.verdict import Result, Verdict


def asserts(code: str, entry: str = "f", setup: str = "") -> CaseTests:
    return read_tests(json.dumps({"test_code": code, "entry_point": entry, "setup": setup}))


def shown(tests: CaseTests) -> list[tuple[str, str]]:
    return [(case.input, case.expected) for case in tests.cases]


CHECK = "def check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n"


def test_check_is_split_into_its_asserts() -> None:
    tests = asserts(CHECK)
    assert shown(tests) == [("[1, 2]", "3"), ("[]", "0")]
    for case in tests.cases:
        assert case.code.count("assert") == 1
        assert "def check(candidate)" in case.code
    assert tests.whole == CHECK
    assert tests.entry_point == "f"


def test_asserts_of_a_module_are_split() -> None:
    tests = asserts("assert f(1) == 2\nassert f(2, k=3) == 4")
    assert shown(tests) == [("1", "2"), ("2, k = 3", "4")]


@pytest.mark.parametrize(
    ("test", "given", "expected"),
    [
        ("assert f(1) == 2", "1", "2"),
        ("assert 2 == f(1)", "1", "2"),
        ("assert f(1) is None", "1", "None"),
        ("assert f(1) == 2, 'message'", "1", "2"),
        ("assert isclose(f(1), 0.5)", "1", "0.5"),
        ("assert f(x, *y)", "x, *y", "_got"),
        ("assert not f(1)", "1", "not _got"),
        ("assert f(1) != 2", "1", "_got != 2"),
        ("assert f(1)[0] == 2", "1", "_got[0] == 2"),
        ("assert sorted(f(1)) == [2]", "1", "sorted(_got) == [2]"),
        ("assert abs(f(1) - 2) < 1e-6", "1", "abs(_got - 2) < 1e-06"),
    ],
)
def test_what_goes_in_and_must_come_out_is_read_off_the_assert(
    test: str, given: str, expected: str
) -> None:
    assert shown(asserts(test)) == [(given, expected)]


def test_helper_statements_stay_and_other_asserts_go() -> None:
    code = """\
import math
def check(candidate):
    x = [1]
    assert candidate(x) == 1
    x = [2]
    assert candidate(x) == 2
"""
    first, second = asserts(code).cases
    for case in (first, second):
        assert "import math" in case.code
        assert case.code.count("assert") == 1
        assert case.code.index("x = [1]") < case.code.index("x = [2]")
    assert first.code.index("x = [1]") < first.code.index("_got = ") < first.code.index("x = [2]")
    assert second.code.index("x = [2]") < second.code.index("_got = ")


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(3):\n    assert f(i) == i",  # in a loop
        "assert f(1) == f(2)",  # two calls
        "x = f(1)\nassert x == 2",  # the call is not in the assert
        "assert f(1) == 1\nassert g(1) == 1",  # not one for all
        "def check(candidate):\n    assert candidate(1) == 1\nassert f(2) == 2",  # here and there
    ],
)
def test_tests_that_cannot_be_split_stay_whole(code: str) -> None:
    (case,) = asserts(code).cases
    assert (case.input, case.code) == (code, code)
    assert case.expected


def test_without_an_entry_point_asserts_of_a_module_stay_whole() -> None:
    assert len(asserts("assert f(1) == 1\nassert f(2) == 2", entry="").cases) == 1


def test_stdin_tests_are_taken_as_they_are() -> None:
    tests = read_tests('[{"input": "1\\n", "output": "2\\n"}, {"input": "", "output": "x"}]')
    assert tests.cases == (Case("1\n", "2\n"), Case("", "x"))
    assert tests.whole == tests.entry_point == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("3", "neither a list"),
        ('{"entry_point": "f"}', "neither a list"),
        ('{"test_code": 3}', "neither a list"),
        ("[]", "no tests"),
        ('[{"output": "1"}]', "test 0 has no input"),
        ('[{"input": "1", "output": "1"}, {"input": "1"}]', "test 1 has no output"),
        ('[{"input": "1", "output": " \\n"}]', "test 0 has no output"),
        ("[1]", "test 0 has no input"),
        ('{"test_code": "def (", "entry_point": "f"}', "does not parse"),
        ('{"test_code": "x = 1", "entry_point": "f"}', "assert|tested"),
    ],
)  # fmt: skip
def test_unusable_tests_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(UnusableTests, match=reason):
        read_tests(text)


def test_a_made_case_asks_for_another_input() -> None:
    case = asserts(CHECK).made_case("[5, 6]", "11", stdin=False)
    assert case is not None
    assert (case.input, case.expected) == ("[5, 6]", "11")
    assert "f([5, 6])" not in case.code
    assert "candidate([5, 6])" in case.code
    assert read_tests('[{"input": "1", "output": "1"}]').made_case("9", "8", stdin=True) == Case(
        "9", "8"
    )


def test_no_case_is_made_where_the_tests_do_not_say_how() -> None:
    assert asserts("assert f(1) == 1", entry="").made_case("2", "2", stdin=False) is None


class _Says:
    """A verifier that always says the same."""

    def __init__(self, result: Result) -> None:
        self.result = result

    def function(self, *_: Any, **__: Any) -> Result:
        return self.result

    stdio = function


@pytest.mark.parametrize(
    ("result", "got"),
    [
        (Result(Verdict.WRONG_ANSWER, detail="AssertionError: [1]"), "[1]"),
        (Result(Verdict.WRONG_ANSWER, detail=""), "wrong_answer"),
        (Result(Verdict.RUNTIME_ERROR, detail="test 0: ValueError: y"), "ValueError: y"),
        (Result(Verdict.RUNTIME_ERROR, detail="IndexError: x"), "IndexError: x"),
        (Result(Verdict.WRONG_ANSWER, detail="AssertionError: <f.A object at 0x7f3a21bc>"),
         "<f.A object at 0x…>"),
    ],
)  # fmt: skip
def test_what_came_out_is_read_off_the_verdict(result: Result, got: str) -> None:
    tests = asserts(CHECK)
    failure = tests.run_case(_Says(result), "", tests.cases[1])  # type: ignore[arg-type]
    assert failure is not None
    assert (failure.case, failure.verdict) == (tests.cases[1], result.verdict)
    assert failure.got == got


def test_a_sandbox_that_fails_says_nothing_of_the_program() -> None:
    says = _Says(Result(Verdict.SANDBOX_ERROR, detail="broken pipe"))
    tests = asserts(CHECK)
    with pytest.raises(RuntimeError, match="broken pipe"):
        tests.run_case(says, "", tests.cases[0])  # type: ignore[arg-type]


RIGHT = "def f(xs):\n    return sum(xs)\n"


@pytest.mark.parametrize(
    ("program", "got"),
    [
        (RIGHT, [None, None]),
        ("def f(xs):\n    return len(xs)\n", ["2", None]),
        ("def f(xs):\n    return xs[0] + 2\n", [None, "IndexError: list index out of range"]),
    ],
)
def test_cases_are_run_one_by_one(
    verifier: CodeVerifier, program: str, got: list[str | None]
) -> None:
    tests = asserts(CHECK)
    failures = [tests.run_case(verifier, program, case) for case in tests.cases]
    assert [one.got if one else None for one in failures] == got
    passed = tests.run(verifier, program).verdict is Verdict.PASS
    assert passed is (got == [None, None])


def test_what_came_out_is_told_by_field_and_cut_short(verifier: CodeVerifier) -> None:
    setup = """\
class Node:
    def __init__(self, value, next=None):
        self.value, self.next = value, next
"""
    code = "assert f(3).value == 1\nassert len(f(200)) == 1"
    program = f"{setup}def f(n):\n    return Node(2, Node(n)) if n < 9 else [1234567] * n\n"
    tests = asserts(code, setup=setup)
    node, long = (tests.run_case(verifier, program, case) for case in tests.cases)
    assert node is not None
    assert long is not None
    assert "value=2" in node.got
    assert "value=3" in node.got
    assert long.got.endswith("...")
    assert len(long.got) < 400


def test_stdin_cases_are_run(verifier: CodeVerifier) -> None:
    tests = read_tests('[{"input": "1\\n", "output": "2\\n"}, {"input": "2\\n", "output": "4\\n"}]')
    program = "print(2 if input() == '1' else 3)"
    assert tests.run_case(verifier, program, tests.cases[0]) is None
    failure = tests.run_case(verifier, program, tests.cases[1])
    assert failure is not None
    assert failure.got == "3"


def test_a_made_case_is_run_on_its_own(verifier: CodeVerifier) -> None:
    tests = asserts(CHECK)
    asked = tests.made_case("[5, 6]", None, stdin=False)
    assert asked is not None
    answer = tests.run_case(verifier, RIGHT, asked)
    assert answer is not None
    assert answer.got == "11"
    right = tests.made_case("[5, 6]", "11", stdin=False)
    assert right is not None
    assert tests.run_case(verifier, RIGHT, right) is None


def test_a_value_that_cannot_be_written_down_makes_no_case() -> None:
    tests = read_tests(
        json.dumps(
            {
                "test_code": "def check(candidate):\n    assert candidate(1) == 2",
                "entry_point": "f",
            }
        )
    )
    assert tests.made_case("2", "3", stdin=False) is not None
    assert tests.made_case("2", "<Node object at 0x…>", stdin=False) is None
