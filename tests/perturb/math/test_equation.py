"""Equations in prose: what is read, whether it holds, what it states; hostile text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelift_groups.perturb.math.equation import agree, operations, read_equations

F = Fraction


def readings(step: str) -> list[tuple[str, bool, Fraction | None]]:
    """(text, holds, the stated result) of every equation of a step."""
    return [
        (step[e.start : e.end], e.holds, e.result.value if e.result else None)
        for e in read_equations(step)
    ]


@pytest.mark.parametrize(
    ("step", "text", "result"),
    [
        ("The trays hold 6 * 14 = 84 rolls.", "6 * 14 = 84", 84),
        ("6*14=84", "6*14=84", 84),
        ("He pays 3 x $5 = $15.", "3 x $5 = $15", 15),
        ("He pays 3x$5=$15.", "3x$5=$15", 15),
        ("She has 20 − 5 = 15 left", "20 − 5 = 15", 15),
        ("She has 20 – 5 = 15 left", "20 – 5 = 15", 15),
        ("That is 6 × 7 = 42 now", "6 × 7 = 42", 42),
        ("That is 42 ÷ 7 = 6 now", "42 ÷ 7 = 6", 6),
        ("That is 6·7 = 42 now", "6·7 = 42", 42),
        ("It is 100 gold * 3 silver/gold = 300 silver.", "100 gold * 3 silver/gold = 300", 300),
        ("3 times 60 equals 180 minutes", "3 times 60 equals 180", 180),
        ("so 6 times 14 is 84, as said", "6 times 14 is 84", 84),
        ("5 plus 6 makes 11.", "5 plus 6 makes 11", 11),
        ("20 minus 6 leaves 14.", "20 minus 6 leaves 14", 14),
        ("20 divided by 5 gives 4.", "20 divided by 5 gives 4", 4),
        ("20 multiplied by 5 equals 100.", "20 multiplied by 5 equals 100", 100),
        ("The sum of 5, 6 and 7 is 18.", "5, 6 and 7 is 18", 18),
        ("The product of 5 and 6 is 30.", "5 and 6 is 30", 30),
        ("Tax is 20% of 50 = 10.", "20% of 50 = 10", 10),
        ("Tax is 50 * 20% = $10.", "50 * 20% = $10", 10),
        ("The rest is 100% - 40% = 60%.", "100% - 40% = 60%", 60),
        ("The rest is 100 - 40 = 60%.", "100 - 40 = 60%", 60),
        ("That is 20 / 50 = 40% of them", "20 / 50 = 40%", 40),
        ("A share is 1/4 * 80 = 20.", "1/4 * 80 = 20", 20),
        ("A share is 1/4 of 80 = 20.", "1/4 of 80 = 20", 20),
        ("It takes 2 1/2 * 4 = 10 cups.", "2 1/2 * 4 = 10", 10),
        ("It makes 2 / 1/6 = 12 slices.", "2 / 1/6 = 12", 12),
        ("Then (3 + 4) * 2 = 14.", "(3 + 4) * 2 = 14", 14),
        ("Then 2(3 + 4) = 14.", "2(3 + 4) = 14", 14),
        ("Then [3 + 4] * 2 = 14.", "[3 + 4] * 2 = 14", 14),
        ("Total = 3 + 4 = 7", "3 + 4 = 7", 7),
        ("Total cost: $3 + $4 = $7", "$3 + $4 = $7", 7),
        ("10 / 3 = 3.33 each", "10 / 3 = 3.33", F(333, 100)),
        ("20 / 3 = 6.67 each", "20 / 3 = 6.67", F(667, 100)),
        ("20 / 3 = 6.66 each", "20 / 3 = 6.66", F(666, 100)),
        ("1,200 * 2 = 2,400", "1,200 * 2 = 2,400", 2400),
        (".5 * 8 = 4", ".5 * 8 = 4", 4),
        ("The 3rd one gets 4 + 4 = 8", "4 + 4 = 8", 8),
        ("From 9:30 on, 4 + 4 = 8", "4 + 4 = 8", 8),
        ("5 * 12 = 60 (minutes)", "5 * 12 = 60", 60),
        ("Room B2 has 4 + 4 = 8", "4 + 4 = 8", 8),
        ("5 sq. ft. * 3 = 15 sq. ft.", "5 sq. ft. * 3 = 15", 15),
        ("15 * 12 = 15 * 10 + 15 * 2 = 150 + 30 = 180",
         "15 * 12 = 15 * 10 + 15 * 2 = 150 + 30 = 180", 180),
        ("60 kW would cost = $0.10 * 60 = $6", "$0.10 * 60 = $6", 6),
    ],
)  # fmt: skip
def test_a_true_equation_is_read_with_its_result(
    step: str, text: str, result: int | Fraction
) -> None:
    assert readings(step) == [(text, True, F(result))]


@pytest.mark.parametrize(
    ("step", "text", "result"),
    [
        ("The trays hold 6 * 14 = 74 rolls.", "6 * 14 = 74", 74),
        ("3 times 60 equals 170 minutes", "3 times 60 equals 170", 170),
        ("so 6 times 14 is 74, as said", "6 times 14 is 74", 74),
        ("The sum of 5, 6 and 7 is 17.", "5, 6 and 7 is 17", 17),
        ("Tax is 20% of 50 = 11.", "20% of 50 = 11", 11),
        ("It takes 2 1/2 * 4 = 11 cups.", "2 1/2 * 4 = 11", 11),
        ("Then 2(3 + 4) = 13.", "2(3 + 4) = 13", 13),
        ("10 / 3 = 3 each", "10 / 3 = 3", 3),
        ("10 / 3 = 3.43 each", "10 / 3 = 3.43", F(343, 100)),
        ("4 / 0 = 4", "4 / 0 = 4", 4),
        ("3 * 4 = 10 + 3 = 12", "3 * 4 = 10 + 3 = 12", 12),
        ("2 + 2 = 4 + 1 = 5", "2 + 2 = 4 + 1 = 5", 5),
        ("15 * 12 = 150 + 20 = 170", "15 * 12 = 150 + 20 = 170", 170),
    ],
)
def test_a_false_equation_is_found_false(step: str, text: str, result: int | Fraction) -> None:
    assert readings(step) == [(text, False, F(result))]


@pytest.mark.parametrize(
    "step",
    [
        "2x = 10",
        "2x + 4 = 10",
        "x = 10 / 2y",
        "x + 278 = 300",
        "x + 3 * 4 = 12",
        "Let x = 4.",
        "6 hours = 360 minutes",
        "He has 6 and she has 7.",
        "That is 84.",
        "They are 3 + 4",
        "= 7",
        "3 + = 7",
        "From 9:30 to 17:00 is a long time.",
        "The 3rd is 4.",
        "",
        "=",
        "= = =",
        "3 = = 4",
    ],
)
def test_nothing_is_read_where_nothing_is_worked_out(step: str) -> None:
    assert readings(step) == []


def test_two_equations_of_one_step_are_read_apart() -> None:
    assert readings("He earns 5 * 6 = 30 and spends 30 - 8 = 22 of it.") == [
        ("5 * 6 = 30", True, F(30)),
        ("30 - 8 = 22", True, F(22)),
    ]
    assert readings("5 * 6 = 31, and 31 - 8 = 23") == [
        ("5 * 6 = 31", False, F(31)),
        ("31 - 8 = 23", True, F(23)),
    ]


def test_a_result_that_is_no_single_number() -> None:
    (equation,) = read_equations("3 * 8 = 20 + 4")
    assert equation.holds
    assert equation.result is None
    assert equation.value == 24


def test_the_value_of_a_percentage_is_as_written() -> None:
    (equation,) = read_equations("That is 20 / 50 = 40% of them")
    assert equation.value == 40


def test_what_derives_and_what_repeats() -> None:
    assert read_equations("3 + 4 = 7")[0].derives
    assert read_equations("(3 + 4) = 7")[0].derives
    assert not read_equations("7 = 3 + 4")[0].derives


def test_operations_outer_before_inner() -> None:
    (equation,) = read_equations("(3 + 4) * 2 - 1 = 13")
    assert [operation.op for operation in operations(equation)] == ["-", "*", "+"]


def test_unit_ends_behind_the_words_of_the_last_number() -> None:
    step = "The trays hold 6 * 14 = 84 rolls."
    last = read_equations(step)[0].segments[-1]
    assert step[last.start : last.end] == "84"
    assert step[last.start : last.unit_end] == "84 rolls"


@pytest.mark.parametrize(
    ("worked", "stated", "decimals", "agrees"),
    [
        (F(10, 3), F(333, 100), 2, True),
        (F(20, 3), F(667, 100), 2, True),
        (F(20, 3), F(666, 100), 2, True),
        (F(20, 3), F(668, 100), 2, False),
        (F(10, 3), F(3), 0, False),
        (F(7, 2), F(7, 2), 1, True),
        (F(1, 3), F(33333, 100000), 5, False),
        (F(-10, 3), F(-333, 100), 2, True),
    ],
)
def test_agreement_is_exact_or_to_the_decimals_shown(
    worked: Fraction, stated: Fraction, decimals: int, agrees: bool
) -> None:
    assert agree(worked, stated, decimals) is agrees


@pytest.mark.parametrize(
    "step",
    [
        "(" * 10_000,
        "(" * 10_000 + "1 + 1 = 2",
        "(" * 5_000 + "1" + ")" * 5_000 + " + 1 = 2",
        "1 + 1 = " + "(" * 10_000,
        "1 + " * 5_000 + "1 = 5001",
        "1 = " * 5_000,
        "word " * 10_000 + "1 + 1 = 2",
        "1 + 1 = 2 " + "word " * 10_000,
        "9" * 4_000 + " * 2 = 3",
        "9" * 4_000 + "." + "9" * 4_000 + " + 1 = 2",
        "1" + ",000" * 1_000 + " + 1 = 2",
        "$" * 10_000 + "%" * 10_000,
        "sum of " * 2_000 + "1 and 2 = 3",
        "1/2/" * 3_000 + "1 = 3",
        "1 is " * 3_000,
        "2(3)" * 1_000 + " = 7",
    ],
    ids=range(16),
)
def test_hostile_text_is_read_without_an_exception(step: str) -> None:
    for equation in read_equations(step):
        assert 0 <= equation.start < equation.end <= len(step)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.text(alphabet="0123456789.,$%/:x ()[]=-+*×of is and", max_size=60))
def test_equations_lie_inside_the_text_and_do_not_overlap(step: str) -> None:
    position = 0
    for equation in read_equations(step):
        assert position <= equation.start < equation.end <= len(step)
        position = equation.end


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(
    st.integers(1, 999),
    st.sampled_from("+-*/"),
    st.integers(1, 99),
    st.integers(-3, 3),
    st.sampled_from(("{} {} {} = {}", "So it is {}{}{}={}.", "He has {} red cats {} {} = {}")),
)
def test_an_equation_holds_exactly_where_its_result_is_right(
    one: int, op: str, two: int, off: int, frame: str
) -> None:
    exact = {"+": F(one + two), "-": F(one - two), "*": F(one * two), "/": F(one, two)}[op]
    if exact.denominator != 1 or exact + off < 0:
        return
    step = frame.format(one, op, two, exact + off)
    (equation,) = read_equations(step)
    assert equation.holds is (off == 0)
    assert equation.value == exact + off
