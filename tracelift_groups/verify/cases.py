"""A problem's tests, one case at a time: what goes in, what must come out, what came out.

A seed's ``tests`` are JSON text in one of two shapes, the ones that ``tlg verify`` takes: a list
``[{"input", "output"}]`` for programs that read stdin and write stdout, or an object
``{"test_code", "entry_point", "setup"}`` of asserts or a ``check(candidate)``.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.sandbox import InfraError
from tracelift_groups.verify.verdict import Result, Verdict

_GOT = "_got"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_LONGEST = 300
# In front of a case's assert: writes what the program returned, nodes of lists and trees by field.
_SHOW = f"""
def _show(value, depth=0):
    fields = getattr(type(value), "__module__", "builtins") != "builtins" and vars(value)
    if not fields or depth > 40:
        return repr(value)
    inner = ", ".join(f"{{name}}={{_show(fields[name], depth + 1)}}" for name in fields)
    return f"{{type(value).__name__}}({{inner}})"
def _shown(value):
    text = _show(value)
    return text if len(text) <= {_LONGEST} else text[:{_LONGEST}] + "..."
"""


class UnusableTests(Exception):  # noqa: N818 - an outcome that is recorded, not a failure
    """The tests cannot be read or assert nothing; the message says why."""


@dataclass(frozen=True)
class Case:
    """One test.

    Attributes:
        input: Stdin, or the call's arguments as they stand in the test.
        expected: Expected stdout, or the expected value as it stands in the test.
        code: The test alone, as test code; empty for a stdin/stdout test.
    """

    input: str
    expected: str
    code: str = ""


@dataclass(frozen=True)
class Failure:
    """A case that a program fails: the verdict, and what the program gave instead."""

    case: Case
    verdict: Verdict
    got: str


@dataclass(frozen=True)
class CaseTests:
    """Tests of one problem.

    Attributes:
        cases: The single tests, in order.
        entry_point: For asserts: what ``candidate`` stands for.
        setup: For asserts: trusted code that runs before.
        whole: For asserts: all of them in one, as given; empty for stdin/stdout.
    """

    cases: tuple[Case, ...]
    entry_point: str = ""
    setup: str = ""
    whole: str = field(default="", repr=False)

    def run(self, verifier: CodeVerifier, program: str) -> Result:
        """Run the tests in order up to the first that fails."""
        if self.whole:
            return verifier.function(
                program, self.whole, entry_point=self.entry_point, setup=self.setup
            )
        return verifier.stdio(
            program, [StdioTest(case.input, case.expected) for case in self.cases]
        )

    def made_case(self, given: str, expected: str | None, *, stdin: bool) -> Case | None:
        """Make a case of another input; with no expected value, one that shows what comes out.

        None where these tests do not say how a case is put.
        """
        if stdin:
            return Case(given, "?" if expected is None else expected)
        name = "candidate" if self.entry_point else ""
        if not name or not self.cases[0].code:
            return None
        want = f"assert {_GOT} == {expected}" if expected is not None else "assert False"
        code = f"def check({name}):\n    {_GOT} = {name}({given})\n    {want}, _shown({_GOT})"
        try:
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError):
            return None  # what came out cannot be written down, such as <object>
        return Case(given, expected or "", code)

    def run_case(self, verifier: CodeVerifier, program: str, case: Case) -> Failure | None:
        """Run one case, of these tests or made for them; None when the program passes it.

        Raises:
            RuntimeError: The sandbox failed, so that nothing is known.
        """
        if case.code:
            code = f"{_SHOW}\n{case.code}"
            result = verifier.function(
                program, code, entry_point=self.entry_point, setup=self.setup
            )
        else:
            result = verifier.stdio(program, [StdioTest(case.input, case.expected)])
        if not result.valid:
            raise RuntimeError(f"the sandbox failed: {result.detail}")
        if result.verdict is Verdict.PASS:
            return None
        got = _got(result)
        if not case.code and result.verdict is Verdict.WRONG_ANSWER:
            try:
                got = _shortened(verifier.output(program, case.input).rstrip())
            except InfraError as error:
                raise RuntimeError(f"the sandbox failed: {error}") from error
        return Failure(case, result.verdict, got)


def _got(result: Result) -> str:
    """What the program gave, from the verdict's detail; addresses vary and are blotted out."""
    detail = re.sub(r"^test \d+: ", "", result.detail)
    if result.verdict is Verdict.WRONG_ANSWER:
        detail = re.sub(r"^AssertionError: ", "", detail)
    return _ADDRESS.sub("0x…", detail) or result.verdict.value


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def read_tests(text: str) -> CaseTests:
    """Read a seed's ``tests``.

    Raises:
        UnusableTests: Not JSON in one of the two shapes, or nothing is tested.
    """
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnusableTests(f"not JSON: {error}") from error
    if isinstance(value, list):
        return CaseTests(_stdio_cases(value))
    if isinstance(value, dict) and isinstance(value.get("test_code"), str):
        return _assert_cases(value)
    raise UnusableTests("neither a list of input and output nor an object with test_code")


