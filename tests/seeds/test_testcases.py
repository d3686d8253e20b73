from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from tracelift_groups.seeds import testcases
from tracelift_groups.seeds.testcases import BadTestsError, bind, read_columns, read_tests

PAIRS = [{"input": "1\n", "output": "2\n"}, {"input": "3", "output": "é"}]


def loaded(tests: str | None) -> Any:
    assert tests is not None
    return json.loads(tests)


@pytest.mark.parametrize(
    "value",
    [
        PAIRS,
        json.dumps(PAIRS),
        {"inputs": ["1\n", "3"], "outputs": ["2\n", "é"]},
        {"input": ["1\n", "3"], "output": ["2\n", "é"]},
        json.dumps({"inputs": ["1\n", "3"], "outputs": ["2\n", "é"], "fn_name": None}),
        [{"input": "1\n", "output": "2\n", "testtype": "stdin"}, {"input": "3", "output": ["é"]}],
    ],
)
def test_every_shape_of_stdin_tests_becomes_the_same_text(value: object) -> None:
    assert read_tests(value) == json.dumps(PAIRS, ensure_ascii=False)


def test_inputs_and_outputs_may_be_lists_of_lines_or_numbers() -> None:
    assert loaded(read_tests({"inputs": [["1", "2 3"], 4], "outputs": [["5", "6"], 7.5]})) == [
        {"input": "1\n2 3", "output": "5\n6"},
        {"input": "4", "output": "7.5"},
    ]


def test_function_tests_keep_their_own_entry_point_and_take_the_columns_else() -> None:
    given = {"setup": "import math", "test_code": "assert f(1) == 2", "more": 1}
    assert read_tests(given, entry_point="f", setup="x") == (
        '{"test_code": "assert f(1) == 2", "entry_point": "f", "setup": "import math"}'
    )
    assert loaded(read_tests(given | {"entry_point": "g"}, entry_point="f"))["entry_point"] == "g"


@pytest.mark.parametrize("value", ["def check(candidate):\n    assert candidate(1) == 2\n"])
def test_python_text_is_test_code_as_it_stands(value: str) -> None:
    assert loaded(read_tests(value, entry_point="f")) == {"test_code": value, "entry_point": "f"}


def test_lines_of_asserts_are_test_code() -> None:
    assert loaded(read_tests(["assert f(1)", "assert f(2)"])) == {
        "test_code": "assert f(1)\nassert f(2)"
    }


def test_python_text_that_opens_with_a_bracket_is_no_json() -> None:
    assert loaded(read_tests("[x] = [1]\nassert f(x)"))["test_code"].startswith("[x]")


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, "[]", "{}", {"test_code": " "}])
def test_nothing_is_no_tests(value: object) -> None:
    assert read_tests(value) is None


def test_tests_that_expect_nothing_judge_nothing() -> None:
    assert read_tests([{"input": "1", "output": " \n"}]) is None
    assert loaded(read_tests({"inputs": ["1", "2"], "outputs": ["", "3"]})) == [
        {"input": "2", "output": "3"}
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("see the statement", "neither JSON nor Python"),
        ([{"input": "1"}], "without 'output'"),
        ([1, 2], "without 'output'"),
        ({"inputs": ["1", "2"], "outputs": ["1"]}, "2 inputs but 1 outputs"),
        ({"cases": 3}, "no list of tests"),
        ({"test_code": ["assert x"]}, "'test_code' is no text"),
        (7, "a int"),
        ([{"input": {"a": 1}, "output": "x"}], "is a dict"),
        ({"fn_name": "a b", "inputs": [[1]], "outputs": [1]}, "is no name"),
        ({"fn_name": "f", "inputs": ["x y"], "outputs": ["1"]}, "no JSON"),
        ({"fn_name": "f", "inputs": [5], "outputs": ["1"]}, "neither a list nor text"),
        (pickle.dumps(PAIRS), "a bytes"),
    ],
)
def test_other_shapes_are_refused(value: object, words: str) -> None:
    with pytest.raises(BadTestsError, match=words):
        read_tests(value)


def test_numbers_beyond_what_json_reads_are_refused_not_fatal() -> None:
    with pytest.raises(BadTestsError):
        read_tests('{"inputs": [' + "9" * 5000 + '], "outputs": ["1"]}')


CALLS = {"fn_name": "add", "inputs": [[1, [2]], ["a", None]], "outputs": [3, "b"]}


def test_calls_become_asserts_with_literals() -> None:
    tests = bind(read_tests(json.dumps(CALLS)), "def add(a, b): ...")
    assert loaded(tests) == {
        "test_code": "def check(candidate):\n"
        "    assert candidate(1, [2]) == 3\n"
        "    assert candidate('a', None) == 'b'\n",
        "entry_point": "add",
    }


@pytest.mark.parametrize(
    ("program", "entry"),
    [
        ("class Solution:\n    def add(self, a, b): ...", "Solution().add"),
        ("def add(a, b): ...", "add"),
        ("class Solution: ...\ndef add(a, b): ...", "add"),
        ("add = max", "add"),
    ],
)
def test_what_is_called_depends_on_the_program(program: str, entry: str) -> None:
    tests = loaded(bind(read_tests(CALLS, entry_point="other"), program))
    assert tests["entry_point"] == entry
    assert ("from typing import *" in tests.get("setup", "")) == (entry == "Solution().add")


def test_results_that_may_be_wrapped_are_accepted_either_way() -> None:
    tests = bind(read_tests(CALLS | {"outputs": [[3], ["b"]]}), "def add(a, b): ...")
    code = loaded(tests)["test_code"]
    for result in (3, [3]):
        namespace: dict[str, Any] = {}
        exec(code.replace("    assert candidate('a', None) in (['b'], 'b')\n", ""), namespace)
        namespace["check"](lambda *_, result=result: result)
    with pytest.raises(AssertionError):
        namespace["check"](lambda *_: 4)


def test_arguments_may_be_lines_of_json() -> None:
    tests = read_tests({"fn_name": "f", "inputs": ['[1, 2]\n"x"'], "outputs": ["true"]})
    assert "candidate([1, 2], 'x') == True" in loaded(tests)["test_code"]


def test_bind_leaves_other_tests_alone() -> None:
    for tests in (None, read_tests(PAIRS), read_tests("assert f(1)", entry_point="f")):
        assert bind(tests, "class Solution: ...") == tests


def test_parts_are_joined_in_order_and_a_missing_one_is_none() -> None:
    parts = [{"input": ["1"], "output": ["2"]}, None, json.dumps([{"input": "3", "output": "4"}])]
    assert loaded(read_columns(parts)) == [
        {"input": "1", "output": "2"},
        {"input": "3", "output": "4"},
    ]
    assert read_columns([None, {"input": [], "output": []}]) is None


def test_many_or_huge_tests_of_a_source_set_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testcases, "MAX_CHARS", 1000)
    inputs = ["x" * 2000, *map(str, range(100))]
    kept = loaded(read_tests({"inputs": inputs, "outputs": ["y"] * 101}))
    assert [case["input"] for case in kept] == [str(n) for n in range(testcases.MAX_TESTS)]
    calls = {"fn_name": "f", "inputs": [[one] for one in inputs], "outputs": ["y"] * 101}
    code = loaded(read_tests(calls))["test_code"]
    assert "xxx" not in code
    assert 1 < code.count("assert") <= testcases.MAX_TESTS
    assert len(code) < 1100


def test_tests_in_our_own_shape_are_kept_whole() -> None:
    many = [{"input": str(n), "output": "y"} for n in range(testcases.MAX_TESTS + 5)]
    assert loaded(read_tests(many)) == many
