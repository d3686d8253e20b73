"""Programs as trees: equal forms, replacing, and changing a node."""

from __future__ import annotations

import ast

import pytest

from tests.perturb.code.programs import LOWEST, TOTAL, plain
from tracelift_groups.perturb.code.fragments import parse
from tracelift_groups.perturb.code.program import Program, canonical


def form(code: str) -> str:
    node = parse(code)
    assert node is not None
    return canonical(node)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a > b", "b < a"),
        ("a >= b + 1", "(b+1) <= a"),
        ("x += 1", "x = x + 1"),
        ("xs[i] -= y", "xs[i] = xs[i] - y"),
        ("x: int = 1", "x = 1"),
        ("f( a,b )", "f(a, b)"),
        ("'x'", '"x"'),
        ("if a > b:", "b < a"),
    ],
)
def test_what_means_the_same_has_one_form(one: str, other: str) -> None:
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a > b", "a < b"),
        ("a > b", "a >= b"),
        ("a - b", "b - a"),
        ("x += 1", "x -= 1"),
        ("x += 1", "x = 1"),
        ("x == 1", "x = 1"),
        ("a < b < c", "c < b < a"),
        ("1", "True"),
        ("xs[1]", "xs[-1]"),
        ("f(a, b)", "f(b, a)"),
        ("a and b", "a or b"),
    ],
)
def test_what_differs_has_another_form(one: str, other: str) -> None:
    assert form(one) != form(other)


def test_names_are_those_that_prose_may_use() -> None:
    source = "import heapq\ndef f(xs, k=1):\n    y = heapq.nlargest(k, xs)\n    return y\n"
    program = Program(source)
    assert program.names == {"f", "xs", "k", "y", "heapq", "nlargest"}


def test_forms_are_counted() -> None:
    program = Program("def f(n):\n    if n > 0:\n        n -= 1\n    return 0 < n\n")
    assert program.forms[form("n > 0")] == 2
    assert program.forms[form("n = n - 1")] == 1
    assert program.forms[form("n < 0")] == 0


def test_every_occurrence_is_replaced_in_whatever_spelling() -> None:
    program = Program("def f(n):\n    if n > 0:\n        n -= 1\n    return 0 < n\n")
    new = parse("n >= 0")
    assert new is not None
    assert program.replaced(form("n > 0"), new) == plain(
        "def f(n):\n    if n >= 0:\n        n -= 1\n    return n >= 0\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("k > 0", "k < 0"),  # is not there
        ("result += i", "result = result + i"),  # is the same
        ("i", "i = 1"),  # a statement where an expression stands
    ],
)
def test_what_is_no_other_program_is_none(old: str, new: str) -> None:
    node = parse(new)
    assert node is not None
    made = Program(TOTAL).replaced(form(old), node)
    assert made is None or plain(made) != plain(TOTAL)
    if old != "result += i":
        assert made is None


def test_replacing_leaves_the_program_as_it_was() -> None:
    program = Program(TOTAL)
    before = program.plain
    new = parse("range(1, n)")
    assert new is not None
    made = program.replaced(form("range(1, n + 1)"), new)
    assert made == before.replace("range(1, n + 1)", "range(1, n)")
    assert program.plain == before
    assert ast.unparse(program.tree) == before


def test_a_statement_that_goes_leaves_a_pass_where_it_must() -> None:
    program = Program("for x in xs:\n    print(x)\n")
    loop = program.tree.body[0]
    assert isinstance(loop, ast.For)
    only = loop.body[0]
    made = program.changed(lambda node: [] if node is only else None)
    assert made == "for x in xs:\n    pass"


def test_an_else_that_goes_empty_goes() -> None:
    program = Program("if a:\n    b()\nelse:\n    c()\n")
    branch = program.tree.body[0]
    assert isinstance(branch, ast.If)
    gone = branch.orelse[0]
    assert program.changed(lambda node: [] if node is gone else None) == "if a:\n    b()"


def test_a_change_that_does_not_parse_is_none() -> None:
    program = Program("x = 1\n")
    name = ast.Name("not a name")
    assert program.changed(lambda n: name if isinstance(n, ast.Constant) else None) is None


def test_a_change_that_changes_nothing_is_none() -> None:
    program = Program("x  =  (1)  # one\n")
    one = ast.Constant(1)
    assert program.changed(lambda n: one if isinstance(n, ast.Constant) else None) is None


def test_comments_and_layout_do_not_count() -> None:
    assert Program("x=1 # one\n\n\ny = (2)").plain == "x = 1\ny = 2"


def test_around_is_the_innermost() -> None:
    program = Program(LOWEST)
    (call,) = (node for node in ast.walk(program.tree) if isinstance(node, ast.Call))
    assert isinstance(program.around(call, ast.For, ast.FunctionDef), ast.For)
    assert isinstance(program.around(call, ast.FunctionDef), ast.FunctionDef)
    assert program.around(call, ast.While) is None


@pytest.mark.parametrize(
    ("source", "only"),
    [
        ("while a < b:\n    a += 1", True),
        ("for x in xs:\n    if a < b:\n        f()", True),
        ("if a < b:\n    f()", False),
        ("while a < b:\n    a += 1\nprint(a < b)", False),
        ("for x in xs:\n    def f():\n        return a < b", False),
        ("a = 1", False),
    ],
)
def test_whether_a_form_stands_in_loops_alone(source: str, only: bool) -> None:
    assert Program(source).only_in_loops(form("a < b")) is only


def test_what_does_not_parse_is_refused() -> None:
    with pytest.raises(SyntaxError):
        Program("def f(:")
