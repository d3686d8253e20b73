"""Numbers in prose: what is read, how it is valued, how it is written back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelift_groups.perturb.math.numbers import (
    Number,
    Style,
    decimals_of,
    plain,
    read_numbers,
    read_quantities,
    render,
)

F = Fraction


def only(text: str) -> Number:
    (number,) = read_numbers(text)
    return number


@pytest.mark.parametrize(
    ("text", "span", "value", "style"),
    [
        ("He has 12 cats", "12", F(12), Style()),
        ("It costs $5 now", "$5", F(5), Style(prefix="$")),
        ("It costs $ 5 now", "$ 5", F(5), Style(prefix="$ ")),
        ("It costs €3.50.", "€3.50", F(7, 2), Style(prefix="€", decimals=2)),
        ("It costs £20,", "£20", F(20), Style(prefix="£")),
        ("It costs 50¢ here", "50¢", F(50), Style(suffix="¢")),
        ("It costs 5$ here", "5$", F(5), Style(suffix="$")),
        ("About 20% of it", "20%", F(20), Style(suffix="%")),
        ("About 20 % of it", "20 %", F(20), Style(suffix=" %")),
        ("About 12.5% of it", "12.5%", F(25, 2), Style(suffix="%", decimals=1)),
        ("a total of 1,234,567.", "1,234,567", F(1234567), Style(thousands=True)),
        ("a total of 1,234.50!", "1,234.50", F(2469, 2), Style(thousands=True, decimals=2)),
        ("just .5 left", ".5", F(1, 2), Style(decimals=1, leading_zero=False)),
        ("just 0.05 left", "0.05", F(1, 20), Style(decimals=2)),
        ("It is $.75 each", "$.75", F(3, 4), Style("$", decimals=2, leading_zero=False)),
        ("He ends with 7.", "7", F(7), Style()),
        ("so 2x is", "2", F(2), Style()),
        ("so 3x4", "3", F(3), Style()),
    ],
)
def test_a_number_is_read_with_its_signs_value_and_style(
    text: str, span: str, value: Fraction, style: Style
) -> None:
    number = read_numbers(text)[0]
    assert (text[number.start : number.end], number.value, number.style) == (span, value, style)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("the 3rd, 1st, 22nd and 40TH day", []),
        ("from 17:00 to 9:30", []),
        ("day 2:56/2 = 28", [2, 56, 2, 28]),
        ("vitamin B2 and A4 paper", []),
        ("3x4", [3, 4]),
        ("a list: 1,2,3", [1, 2, 3]),
        ("1,23 or 1,2345", [1, 23, 1, 2345]),
        ("6*7=42", [6, 7, 42]),
        ("5-minute walks, 3/4 cup", [5, 3, 4]),
        ("no number here", []),
        ("", []),
        ("20%-30%", [20, 30]),
        ("$3-$5", [3, 5]),
    ],
)
def test_labels_times_and_ordinals_are_no_quantities(text: str, values: list[Fraction]) -> None:
    assert [number.value for number in read_numbers(text)] == values


def test_percent_and_money_are_told_by_the_signs() -> None:
    assert only("20%").percent
    assert only("20 %").percent
    assert not only("20").percent
    assert [only(text).money for text in ("$2", "2$", "€2", "£2", "2%", "2")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (F(1234), Style(thousands=True), "1,234"),
        (F(1234), Style(), "1234"),
        (F(999), Style(thousands=True), "999"),
        (F(5), Style(prefix="$"), "$5"),
        (F(5, 2), Style(prefix="$"), "$2.50"),
        (F(5), Style(prefix="$", decimals=2), "$5.00"),
        (F(5), Style(decimals=2), "5"),
        (F(5, 2), Style(decimals=2), "2.50"),
        (F(5, 2), Style(), "2.5"),
        (F(1, 2), Style(decimals=1, leading_zero=False), ".5"),
        (F(3, 2), Style(decimals=1, leading_zero=False), "1.5"),
        (F(0), Style(decimals=1, leading_zero=False), "0"),
        (F(25), Style(suffix=" %"), "25 %"),
        (F(1, 8), Style(decimals=1), "0.125"),
        (F(1, 16), Style(), "0.0625"),
    ],
)
def test_a_value_is_written_in_anothers_style(value: Fraction, style: Style, text: str) -> None:
    assert render(value, style) == text


@pytest.mark.parametrize("value", [F(-1), F(1, 3), F(1, 32)])
def test_what_nobody_writes_is_not_rendered(value: Fraction) -> None:
    assert render(value, Style()) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (F(12), "12"),
        (F(-12), "-12"),
        (F(1, 2), "0.5"),
        (F(-1, 4), "-0.25"),
        (F(1, 3), "1/3"),
        (F(1, 10**6), "0.000001"),
        (F(0), "0"),
    ],
)
def test_plain_values_are_decimals_or_else_fractions(value: Fraction, text: str) -> None:
    assert plain(value) == text


def test_decimals_are_counted_up_to_a_limit() -> None:
    assert [decimals_of(F(n, 1000)) for n in (1000, 500, 250, 125)] == [0, 1, 2, 3]
    assert decimals_of(F(1, 3)) is None
    assert decimals_of(F(1, 8), 2) is None


_STYLES = st.builds(
    Style,
    prefix=st.sampled_from(("", "$", "€", "£", "$ ")),
    suffix=st.sampled_from(("", "%", " %")),
    thousands=st.booleans(),
    decimals=st.integers(0, 4),
    leading_zero=st.booleans(),
)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.integers(0, 10**9), st.integers(0, 4), _STYLES)
def test_what_is_written_is_read_back(digits: int, places: int, style: Style) -> None:
    value = Fraction(digits, 10**places)
    text = render(value, style)
    assert text is not None
    for sentence in (text, f"There are {text} of them.", f"({text})"):
        number = only(sentence)
        assert number.value == value
        assert sentence[number.start : number.end] == text
        assert render(number.value, number.style) == text


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.text(alphabet="0123456789.,$%/:x ()=-+abst ", max_size=40))
def test_numbers_never_overlap_and_lie_inside_the_text(text: str) -> None:
    position = 0
    for number in read_numbers(text):
        assert position <= number.start < number.end <= len(text)
        assert any(char.isdigit() for char in text[number.start : number.end])
        position = number.end


def quantities(problem: str) -> set[tuple[Fraction, str]]:
    return {(quantity.value, quantity.text) for quantity in read_quantities(problem)}


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("He pays $3.50.", {(F(7, 2), "$3.50")}),
        ("20% of them", {(F(20), "20%"), (F(1, 5), "20%")}),
        ("1/2 of them", {(F(1), "1"), (F(2), "2"), (F(1, 2), "1/2")}),
        ("1/0 of them", {(F(1), "1"), (F(0), "0")}),
        ("three quarters of it",
         {(F(3), "three"), (F(1, 4), "quarters"), (F(4), "quarters"), (F(3, 4), "three quarters")}),
        ("half as many", {(F(1, 2), "half"), (F(2), "half")}),
        ("twice a dozen", {(F(2), "twice"), (F(12), "dozen")}),
        ("Twenty-five men", {(F(20), "Twenty"), (F(5), "five"), (F(25), "Twenty-five")}),
        ("twenty, five", {(F(20), "twenty"), (F(5), "five")}),
        ("two hundred men", {(F(2), "two"), (F(100), "hundred"), (F(200), "two hundred")}),
        ("both someone", {(F(2), "both")}),
        ("nothing", set()),
    ],
)  # fmt: skip
def test_a_problems_quantities_in_digits_and_words(
    problem: str, expected: set[tuple[Fraction, str]]
) -> None:
    assert quantities(problem) == expected


def test_quantities_come_in_order_with_their_places() -> None:
    problem = "Half of 30 pens at 20% off"
    found = read_quantities(problem)
    assert [quantity.start for quantity in found] == sorted(q.start for q in found)
    assert all(problem[q.start : q.end].strip() == q.text for q in found)
