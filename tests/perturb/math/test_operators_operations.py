"""Wrong operations: how signs are spelled, what follows, what reads oddly."""

from __future__ import annotations

from random import Random

import pytest

from tests.perturb.word_problems import drafts, traced
from tracelift_groups.perturb.math.operators import OPERATORS


@pytest.mark.parametrize(
    ("operator", "before", "after"),
    [
        ("add_or_subtract", "12 plus 9 is 21.", "12 minus 9 is 3."),
        ("add_or_subtract", "12 minus 9 is 3.", "12 plus 9 is 21."),
        ("add_or_subtract", "12+9=21.", "12-9=3."),
        ("multiply_or_divide", "12 times 3 is 36.", "12 divided by 3 is 4."),
        ("multiply_or_divide", "12 divided by 3 is 4.", "12 times 3 is 36."),
        ("multiply_or_divide", "12 multiplied by 3 is 36.", "12 divided by 3 is 4."),
        ("multiply_or_divide", "12 ÷ 3 = 4.", "12 × 3 = 36."),
        ("multiply_or_divide", "12 × 3 = 36.", "12 ÷ 3 = 4."),
        ("multiply_or_divide", "12 x 3 = 36.", "12 / 3 = 4."),
        ("add_for_multiply", "12 × 3 = 36.", "12 + 3 = 15."),
        ("add_for_multiply", "12 times 3 is 36.", "12 plus 3 is 15."),
        ("add_for_multiply", "12 + 3 = 15.", "12 * 3 = 36."),
        ("subtract_for_divide", "12 divided by 3 is 4.", "12 minus 3 is 9."),
        ("subtract_for_divide", "12 - 3 = 9.", "12 / 3 = 4."),
    ],
)
def test_a_sign_is_replaced_in_its_own_spelling(operator: str, before: str, after: str) -> None:
    assert drafts(operator, traced("12 and 3 and 9", before)) == {after}


def test_precedence_is_that_of_the_new_text() -> None:
    trace = traced("2, 3 and 4", "It is 2 + 3 * 4 = 14.")
    assert drafts("add_for_multiply", trace) == {
        "It is 2 * 3 * 4 = 24.",
        "It is 2 + 3 + 4 = 9.",
    }


def test_the_bar_of_a_fraction_is_no_operation() -> None:
    trace = traced("80 pens", "Red are 3/4 * 80 = 60 pens.")
    assert drafts("multiply_or_divide", trace) == set()


@pytest.mark.parametrize(
    ("operator", "step"),
    [
        ("add_or_subtract", "9 + 12 = 21."),  # 9 - 12 is negative
        ("multiply_or_divide", "7 * 3 = 21."),  # 7 / 3 is no number that anybody writes
        ("multiply_or_divide", "7 * 2 = 14."),  # half a person
        ("add_or_subtract", "15 * 12 = 150 + 30 = 180."),  # a chain
    ],
)
def test_what_would_be_implausible_is_not_proposed(operator: str, step: str) -> None:
    assert drafts(operator, traced("7, 2, 3, 9, 12, 15", step)) == set()


def test_a_step_whose_words_name_the_operation_comes_last() -> None:
    trace = traced("12, 9, 5", "Adding them gives 12 + 9 = 21.\nThen 21 + 5 = 26.")
    for seed in range(6):
        first, second = OPERATORS["add_or_subtract"](trace, Random(seed))
        assert first.steps == ("Adding them gives 12 + 9 = 21.", "Then 21 - 5 = 16.")
        assert second.steps == ("Adding them gives 12 - 9 = 3.", "Then 3 + 5 = 8.")