def _stdio_cases(rows: list[Any]) -> tuple[Case, ...]:
    cases = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("input"), str):
            raise UnusableTests(f"test {number} has no input")
        if not isinstance(row.get("output"), str) or not row["output"].strip():
            raise UnusableTests(f"test {number} has no output")
        cases.append(Case(row["input"], row["output"]))
    if not cases:
        raise UnusableTests("there are no tests")
    return tuple(cases)


def _assert_cases(value: dict[str, Any]) -> CaseTests:
    code = value["test_code"]
    entry, setup = str(value.get("entry_point") or ""), str(value.get("setup") or "")
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnusableTests(f"the test code does not parse: {error}") from error
    if not any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(tree)) and (
        "assert" not in code
    ):
        raise UnusableTests("the test code asserts nothing")
    cases = _split(tree, entry) or (Case(code.strip(), "every assert holds", code),)
    return CaseTests(cases, entry, setup, whole=code)


def _split(tree: ast.Module, entry: str) -> tuple[Case, ...]:
    """Split asserts into single cases; nothing where one of them is not of the plain kind."""
    check = next(
        (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args
        ),
        None,
    )
    body: Sequence[ast.stmt] = check.body if check else tree.body
    name = check.args.args[0].arg if check else entry
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    if not asserts or not name.isidentifier():
        return ()
    if sum(isinstance(node, ast.Assert) for node in ast.walk(tree)) != len(asserts):
        return ()
    cases = []
    for wanted in asserts:
        case = _single(tree, check, wanted, name)
        if case is None:
            return ()
        cases.append(case)
    return tuple(cases)


def _single(
    tree: ast.Module, check: ast.FunctionDef | None, wanted: ast.Assert, name: str
) -> Case | None:
    """The test code with one assert alone, which says what the program gave when it fails."""
    calls = [
        node
        for node in ast.walk(wanted.test)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    if len(calls) != 1:
        return None
    call = calls[0]
    test = _Substitute(call).visit(copy.deepcopy(wanted.test))
    take = ast.Assign([ast.Name(_GOT, ast.Store())], call)
    shown = ast.Call(ast.Name("_shown", ast.Load()), [ast.Name(_GOT, ast.Load())], [])
    alone: list[ast.stmt] = [take, ast.Assert(test, shown)]
    body: list[ast.stmt] = []
    for node in check.body if check else tree.body:
        if node is wanted:
            body += alone
        elif not isinstance(node, ast.Assert):
            body.append(node)
    if check:
        only = copy.copy(check)
        only.body = body
        body = [only if node is check else node for node in tree.body]
    module = ast.Module(body, [])
    arguments = [ast.unparse(a) for a in call.args]
    arguments += [f"{key.arg} = {ast.unparse(key.value)}" for key in call.keywords]
    return Case(
        ", ".join(arguments),
        _expected(wanted.test, call),
        ast.unparse(ast.fix_missing_locations(module)),
    )


class _Substitute(ast.NodeTransformer):
    def __init__(self, call: ast.Call) -> None:
        self._dump = ast.dump(call)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.dump(node) == self._dump:
            return ast.Name(_GOT, ast.Load())
        self.generic_visit(node)
        return node


def _expected(test: ast.expr, call: ast.Call) -> str:
    """The value that the assert asks for; where it is no comparison, the assert itself."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        sides = (test.left, test.comparators[0])
        for one, other in (sides, sides[::-1]):
            if one is call and isinstance(test.ops[0], ast.Eq | ast.Is):
                return ast.unparse(other)
    if isinstance(test, ast.Call) and len(test.args) == 2 and call in test.args:
        return ast.unparse(next(arg for arg in test.args if arg is not call))
    return ast.unparse(_Substitute(call).visit(copy.deepcopy(test)))
