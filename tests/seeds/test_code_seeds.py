"""The bundled programming problems: right programs, and reasoning faithful to them."""

from __future__ import annotations

import ast
import difflib
import json
import re
import sys
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from tests.conftest import ROOT
from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.sandbox import SandboxUnavailableError
from tracelift_groups.verify.verdict import Result, Verdict

FILE = ROOT / "data" / "seeds" / "code.jsonl"
SEEDS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
QUOTED = re.compile(r"`([^`\n]+)`")

each_seed = pytest.mark.parametrize("seed", SEEDS, ids=[f"line{n}" for n, _ in enumerate(SEEDS, 1)])


@pytest.fixture(scope="module")
def verifier() -> Iterator[CodeVerifier]:
    if sys.platform != "linux":
        pytest.skip("programs run on Linux only")
    try:
        with CodeVerifier(workers=1) as shared:
            yield shared
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


def judge(verifier: CodeVerifier, code: str, tests: Any) -> Result:
    if isinstance(tests, dict):
        return verifier.function(
            code, tests["test_code"], entry_point=tests["entry_point"], setup=tests["setup"]
        )
    return verifier.stdio(code, [StdioTest(test["input"], test["output"]) for test in tests])


def count_tests(tests: Any) -> int:
    if isinstance(tests, dict):
        return sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(tests["test_code"])))
    return len(tests)


def emptied(code: str, tests: Any) -> str:
    """The program that does nothing: its function returns None, or it reads and prints nothing."""
    if not isinstance(tests, dict):
        return "pass\n"
    (function,) = (
        node
        for node in ast.parse(code).body
        if isinstance(node, ast.FunctionDef) and node.name == tests["entry_point"]
    )
    function.body = [ast.Pass()]
    return ast.unparse(function)


def shape(node: ast.AST) -> str:
    """A node's structure, the same whether a name is read or assigned."""
    return ast.dump(node).replace("Store()", "Load()")


def shapes(program: str) -> set[str]:
    """The structure of every statement and expression of a program, and of every name it binds."""
    found = set()
    for node in ast.walk(ast.parse(program)):
        found.add(shape(node))
        match node:
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.alias(name=name):
                found.add(shape(ast.Name(name, ast.Load())))
    return found


def quoted_shape(quoted: str) -> str | None:
    """The structure of a quotation, None where it is not one statement or expression."""
    try:
        body = ast.parse(quoted).body
    except SyntaxError:
        return None
    if len(body) != 1:
        return None
    return shape(body[0].value if isinstance(body[0], ast.Expr) else body[0])


def test_there_are_enough_seeds_of_both_styles() -> None:
    functions = sum(isinstance(seed["tests"], dict) for seed in SEEDS)
    assert len(SEEDS) >= 25
    assert functions >= 12
    assert len(SEEDS) - functions >= 12


@each_seed
def test_the_fields_are_complete(seed: dict[str, Any]) -> None:
    assert list(seed) == ["problem", "reasoning", "solution", "tests"]
    assert "Limits:" in seed["problem"]
    assert 90 <= len(seed["reasoning"].split()) <= 260
    assert "```" not in seed["reasoning"]
    assert re.search(r"O\(.+\)", seed["reasoning"])
    assert 5 <= count_tests(seed["tests"]) <= 11
    if isinstance(seed["tests"], dict):
        assert list(seed["tests"]) == ["test_code", "entry_point", "setup"]
        assert f"{seed['tests']['entry_point']}(" in seed["problem"]
    else:
        assert all(list(test) == ["input", "output"] for test in seed["tests"])


@each_seed
def test_the_solution_passes(verifier: CodeVerifier, seed: dict[str, Any]) -> None:
    result = judge(verifier, seed["solution"], seed["tests"])
    assert result.verdict is Verdict.PASS, result.detail


@each_seed
def test_an_emptied_solution_fails(verifier: CodeVerifier, seed: dict[str, Any]) -> None:
    result = judge(verifier, emptied(seed["solution"], seed["tests"]), seed["tests"])
    assert result.verdict is Verdict.WRONG_ANSWER, result.detail


@each_seed
def test_no_two_tests_are_the_same(seed: dict[str, Any]) -> None:
    tests = seed["tests"]
    if isinstance(tests, dict):
        inputs = [line.partition("==")[0] for line in tests["test_code"].splitlines()[1:]]
    else:
        inputs = [test["input"] for test in tests]
    assert len(set(inputs)) == len(inputs)


@each_seed
def test_what_the_reasoning_quotes_stands_in_the_program(seed: dict[str, Any]) -> None:
    there = shapes(seed["solution"])
    quotations = QUOTED.findall(seed["reasoning"])
    assert len(set(quotations)) >= 8
    assert [text for text in quotations if quoted_shape(text) not in there] == []


@pytest.mark.parametrize(
    ("quoted", "there"),
    [
        ("total", True),
        ("rows", True),
        ("total += row[0]", True),
        ("row[0]", True),
        ("return total", True),
        ("row[1]", False),
        ("total += row", False),
        ("column", False),
        ("if total:", False),
    ],
)
def test_quotations_are_looked_up_as_structure(quoted: str, there: bool) -> None:
    program = "def f(rows):\n    for row in rows:\n        total += row [0]\n    return total\n"
    assert (quoted_shape(quoted) in shapes(program)) is there


@pytest.mark.parametrize(("field", "limit"), [("problem", 0.5), ("solution", 0.7)])
def test_no_two_problems_are_alike(field: str, limit: float) -> None:
    for one, other in combinations([seed[field].split() for seed in SEEDS], 2):
        matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
        if matcher.quick_ratio() > limit:
            assert matcher.ratio() <= limit, " ".join(one[:12])
