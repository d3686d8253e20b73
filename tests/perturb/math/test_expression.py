"""Expressions: the tree, its value under each reading, its place in the text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tracelift_groups.perturb.math.expression import (
    Binary,
    Bracket,
    Leaf,
    Node,
    Parser,
    Reading,
    evaluate,
    extent,
    is_fraction,
    leaves,
)
from tracelift_groups.perturb.math.tokens import tokenize

F = Fraction
PLAIN = Reading(percent=True, tight=False)
AS_TWENTY = Reading(percent=False, tight=False)
TIGHT = Reading(percent=True, tight=True)


def parse(text: str, *, tight: bool = False) -> tuple[Node | None, str]:
    """The expression at the start of a text, and what the parser left over."""
    tokens = tokenize(text)
    parser = Parser(tokens, 0, len(tokens), tight)
    node = parser.expression()
    rest = parser.peek()
    return node, text[rest.start :] if rest else ""


def whole(text: str, *, tight: bool = False) -> Node:
    node, rest = parse(text, tight=tight)
    assert node is not None
    assert rest == ""
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", F(14)),
        ("(2 + 3) * 4", F(20)),
        ("20 - 3 - 4", F(13)),
        ("20 / 2 / 5", F(2)),
        ("20 - (3 - 4)", F(21)),
        ("[2 + 3] * 4", F(20)),
        ("2(3 + 4)", F(14)),
        ("(2)(3)", F(6)),
        ("(1/2) 40", F(20)),
        ("2 1/2", F(5, 2)),
        ("2 1/2 * 4", F(10)),
        ("3 1/4 - 1 1/2", F(7, 4)),
        ("20% of 50", F(10)),
        ("20% of 50 + 1", F(11)),
        ("1/4 of 80", F(20)),
        ("3 bags * 4 pounds/bag", F(12)),
        ("40 cups of coffee per lb. * 3", F(120)),
        ("5 sq. ft. + 6 sq. ft.", F(11)),
        ("3 pink-striped balls + 4 balls", F(7)),
        ("$5 + $2.50", F(15, 2)),
        ("1,200 + 300", F(1500)),
        ("3 plus 4 times 5", F(23)),
        ("40% * 50", F(20)),
        ("100% - 40%", F(3, 5)),
        (".5 * 8", F(4)),
    ],
)
def test_an_expression_has_the_usual_value(text: str, value: Fraction) -> None:
    assert evaluate(whole(text), PLAIN) == value


@pytest.mark.parametrize("text", ["3y", "3y + 4", "+ 3", "(3", "3 *", "()", "x", "", "(3 + ) * 2"])
def test_what_is_no_expression_gives_none(text: str) -> None:
    assert parse(text)[0] is None


@pytest.mark.parametrize(
    ("text", "value", "rest"),
    [
        ("12 apples and 3 pears", F(12), "and 3 pears"),
        ("12 because of 3", F(12), "because of 3"),
        ("12 dollars a week left over for him.", F(12), "left over for him."),
        ("12, then", F(12), ", then"),
        ("12 = 3", F(12), "= 3"),
    ],
)
def test_a_unit_ends_where_a_clause_begins(text: str, value: Fraction, rest: str) -> None:
    node, left = parse(text)
    assert node is not None
    assert evaluate(node, PLAIN) == value
    assert left == rest


def test_a_percentage_is_a_share_or_the_number_as_written() -> None:
    node = whole("50 * 20%")
    assert evaluate(node, PLAIN) == 10
    assert evaluate(node, AS_TWENTY) == 1000


def test_a_tight_fraction_binds_first_under_the_tight_reading() -> None:
    assert evaluate(whole("2 / 1/6"), PLAIN) == F(1, 3)
    assert evaluate(whole("2 / 1/6", tight=True), TIGHT) == 12


def test_values_of_leaves_can_be_overridden() -> None:
    node = whole("50 * 20% + 3")
    fifty, twenty, three = leaves(node)
    assert evaluate(node, PLAIN, {fifty.start: F(100)}) == 23
    assert evaluate(node, PLAIN, {twenty.start: F(50)}) == 28
    assert evaluate(node, PLAIN, {three.start: F(0)}) == 10


def test_dividing_by_zero_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        evaluate(whole("3 / 0"), PLAIN)


def test_an_extent_with_and_without_the_unit() -> None:
    text = "3 red bags * (4 + 5) pounds"
    node = whole(text)
    start, end, unit_end = extent(node)
    assert text[start:end] == "3 red bags * (4 + 5)"
    assert text[start:unit_end] == text
    assert isinstance(node, Binary)
    assert text[node.op_start : node.op_end] == "*"
    assert isinstance(node.left, Leaf)
    assert text[node.left.start : node.left.unit_end] == "3 red bags"
    assert isinstance(node.right, Bracket)


def test_a_product_without_a_sign_has_an_empty_one() -> None:
    node = whole("2(3)")
    assert isinstance(node, Binary)
    assert node.op == "*"
    assert node.op_start == node.op_end


def test_leaves_come_left_to_right() -> None:
    assert [leaf.number.value for leaf in leaves(whole("1 + (2 - 3) * 4"))] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "fraction"),
    [("3/4", True), ("3 / 4", False), ("8/4", False), ("3*4", False), ("(3)/4", False)],
)
def test_a_fraction_bar_is_no_division_sign(text: str, fraction: bool) -> None:
    node = whole(text)
    assert isinstance(node, Binary)
    assert is_fraction(node, text) is fraction
