"""Code within prose: where it is, what it stands for, and what is none."""

from __future__ import annotations

import ast

import pytest

from tracelift_groups.perturb.code.fragments import fragments, parse, plain

NAMES = frozenset("n i j xs left right mid stack f a b".split())


def found(text: str) -> list[str]:
    return [fragment.code for fragment in fragments(text, NAMES)]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Look at `xs[i]` and `i + 1`.", ["xs[i]", "i + 1"]),
        (r"From \( 0 \) to \( n - 1 \).", ["0", "n - 1"]),
        ("It costs $n + 1$ steps.", ["n + 1"]),
        ("Go from i + 1 to n - 1.", ["i + 1", "n - 1"]),
        ("as long as left <= right holds", ["left <= right"]),
        ("the entry xs[i] + 1 is next", ["xs[i] + 1"]),
        ("first `a + b`, then i - 1", ["a + b", "i - 1"]),
        ("`unknown + 1` is still code in marks", ["unknown + 1"]),
    ],
)
def test_code_is_found_from_left_to_right(text: str, codes: list[str]) -> None:
    assert found(text) == codes


@pytest.mark.parametrize(
    "text",
    [
        "Nothing here.",
        "`for each element`, we go on",
        "`not closed",
        "a well-known trick",  # hyphens
        "a left-right trick",
        "unknown + 1 without marks",
        "between $5 and $6",
        "3 + 4",  # no name of the program's
        "`x = 1; y = 2`",
        "`if`",
    ],
)
def test_what_is_no_code_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_fragments_say_where_they_stand() -> None:
    text = r"Take `xs[i]`, \(i \leq n\) and i + 1."
    for fragment in fragments(text, NAMES):
        assert text[fragment.start : fragment.end] == fragment.code
    assert found(text) == ["xs[i]", r"i \leq n", "i + 1"]


def test_code_in_marks_is_not_found_again_as_bare() -> None:
    assert found("`left + right` is even") == ["left + right"]


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("while left < right:", "left < right"),
        ("while left < right", "left < right"),
        ("if not xs:", "not xs"),
        ("elif a == b:", "a == b"),
        ("for i in range(n):", "range(n)"),
    ],
)
def test_the_head_of_a_statement_stands_for_its_condition(code: str, means: str) -> None:
    node = parse(code)
    assert node is not None
    assert ast.unparse(node) == means
    # positions count from the start of the fragment
    start, end = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
    assert code[start:end] == means


@pytest.mark.parametrize("code", ["", "for each x", "a b", "x = 1\ny = 2", "else", "def f(", "1 +"])
def test_what_does_not_parse_is_none(code: str) -> None:
    assert parse(code) is None


def test_a_formula_is_read_as_code_of_the_same_width() -> None:
    formula = r"1 \leq i \le n \cdot 2 \neq 3"
    assert len(plain(formula)) == len(formula)
    node = parse(formula)
    assert node is not None
    assert ast.unparse(node) == "1 <= i <= n * 2 != 3"


def test_a_sign_is_not_read_out_of_a_longer_one() -> None:
    # \left is no \le
    assert parse(r"\left(a") is None
    assert r"\left" in plain(r"\left(a")
